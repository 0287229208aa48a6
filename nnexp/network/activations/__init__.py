"""Activation functions, one a file: value and derivative, in place, for any leading axes."""

from nnexp.network.activations.activation import Activation
from nnexp.network.activations.linear import Linear
from nnexp.network.activations.relu import ReLU
from nnexp.network.activations.sigmoid import Sigmoid
from nnexp.network.activations.softmax import Softmax, softmax, softmax_backward
from nnexp.network.activations.tanh import Tanh

__all__ = ["Activation", "Linear", "ReLU", "Sigmoid", "Softmax", "Tanh", "softmax", "softmax_backward"]
