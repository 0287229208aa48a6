"""Reading from an MLflow server: the same tables as from a file, histories downloaded once."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import surroundings

from nnexp import results
from nnexp.session import History
from nnexp.tracking.files import history_table, write
from nnexp.tracking.mlflow_store import Store

RUNS, POINTS = 5, 5


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("server")
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{place / 'server.db'}", "--workers", "1"]
    command += ["--serve-artifacts", "--artifacts-destination", str(place / "files")]
    with open(place / "log", "w") as log:
        running = subprocess.Popen(
            command, env=surroundings(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1).close()
                break
            except OSError:
                assert running.poll() is None, (place / "log").read_text()
                time.sleep(0.1)
        yield address
    finally:
        running.terminate()
        running.wait(30)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nnexp"


def history(seed: int) -> History:
    iteration = np.arange(POINTS)
    loss = np.random.default_rng(seed).uniform(size=POINTS)
    return History(iteration, 3 * iteration, 0.1 * iteration, loss, 1 - loss, loss + 1, 1 - loss)


def test_runs_and_histories_of_a_server(server, cache, tmp_path):
    store = Store.open(server, "nnexp")
    for seed in range(RUNS):
        run = store.start(f"sgd-{seed}", {"seed": str(seed), "optimizer.name": "sgd"}, {"nnexp.kind": "run"})
        run.record(rows=history(seed))
        write(tmp_path / str(seed), {"history.parquet": history_table(history(seed))} if seed else {})
        if seed:
            run.log_artifacts(tmp_path / str(seed))
        run.finish("FINISHED", {"nnexp.status": "finished"})
    runs = results.load_runs(server)
    assert runs["seed"].tolist() == list(range(RUNS))
    assert all(uri.startswith("mlflow-artifacts:") for uri in runs["artifact_uri"])
    rows = results.load_history(runs)
    expected = np.concatenate([history(seed).loss for seed in range(RUNS)])
    np.testing.assert_allclose(rows["loss"], expected)
    assert len(list(cache.glob("*.parquet"))) == 2
    again = results.load_runs(server)
    pd.testing.assert_frame_equal(again, runs)
    for run_id in runs["run_id"]:
        store.client.delete_run(run_id)
    pd.testing.assert_frame_equal(results.load_history(runs), rows)
    assert results.load_runs(server).empty
    assert results.load_runs(server, filter="params.seed = '3'").empty
