"""Optimization methods, one a file: gradient methods follow rules, searches ask for candidates."""

from nnexp.optim.adagrad import AdaGrad
from nnexp.optim.adam import Adam
from nnexp.optim.adamw import AdamW
from nnexp.optim.at import At
from nnexp.optim.draws import Draws, Stream
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.lbfgs import LBFGS
from nnexp.optim.lion import Lion
from nnexp.optim.method import Method
from nnexp.optim.nadam import NAdam
from nnexp.optim.perturb import RandomPerturbation
from nnexp.optim.random_search import RandomSearch
from nnexp.optim.rmsprop import RMSProp
from nnexp.optim.rules import Bound, Rule, chain
from nnexp.optim.sam import SAM
from nnexp.optim.search_method import Found, SearchMethod, State
from nnexp.optim.sgd import SGD

__all__ = [
    "LBFGS",
    "SAM",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "At",
    "Bound",
    "Draws",
    "Found",
    "GradientMethod",
    "Lion",
    "Method",
    "NAdam",
    "RMSProp",
    "RandomPerturbation",
    "RandomSearch",
    "Rule",
    "SearchMethod",
    "State",
    "Stream",
    "chain",
]
