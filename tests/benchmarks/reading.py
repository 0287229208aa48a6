"""Reading 1,000 runs of 100 points: this package against MLflow's own calls, in processes of their own.

    python tests/benchmarks/reading.py [FOLDER] [--runs 1000]

The store is made in FOLDER (a temporary one by default) and used again if it is there. MLflow's way is
``mlflow.search_runs`` and one ``get_metric_history`` a run and metric, for the same six metrics; a second line
gives it one metric alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POINTS = 100
MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")
METRICS = ("evaluations", "seconds", *MEASURES)
WAYS = ("mlflow", "mlflow, loss alone", "nnexp, no index", "nnexp, index")


def make(folder: Path, runs: int) -> str:
    """A store of ``runs`` runs as nnexp records them; their numbers are made up."""
    import numpy as np
    from mlflow.entities import Metric, Param, RunTag

    from nnexp.config.schema import Config
    from nnexp.optim import SGD, RandomPerturbation, RandomSearch
    from nnexp.tracking.files import history_table, write
    from nnexp.tracking.mlflow_store import Store
    from nnexp.tracking.plain import flatten
    from nnexp.training import Budget, History

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    if (folder / "mlflow.db").exists():
        return uri
    store = Store.open(uri, "nnexp")
    rng = np.random.default_rng(0)
    iteration = np.unique(np.geomspace(1, 10_000, 130).astype(int))[:POINTS]
    for number in range(runs):
        optimizer = (RandomSearch(), RandomPerturbation(), SGD())[number % 3]
        config = Config(seed=number // 3, optimizer=optimizer, budget=Budget(iterations=10_000))
        tags = {"nnexp.method": optimizer.name, "nnexp.kind": "run", "nnexp.sweep_id": "bench"}
        start = 1_700_000_000_000 + number
        info = store.client.create_run(store.experiment_id, start, tags, f"run-{number}").info
        loss = 1.1 * np.exp(-np.linspace(0, 2, POINTS)) + rng.normal(0, 0.01, POINTS)
        held_out = (loss + 0.1, 0.9 - loss / 2)
        columns = (iteration, iteration * 3, iteration * 1e-4, loss, 1 - loss / 2, *held_out, *held_out)
        names = ("iteration", "evaluations", "seconds", *METRICS[2:])
        history = History(**dict(zip(names, columns, strict=True)))
        store.client.log_batch(
            info.run_id,
            metrics=[
                Metric(name, float(value), start + at, int(iteration[at]))
                for name in METRICS
                for at, value in enumerate(history[name])
            ],
            params=[Param(name, text) for name, text in flatten(config).items()],
            tags=[RunTag("nnexp.status", "finished")],
        )
        place = Path(info.artifact_uri.removeprefix("file://"))
        write(place, {"history.parquet": history_table(history)})
        store.client.set_terminated(info.run_id, "FINISHED", start + 1000)
    return uri


def read(way: str, uri: str) -> dict[str, float]:
    """Seconds, MB and rows of one way, in this process; imports are not counted."""
    import mlflow
    import pandas as pd

    from nnexp.results import load_history, load_runs

    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(uri)
    client.get_experiment_by_name("nnexp")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if way.startswith("nnexp"):
        runs = load_runs(uri)
        history = load_history(runs)
    else:
        runs = mlflow.search_runs(experiment_names=["nnexp"], max_results=100_000)
        names = METRICS if way == "mlflow" else ("loss",)
        history = pd.DataFrame(
            [
                (run_id, name, metric.step, metric.value)
                for run_id in runs["run_id"]
                for name in names
                for metric in client.get_metric_history(run_id, name)
            ]
        )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "peak": peak / 1024, "more": (peak - before) / 1024, "rows": len(history)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(read(given.way, f"sqlite:///{Path(given.folder) / 'mlflow.db'}")))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.folder or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        make(folder, given.runs)
        print(f"store of {given.runs} runs x {POINTS} points: {time.perf_counter() - start:.1f} s")
        for kept in (folder / "index").glob("*"):
            kept.unlink()
        measured = {}
        for way in WAYS:
            done = subprocess.run(
                [sys.executable, __file__, str(folder), "--way", way],
                capture_output=True,
                text=True,
                check=True,
                cwd=ROOT,
            )
            measured[way] = json.loads(done.stdout.splitlines()[-1])
        whole = measured["mlflow"]["seconds"]
        print(f"{'':20} {'seconds':>9} {'peak MB':>9} {'above start':>12} {'rows':>9} {'ratio':>7}")
        for way, row in measured.items():
            print(
                f"{way:20} {row['seconds']:9.2f} {row['peak']:9.0f} {row['more']:12.0f} {row['rows']:9.0f} "
                f"{whole / row['seconds']:7.1f}"
            )


if __name__ == "__main__":
    main()
