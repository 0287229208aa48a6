"""Layers, one a file: each says its output's shape and its blocks of theta, and binds its calls to buffers."""

from nnexp.network.layers.dense import Dense
from nnexp.network.layers.layer import Block, Layer, Passes, Piece, Place, Shape

__all__ = ["Block", "Dense", "Layer", "Passes", "Piece", "Place", "Shape"]
