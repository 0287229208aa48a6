"""Schedules of the learning rate, one a file."""

from nnexp.optim.schedules.chain import Chain
from nnexp.optim.schedules.constant import Constant
from nnexp.optim.schedules.cosine import Cosine
from nnexp.optim.schedules.exponential import Exponential
from nnexp.optim.schedules.inverse_time import InverseTime
from nnexp.optim.schedules.linear import Linear
from nnexp.optim.schedules.one_cycle import OneCycle
from nnexp.optim.schedules.schedule import Schedule, needing_total
from nnexp.optim.schedules.sequence import Sequence
from nnexp.optim.schedules.step import Step

__all__ = [
    "Chain",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseTime",
    "Linear",
    "OneCycle",
    "Schedule",
    "Sequence",
    "Step",
    "needing_total",
]
