"""Numbers that change with each update, such as a learning rate, computed for many updates in advance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnexp.optim.at import At

Array = np.ndarray[Any, Any]

AHEAD = 256
"""Updates whose numbers are computed at once."""

Formula = Callable[[Array], Sequence[Any]]
"""One run's K numbers, each a scalar or ``(T,)`` in float64, after ``t (T,)`` updates."""


class Table:
    """A call that writes the numbers of the next update into columns, which other calls read.

    Each run's numbers are computed separately, in blocks that begin at multiples of :data:`AHEAD`: they are equal, bit
    for bit, in any group, and when other runs leave it.

    Args:
        formulas: one for each run, all with the same K.

    Attributes:
        columns: K arrays ``(R, 1)`` of theta's dtype.
    """

    def __init__(self, at: At, formulas: Sequence[Formula]) -> None:
        self._count, self._dtype, self._formulas = at.count, at.theta.dtype, formulas
        width = len(formulas[0](np.zeros(1)))
        self._columns = np.empty((width, len(formulas), 1), self._dtype)
        self.columns: list[Array] = list(self._columns)
        self._first, self._rows = -1, list[Array]()

    def __call__(self) -> None:
        first, row = divmod(self._count.item(), AHEAD)
        if first != self._first:
            self._fill(first)
        np.copyto(self._columns, self._rows[row])

    def _fill(self, first: int) -> None:
        t = np.arange(first * AHEAD, (first + 1) * AHEAD, dtype=np.float64)
        table = np.empty((AHEAD, *self._columns.shape), self._dtype)
        for run, formula in enumerate(self._formulas):
            for number, values in enumerate(formula(t)):
                table[:, number, run, 0] = values
        self._first, self._rows = first, list(table)
