"""Layers, one a file: each says its output's shape and its blocks of theta, and binds its calls to buffers."""

from nnexp.network.layers.avg_pool import AvgPool
from nnexp.network.layers.batch_norm import BatchNorm
from nnexp.network.layers.conv2d import Conv2D
from nnexp.network.layers.dense import Dense
from nnexp.network.layers.dropout import Dropout
from nnexp.network.layers.embedding import Embedding
from nnexp.network.layers.flatten import Flatten
from nnexp.network.layers.global_pool import GlobalAvgPool, GlobalMaxPool
from nnexp.network.layers.layer import Block, Layer, Passes, Piece, Place, Shape
from nnexp.network.layers.layer_norm import LayerNorm
from nnexp.network.layers.max_pool import MaxPool
from nnexp.network.layers.residual import Residual

__all__ = [
    "AvgPool",
    "BatchNorm",
    "Block",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "Passes",
    "Piece",
    "Place",
    "Residual",
    "Shape",
]
