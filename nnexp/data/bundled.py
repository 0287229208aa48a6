"""Small datasets that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, Literal

import numpy as np

from nnexp.config.settings import ConfigError, setting
from nnexp.data import shares
from nnexp.data.dataset import Dataset, Generators, Sizes, Split

Array = np.ndarray[Any, Any]

SPLIT = "shares of the samples for validation and test, the same in each class"
STANDARDISE = "scale inputs to mean 0 and standard deviation 1 of the training data; all: numeric targets too"


def scikit_learn(name: str) -> Any:
    """A function of ``sklearn.datasets``.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    try:
        # Importing it takes a second.
        return getattr(import_module("sklearn.datasets"), name)
    except ImportError as error:
        raise ConfigError(f"dataset: needs scikit-learn, which is not installed ({error})") from error


@cache
def _rows(loader: str) -> tuple[Array, Array]:
    data = scikit_learn(loader)()
    return data.data, data.target


@dataclass(frozen=True)
class Bundled(Dataset):
    """A dataset of scikit-learn.

    Attributes:
        loader: the function of scikit-learn.
        features: F of a sample, or its shape.
        counts: samples of each class; of all where targets are numbers.
        scale: what inputs are divided by.
    """

    split: dict[str, Any] = setting(shares.DEFAULT, SPLIT)
    standardise: bool | Literal["all"] = setting(True, STANDARDISE)

    loader: ClassVar[str]
    features: ClassVar[int | tuple[int, ...]]
    counts: ClassVar[tuple[int, ...]]
    scale: ClassVar[float] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        shares.checked(self.split)

    def sizes(self) -> Sizes:
        kinds, entries = len(self.counts), shares.checked(self.split)
        train, validation, test = shares.counts(entries, np.array(self.counts)).sum(axis=1).tolist()
        return Sizes(self.features, kinds, train, validation, test, kinds > 1)

    def load(self, draws: Generators, dtype: Any) -> Split:
        x, y = _rows(self.loader)
        classes = y if len(self.counts) > 1 else None
        if tuple([len(y)] if classes is None else np.bincount(y)) != self.counts:
            raise ConfigError(
                f"dataset={self.name}: the installed scikit-learn has other samples than nnexp expects"
            )
        whole = np.full(len(y), shares.SHARED)
        parts = shares.drawn(whole, shares.checked(self.split), classes, draws["split"])
        targets = y[:, None] if classes is None else y
        both = self.standardise == "all" and classes is None
        return shares.divided(x / self.scale, targets, parts, dtype, bool(self.standardise), both)


@dataclass(frozen=True)
class Digits(Bundled):
    """Handwritten digits, images of 8 x 8 pixels from 0 to 1 (Alpaydin and Kaynak, 1998)."""

    standardise: bool | Literal["all"] = setting(False, STANDARDISE)
    loader = "load_digits"
    features = (1, 8, 8)
    counts = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
    scale = 16


@dataclass(frozen=True)
class Iris(Bundled):
    """Four lengths of the flowers of three kinds of iris (Fisher, 1936)."""

    loader = "load_iris"
    features = 4
    counts = (50, 50, 50)


@dataclass(frozen=True)
class Wine(Bundled):
    """Chemical measurements of wines of three growers (Forina, 1991)."""

    loader = "load_wine"
    features = 13
    counts = (59, 71, 48)


@dataclass(frozen=True)
class BreastCancer(Bundled):
    """Measurements of cells, malignant (0) or benign (1) (Wolberg et al., 1995)."""

    loader = "load_breast_cancer"
    features = 30
    counts = (212, 357)


@dataclass(frozen=True)
class Diabetes(Bundled):
    """Measurements of patients, and a number for the progress of their diabetes after a year (Efron et al., 2004)."""

    standardise: bool | Literal["all"] = setting("all", STANDARDISE)
    loader = "load_diabetes"
    features = 10
    counts = (442,)
