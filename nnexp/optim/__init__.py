"""Optimization methods, one a file: gradient methods follow rules, searches ask for candidates."""

from nnexp.optim.at import At
from nnexp.optim.draws import Draws, Stream
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.method import Method
from nnexp.optim.perturb import RandomPerturbation
from nnexp.optim.random_search import RandomSearch
from nnexp.optim.rules import Bound, Rule, chain
from nnexp.optim.search_method import Found, SearchMethod, State
from nnexp.optim.sgd import SGD

__all__ = [
    "SGD",
    "At",
    "Bound",
    "Draws",
    "Found",
    "GradientMethod",
    "Method",
    "RandomPerturbation",
    "RandomSearch",
    "Rule",
    "SearchMethod",
    "State",
    "Stream",
    "chain",
]
