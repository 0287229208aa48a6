"""A network as an MLflow model that loads without nnexp and without pickled code."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from nnexp.tracking.files import MODEL_SOURCE

Array = np.ndarray[Any, Any]


def log_model(
    client: MlflowClient, experiment_id: str, run_id: str, folder: Path, example: Array, name: str = "network"
) -> str:
    """Record the files of :func:`nnexp.tracking.files.model_files`; return the model's id.

    Inputs are F numeric columns by position, whatever their names, or an array ``(N, F)``; outputs are
    ``(N, C)``. MLflow's global settings are not changed.
    """
    record = client.create_logged_model(experiment_id, name, run_id, model_type="dense network")
    try:
        with tempfile.TemporaryDirectory() as place:
            target = Path(place) / "model"
            mlflow.pyfunc.save_model(
                str(target),
                mlflow_model=Model(
                    artifact_path=record.artifact_location,
                    model_uuid=record.model_id,
                    model_id=record.model_id,
                    run_id=run_id,
                ),
                python_model=str(Path(__file__).with_name("model_code.py")),
                artifacts={
                    "weights": str(folder / "final.npz"),
                    "network": str(folder / "network.json"),
                    "code": str(folder / MODEL_SOURCE),
                },
                signature=_signature(folder, example.shape[1]),
                input_example=np.asarray(example, np.float64),
                pip_requirements=[f"mlflow=={mlflow.__version__}", f"numpy=={np.__version__}"],
            )
            client.log_model_artifacts(record.model_id, str(target))
    except BaseException:
        client.finalize_logged_model(record.model_id, "FAILED")
        raise
    client.finalize_logged_model(record.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(record.model_id, step=0)])
    return str(record.model_id)


def _signature(folder: Path, features: int) -> ModelSignature:
    import json

    network = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    inputs = Schema([ColSpec(DataType.double) for _ in range(features)])
    outputs = Schema([TensorSpec(np.dtype(network["dtype"]), (-1, network["outputs"]))])
    return ModelSignature(inputs, outputs)
