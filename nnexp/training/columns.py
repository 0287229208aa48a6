"""Columns of a run's rows, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, Any]


class Columns(dict[str, Array]):
    """Columns of equal length by name, which are attributes too: ``rows.loss`` is ``rows["loss"]``."""

    def __getattr__(self, name: str) -> Array:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no column {name}") from None

    def each(self, change: Callable[[Array], Array]) -> Self:
        """The same columns, each transformed by ``change``."""
        return type(self)((name, change(column)) for name, column in self.items())

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One or more tables with the same columns, concatenated."""
        return cls((name, np.concatenate([part[name] for part in parts])) for name in parts[0])
