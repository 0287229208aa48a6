"""Activation functions, one a file: value and derivative, in place, for any leading axes."""

from nnexp.network.activations.activation import Activation
from nnexp.network.activations.elu import ELU
from nnexp.network.activations.gelu import GELU
from nnexp.network.activations.leaky_relu import LeakyReLU
from nnexp.network.activations.linear import Linear
from nnexp.network.activations.relu import ReLU
from nnexp.network.activations.sigmoid import Sigmoid
from nnexp.network.activations.silu import SiLU
from nnexp.network.activations.softmax import Softmax, softmax, softmax_backward
from nnexp.network.activations.softplus import Softplus
from nnexp.network.activations.tanh import Tanh

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "softmax",
    "softmax_backward",
]
