"""Networks on flat parameter vectors: layouts, layers, activations, buffers, architectures."""

from nnexp.network.activations import Activation, Linear, ReLU, Sigmoid, Softmax, Tanh
from nnexp.network.architecture import MLP, Architecture
from nnexp.network.layout import Layout
from nnexp.network.network import Network

__all__ = [
    "MLP",
    "Activation",
    "Architecture",
    "Layout",
    "Linear",
    "Network",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
]
