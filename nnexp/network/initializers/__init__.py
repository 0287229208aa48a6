"""Initializers: initial weights from a layer's fan in and fan out."""

from nnexp.network.initializers.initializer import Initializer
from nnexp.network.initializers.normal import Normal
from nnexp.network.initializers.orthogonal import Orthogonal
from nnexp.network.initializers.scaled import Glorot, He, LeCun

__all__ = ["Glorot", "He", "Initializer", "LeCun", "Normal", "Orthogonal"]
