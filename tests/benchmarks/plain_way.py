"""The plain way to run the same sweep: what a user of Hydra, NumPy and MLflow writes without nnexp.

A Hydra app under its basic launcher, the notebook's own loops (with the rounding of ``nnfs.init()``), SGD in
row-major NumPy, and MLflow's fluent calls, one value a call, at the points that nnexp sends by default. It
composes nnexp's own config files, so params and settings are the same, and leaves the same files.

    python tests/benchmarks/plain_way.py -m optimizer=random,perturb,sgd 'seed=range(0,3)'

``PLAIN_GROUPED=1`` sends what can be sent together: params, tags, the metrics of a step, the files.
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import hydra
import mlflow
import numpy as np
import pandas as pd
from notebook_reference import (
    ActivationReLU,
    ActivationSoftmax,
    CategoricalCrossEntropyLoss,
    DenseLayer,
    Draws,
    reference_data,
)
from omegaconf import DictConfig, OmegaConf

from nnexp.training.marks import log_spaced, marks

GROUPED = bool(os.environ.get("PLAIN_GROUPED"))
FEW_RUNS = 24
"""Up to so many jobs nnexp draws figures and logs models by default, and so does this."""


class Record:
    """What is logged while a network trains, at the same iterations as nnexp's."""

    def __init__(self, iterations: int, per_decade: int) -> None:
        self.sent = points(iterations, per_decade)
        self.kept = points(iterations, 30)
        self.rows: list[dict[str, float]] = []
        self.thetas: list[Any] = []
        self.begun = perf_counter()

    def __call__(self, iteration: int, values: dict[str, float], theta: list[Any]) -> None:
        """Keep a row and the weights; send the row where it is one of those to be sent."""
        values = values | {"seconds": perf_counter() - self.begun}
        self.rows.append({"iteration": iteration} | values)
        self.thetas.append(np.concatenate([part.ravel() for part in theta]))
        if iteration in self.sent:
            if GROUPED:
                mlflow.log_metrics(values, step=iteration)
            else:
                for name, value in values.items():
                    mlflow.log_metric(name, value, step=iteration)


def points(iterations: int, per_decade: int) -> set[int]:
    found = {iterations}
    for mark in marks(per_decade=per_decade):
        if mark > iterations:
            return found
        found.add(mark)
    return found


class Pair:
    """The notebook's two layers, and what it computes of them."""

    def __init__(self, hidden: int, classes: int, draws: Draws) -> None:
        self.dense_1, self.dense_2 = DenseLayer(2, hidden, draws), DenseLayer(hidden, classes, draws)
        self.activation_1, self.activation_2 = ActivationReLU(), ActivationSoftmax()
        self.loss_func = CategoricalCrossEntropyLoss()

    @property
    def theta(self) -> list[Any]:
        return [self.dense_1.weights, self.dense_1.biases, self.dense_2.weights, self.dense_2.biases]

    @theta.setter
    def theta(self, parts: list[Any]) -> None:
        self.dense_1.weights, self.dense_1.biases, self.dense_2.weights, self.dense_2.biases = parts

    def evaluate(self, x: Any, y: Any) -> tuple[float, float]:
        self.dense_1.forward(x)
        self.activation_1.forward(self.dense_1.output)
        self.dense_2.forward(self.activation_1.output)
        self.activation_2.forward(self.dense_2.output)
        loss = self.loss_func.calculate(self.activation_2.output, y)
        predictions = np.argmax(self.activation_2.output, axis=1)
        return float(loss), float(np.mean(predictions == y))


def search(pair: Pair, train: Any, test: Any, config: DictConfig, draws: Draws, record: Record) -> None:
    """The notebook's loop of random search or perturbation, with a row at each mark in place of ``print``."""
    scale, iterations = config.optimizer.scale, config.budget.iterations
    perturb = config.optimizer.name == "perturb"
    lowest, accuracy = pair.evaluate(*train)
    best = [part.copy() for part in pair.theta]

    def row(iteration: int) -> None:
        now, pair.theta = pair.theta, best
        val_loss, val_accuracy = pair.evaluate(*test)
        pair.theta = now
        values = {"loss": lowest, "accuracy": accuracy, "val_loss": val_loss, "val_accuracy": val_accuracy}
        record(iteration, values | {"evaluations": iteration + 1}, best)

    row(0)
    for iteration in range(1, iterations + 1):
        if perturb:
            for part in pair.theta:
                part += scale * draws.randn(*part.shape)
        else:
            pair.theta = [scale * draws.randn(*part.shape) for part in pair.theta]
        loss, found = pair.evaluate(*train)
        if loss < lowest:
            best = [part.copy() for part in pair.theta]
            lowest, accuracy = loss, found
        elif perturb:
            pair.theta = [part.copy() for part in best]
        if iteration in record.kept:
            row(iteration)


