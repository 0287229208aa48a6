"""Optimization methods: ask for candidates, score them, tell the method."""

from nnexp.optim.gradient import SGD
from nnexp.optim.noise import GeneratorNoise, LegacyNoise, Noise, Stream
from nnexp.optim.perturb import RandomPerturbation
from nnexp.optim.protocol import Found, GradientMethod, Method, SearchMethod, State
from nnexp.optim.random_search import RandomSearch

__all__ = [
    "SGD",
    "Found",
    "GeneratorNoise",
    "GradientMethod",
    "LegacyNoise",
    "Method",
    "Noise",
    "RandomPerturbation",
    "RandomSearch",
    "SearchMethod",
    "State",
    "Stream",
]
