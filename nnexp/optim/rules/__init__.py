"""Update rules, one family a file: transformations of a gradient before it is subtracted from theta. They chain."""

from nnexp.optim.rules.adagrad import adagrad
from nnexp.optim.rules.adam import adam, nadam
from nnexp.optim.rules.clip import clip_by_norm, clip_by_value
from nnexp.optim.rules.decay import decay, l1
from nnexp.optim.rules.lbfgs import lbfgs
from nnexp.optim.rules.lion import lion
from nnexp.optim.rules.rmsprop import rmsprop
from nnexp.optim.rules.rule import Bound, Rule, chain
from nnexp.optim.rules.trace import trace

__all__ = [
    "Bound",
    "Rule",
    "adagrad",
    "adam",
    "chain",
    "clip_by_norm",
    "clip_by_value",
    "decay",
    "l1",
    "lbfgs",
    "lion",
    "nadam",
    "rmsprop",
    "trace",
]
