"""The notebook's data: drawn as ``nnfs.init()`` draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.data.dataset import Data, frozen
from nnexp.data.generated import Generated

Array = np.ndarray[Any, Any]


def notebook_data(dataset: Generated, seed: int = 0, dtype: Any = np.float32) -> Data:
    """The training points of nnfs' function after ``nnfs.init()`` with ``seed``.

    ``nnfs.init()`` rounds normal draws to float32. It is imitated, not called, because it replaces NumPy's
    functions for the whole process.
    """
    state = np.random.RandomState(seed)
    x, y = dataset.draw(
        dataset.samples, lambda *n: np.asarray(state.randn(*n)).astype(np.float32), np.float32
    )
    return frozen(x.T, y.astype(np.int64), dtype)
