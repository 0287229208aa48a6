"""The recorded network as an MLflow model: this file and its weights, NumPy alone, no pickled code.

MLflow copies the file beside the weights and runs it to load the model, so it imports nothing of nnexp.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import mlflow.models
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel

Array = np.ndarray[Any, Any]


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=0, keepdims=True))
    # Eight or more contiguous numbers are added pairwise, rows one after another.
    total = e.sum(axis=0, keepdims=True) if len(e) < 8 else np.ascontiguousarray(e.T).sum(axis=1)[None]
    return e / total


def _sigmoid(z: Array) -> Array:
    # 1 in float64 too from 40 on, so that no exp overflows.
    e = np.exp(np.minimum(z, z.dtype.type(40)))
    return e / (e + z.dtype.type(1))


OUTPUTS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "linear": lambda z: z,
    "softmax": _softmax,
}


class DenseNetwork(PythonModel):
    """``a = f(W a + b)`` layer by layer, for rows of inputs ``(N, F)``; gives rows of outputs ``(N, C)``."""

    def load_context(self, context: Any) -> None:
        """Load the weights (named arrays) and the network's specification."""
        with open(context.artifacts["network"], encoding="utf-8") as file:
            self.network = json.load(file)
        with np.load(context.artifacts["weights"], allow_pickle=False) as arrays:
            layers = range(len(self.network["sizes"]) - 1)
            self.layers = [(arrays[f"dense_{i}/weights"], arrays[f"dense_{i}/biases"]) for i in layers]

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Array:
        """Outputs ``(N, C)`` for a table or array ``(N, F)``."""
        rows = np.asarray(model_input, dtype=self.network["dtype"])
        last = len(self.layers) - 1
        a = np.ascontiguousarray(rows.T)
        for index, (weights, biases) in enumerate(self.layers):
            kind = self.network["output" if index == last else "activation"]
            a = OUTPUTS[kind](self._product(weights, biases, a))
        return np.ascontiguousarray(a.T)

    def _product(self, weights: Array, biases: Array, x: Array) -> Array:
        wide = self.network["accumulate"]
        if wide is None:
            # Bias and product in one call, as in training, so that results are rounded alike.
            block = np.concatenate([weights, biases[:, None]], axis=1)
            return block @ np.concatenate([x, np.ones_like(x[:1])])
        return (weights.astype(wide) @ x.astype(wide)).astype(x.dtype) + biases[:, None]


mlflow.models.set_model(DenseNetwork())
