"""A dataset of given points."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import ConfigError, setting
from nnexp.data.dataset import LARGEST, Data, Dataset, Generators, Sizes, Split, frozen

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Points(Dataset):
    """Given points with numbers as targets, all for training."""

    inputs: list[Any] | None = setting(None, "a list of features for each sample")
    targets: list[Any] | None = setting(None, "a list of outputs for each sample")

    def sizes(self) -> Sizes:
        x, y = self._tables()
        one_hot = y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        return Sizes(x.shape[1], y.shape[1], len(x), classes=bool(one_hot))

    def load(self, draws: Generators, dtype: Any) -> Split:
        x, y = self._tables()
        return Split(frozen(x.T, y.T, dtype))

    def digest(self) -> str:
        return hashlib.sha256(json.dumps([self.inputs, self.targets]).encode()).hexdigest()[:16]

    def _tables(self) -> tuple[Array, Array]:
        if self.inputs is None or self.targets is None:
            raise ConfigError("dataset.inputs, dataset.targets: expected both with dataset=points")
        try:
            x, y = np.asarray(self.inputs, np.float64), np.asarray(self.targets, np.float64)
        except ValueError:
            raise ConfigError("dataset.inputs, dataset.targets: expected rows of equal length") from None
        for name, values in (("inputs", x), ("targets", y)):
            if values.size and np.abs(values).max() > LARGEST:
                raise ConfigError(f"dataset.{name}: expected numbers of at most {LARGEST:.0e}")
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
            raise ConfigError(
                f"dataset.inputs {x.shape}, dataset.targets {y.shape}: expected two tables with the same number of rows"
            )
        return x, y


def points(inputs: Any, targets: Any, dtype: Any = np.float32) -> Data:
    """Given ``inputs`` (N rows of F numbers) with numeric ``targets`` (N rows of C numbers) as :class:`Data`.

    Raises:
        ConfigError: rows of unequal length, or different numbers of inputs and targets.
    """
    x, y = (
        np.asarray(values).tolist() if isinstance(values, np.ndarray) else values
        for values in (inputs, targets)
    )
    return Points(inputs=x, targets=y).load({}, dtype).train
