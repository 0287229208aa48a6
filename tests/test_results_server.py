"""Reading from an MLflow server: the same tables as from a file, histories downloaded once."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from required import REQUIRED
from servers import mlflow_server, postgresql

from nnexp import results
from nnexp.tracking.files import history_table, write
from nnexp.tracking.mlflow_store import Store
from nnexp.training import History
from nnexp.training.record import COLUMNS

RUNS, POINTS = 5, 5


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server's address and its database's URI: PostgreSQL's where it is, else a file."""
    place = tmp_path_factory.mktemp("server")
    there = importlib.util.find_spec("psycopg2") or "postgresql" in REQUIRED
    with ExitStack() as stack:
        database = f"sqlite:///{place / 'server.db'}"
        if there:
            database = stack.enter_context(postgresql())
        yield stack.enter_context(mlflow_server(place, database)).uri, database


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nnexp"


def history(seed: int) -> History:
    iteration = np.arange(POINTS)
    loss = np.random.default_rng(seed).uniform(size=POINTS)
    counts = iteration, 3 * iteration, 0.1 * iteration
    measured = loss, 1 - loss, loss + 1, 1 - loss, loss + 2, 1 - loss
    return History(zip(COLUMNS, (*counts, *measured), strict=True))


def test_runs_and_histories_of_a_server_and_its_database(places, cache, tmp_path):
    server, database = places
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
    runs_there = results.load_runs(database)
    pd.testing.assert_frame_equal(runs_there, runs)
    with pytest.raises(results.StoreError, match="its files are on a server; expected the server's http"):
        results.load_history(runs_there)
    for run_id in runs["run_id"]:
        store.client.delete_run(run_id)
    pd.testing.assert_frame_equal(results.load_history(runs), rows)
    assert results.load_runs(server).empty
    assert results.load_runs(server, filter="params.seed = '3'").empty
