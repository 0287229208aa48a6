"""The recorded network as an MLflow model: this file, its weights, and the packages of nnexp that compute it.

MLflow copies the file next to the weights and runs it to load the model. Nothing is pickled, and nnexp need not be
installed: the source that it needs, of nnexp and of other parts, is in the model's ``code.zip``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import mlflow.models
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel

Array = np.ndarray[Any, Any]


class NetworkModel(PythonModel):
    """Outputs of a trained network, computed as in training."""

    def load_context(self, context: Any) -> None:
        """Build the network and read its weights."""
        # As MLflow does with folders of code; a zip file is one file instead of fifty.
        sys.path.insert(0, str(context.artifacts["code"]))
        from nnexp.config.settings import load_part
        from nnexp.network.architecture import Architecture

        with open(context.artifacts["network"], encoding="utf-8") as file:
            said = json.load(file)
        architecture = load_part("architecture", said["architecture"], Architecture)
        self.network = architecture.network(
            said["features"], said["outputs"], said["dtype"], said["accumulate"]
        )
        with np.load(context.artifacts["weights"], allow_pickle=False) as arrays:
            self.theta = self.network.layout.join(dict(arrays), self.network.dtype)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Array:
        """Outputs ``(N, C)`` for inputs of F columns, whatever their names, or an array ``(N, F)``."""
        rows = np.asarray(model_input, dtype=self.network.dtype)
        return np.ascontiguousarray(self.network.forward(self.theta, np.ascontiguousarray(rows.T)).T)


mlflow.models.set_model(NetworkModel())
