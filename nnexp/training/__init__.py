"""Training: runs alone and in groups, their rows and their records."""

from nnexp.training.budget import Budget
from nnexp.training.group import Group, train
from nnexp.training.prepare import prepare
from nnexp.training.problem import Problem
from nnexp.training.record import History, Snapshots
from nnexp.training.run import Run
from nnexp.training.run_settings import RunSettings, Seeds

__all__ = [
    "Budget",
    "Group",
    "History",
    "Problem",
    "Run",
    "RunSettings",
    "Seeds",
    "Snapshots",
    "prepare",
    "train",
]
