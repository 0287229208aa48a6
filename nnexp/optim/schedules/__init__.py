"""Schedules of the learning rate, one a file."""

from nnexp.optim.schedules.constant import Constant
from nnexp.optim.schedules.schedule import Schedule

__all__ = ["Constant", "Schedule"]
