"""Metrics, one a file, which measure outputs in addition to the loss."""

from nnexp.losses.metrics.accuracy import Accuracy
from nnexp.losses.metrics.auroc import AUROC
from nnexp.losses.metrics.balanced_accuracy import BalancedAccuracy
from nnexp.losses.metrics.classes import ClassMetric, confusion
from nnexp.losses.metrics.f1 import F1
from nnexp.losses.metrics.metric import Metric
from nnexp.losses.metrics.r2 import R2
from nnexp.losses.metrics.rmse import RMSE

__all__ = [
    "AUROC",
    "F1",
    "R2",
    "RMSE",
    "Accuracy",
    "BalancedAccuracy",
    "ClassMetric",
    "Metric",
    "confusion",
]