def descend(pair: Pair, train: Any, test: Any, config: DictConfig, record: Record) -> None:
    """Full-batch gradient descent as it is usually written: row-major, softmax with cross-entropy."""
    (x, y), rate = train, config.optimizer.learning_rate
    w1, b1, w2, b2 = (part.astype("float32") for part in (*pair.theta,))
    w1, w2 = w1.T.copy(), w2.T.copy()
    x, samples = x.astype("float32"), np.arange(len(y))
    for iteration in range(config.budget.iterations + 1):
        z1 = x @ w1 + b1
        a1 = np.maximum(0, z1)
        z2 = a1 @ w2 + b2
        exp = np.exp(z2 - z2.max(axis=1, keepdims=True))
        p = exp / exp.sum(axis=1, keepdims=True)
        loss = -np.log(np.clip(p[samples, y], 1e-7, 1 - 1e-7)).mean()
        accuracy = np.mean(p.argmax(axis=1) == y)
        if iteration in record.kept:
            theta = [w1.T, b1, w2.T, b2]
            pair.theta = theta
            val_loss, val_accuracy = pair.evaluate(*test)
            values = {"loss": float(loss), "accuracy": float(accuracy)}
            values |= {"val_loss": val_loss, "val_accuracy": val_accuracy, "evaluations": 3 * iteration}
            record(iteration, values, theta)
        dz2 = p.copy()
        dz2[samples, y] -= 1
        dz2 /= np.float32(len(y))
        dw2, db2 = a1.T @ dz2, dz2.sum(axis=0, keepdims=True)
        dz1 = (dz2 @ w2.T) * (z1 > 0)
        dw1, db1 = x.T @ dz1, dz1.sum(axis=0, keepdims=True)
        w1 -= rate * dw1
        b1 -= rate * db1
        w2 -= rate * dw2
        b2 -= rate * db2


def write_files(place: Path, config: DictConfig, pair: Pair, record: Record) -> None:
    table = pd.DataFrame(record.rows)
    chosen = log_spaced(table["iteration"].to_numpy(), config.tracking.snapshots)
    loss, thetas = table["loss"].to_numpy(), np.stack(record.thetas)
    names = ("dense_0/weights", "dense_0/biases", "dense_1/weights", "dense_1/biases")
    shapes = [part.shape for part in pair.theta]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    arrays = {
        "iteration": table["iteration"].to_numpy()[chosen],
        "theta": thetas[chosen],
        "loss": loss[chosen],
    }
    for name, theta in (("final", thetas[-1]), ("best", thetas[int(np.argmin(loss))])):
        parts = [part.reshape(shape) for part, shape in zip(np.split(theta, ends), shapes, strict=True)]
        arrays |= {f"{name}/{own}": part for own, part in zip(names, parts, strict=True)}
    layout = json.dumps(dict(zip(names, shapes, strict=True)))
    np.savez(place / "weights.npz", **arrays, layout=np.frombuffer(layout.encode(), np.uint8))
    table["improved"] = table["loss"].diff() < 0
    table.to_parquet(place / "history.parquet")
    (place / "config.yaml").write_text(OmegaConf.to_yaml(config))
    environment = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.platform(),
    }
    (place / "environment.json").write_text(json.dumps(environment))


def run(config: DictConfig, jobs: int) -> None:
    train = reference_data(config.dataset.samples, config.dataset.classes, config.seed)
    test = reference_data(config.dataset.test_samples, config.dataset.classes, config.seed + 2**20)
    draws = Draws(config.seed)
    pair = Pair(config.architecture.hidden[0], config.dataset.classes, draws)
    flat = pd.json_normalize(OmegaConf.to_container(config, resolve=True)).iloc[0].to_dict()
    tags = {
        "method": config.optimizer.name, "status": "finished", "sweep": str(os.getppid()), "kind": "run",
        "python": platform.python_version(), "numpy": np.__version__, "mlflow": mlflow.__version__,
        "version": "1", "threads": "1", "blas": "openblas", "git_commit": "0" * 40, "git_dirty": "false",
    }  # fmt: skip
    with mlflow.start_run(run_name=f"{config.optimizer.name}, seed {config.seed}"):
        if GROUPED:
            mlflow.log_params(flat)
            mlflow.set_tags(tags)
        else:
            for name, value in flat.items():
                mlflow.log_param(name, value)
            for name, value in tags.items():
                mlflow.set_tag(name, value)
        mlflow.log_input(mlflow.data.from_numpy(train[0], targets=train[1], name="spiral"), "training")
        record = Record(config.budget.iterations, per_decade(config.tracking.points, jobs))
        if config.optimizer.name == "sgd":
            descend(pair, train, test, config, record)
        else:
            search(pair, train, test, config, draws, record)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            write_files(place, config, pair, record)
            if wanted(config.tracking.figures, jobs):
                import plain_pictures

                plain_pictures.write(place / "figures", pair, train, record)
            if GROUPED:
                mlflow.log_artifacts(folder)
            else:
                for file in filter(Path.is_file, place.rglob("*")):
                    parent = file.relative_to(place).parent.as_posix()
                    mlflow.log_artifact(str(file), None if parent == "." else parent)
        if wanted(config.tracking.model, jobs):
            mlflow.pyfunc.log_model(name="network", python_model=Model(pickle.dumps(pair)))


def per_decade(setting: int | str, jobs: int) -> int:
    return (10 if jobs <= FEW_RUNS else 5) if setting == "auto" else setting


def wanted(setting: bool | str, jobs: int) -> bool:
    return setting is True or (setting == "auto" and jobs <= FEW_RUNS)


class Model(mlflow.pyfunc.PythonModel):
    """The network as the usual pickled model."""

    def __init__(self, pair: bytes) -> None:
        self.pair = pair

    def predict(self, context, model_input):
        pair = pickle.loads(self.pair)
        pair.evaluate(np.asarray(model_input), np.zeros(len(model_input), int))
        return pair.activation_2.output


@hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="config")
def main(config: DictConfig) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{Path('runs').absolute()}/mlflow.db")
    mlflow.set_experiment("nnexp")
    run(config, int(os.environ["PLAIN_JOBS"]))


if __name__ == "__main__":
    Path("runs").mkdir(exist_ok=True)
    os.environ.setdefault("PLAIN_JOBS", "1")
    # nnexp's config asks for its own launcher and sweeper.
    sys.argv += ["hydra/launcher=basic", "hydra/sweeper=basic"]
    main()
