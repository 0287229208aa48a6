"""Memory: buffers that workspaces share, and tiles that fit in cache."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TILE_BYTES = 1 << 19
"""Hidden activations of the networks that are computed together; chosen by measurement with 1 MB of L2 cache."""


class Memory:
    """Flat arrays by name, shared by workspaces that are used in turns. Ask for the largest first."""

    def __init__(self) -> None:
        self._flat: dict[Any, Array] = {}

    def take(self, name: Any, shape: tuple[int, ...], dtype: Any) -> Array:
        """An uninitialized contiguous array of ``shape``."""
        size = prod(shape)
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size, dtype)
        return self._flat[name][:size].reshape(shape)


def tiles(lead: tuple[int, ...], each: int) -> list[Any]:
    """Indices of an array ``(*lead, ...)``: slices of its first axis; ``each`` is how many bytes a network takes.

    >>> tiles((5,), TILE_BYTES // 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if not lead:
        return [...]
    size = max(1, TILE_BYTES // max(each * prod(lead[1:]), 1))
    return [slice(start, min(start + size, lead[0])) for start in range(0, lead[0], size)]
