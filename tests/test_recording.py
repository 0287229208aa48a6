"""Outcomes of jobs in a real store whose calls fail now and then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnexp.cli.jobs import compose
from nnexp.session import Session, prepare
from nnexp.sweep import recording
from nnexp.sweep.recording import Home, Recording
from nnexp.sweep.spool import Spool
from nnexp.sweep.trial import Trial
from nnexp.tracking.environment import environment
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.outcome import outcome


class Failing:
    """A client of MLflow's, one of whose calls fails the first ``times`` times."""

    def __init__(self, client: Any, name: str, times: int) -> None:
        self._client, self._name, self._times = client, name, times

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._times:
            self._times -= 1
            raise OSError("the store is away")
        return getattr(self._client, name)


def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> Any:
    """The store, the result of a short run, and how many rows it has."""
    monkeypatch.setattr(recording, "PAUSES", (0.0, 0.0))
    (config,) = compose([["optimizer=sgd", "budget.iterations=50", "tracking=lean"]])
    session = Session(prepare(config))
    assert list(session.run())
    spool = Spool(tmp_path / "spool")
    spool.make()
    made = spool.keep(0, outcome(session, config, environment() | {"git": None}, 1, 2))
    store = Store.open(f"sqlite:///{tmp_path}/mlflow.db", "nnexp")
    store.client = Failing(store.client, name, times)  # type: ignore[assignment]
    job = Trial(0, config, [], tmp_path / "0" / "run.log")
    with Recording({0: job}, lambda _: Home(store, None), {}, spool, 1) as recorded:
        return store, recorded.take(job, made)


@pytest.mark.parametrize("name", ["create_run", "log_batch", "set_terminated"])
def test_what_is_recorded_again_is_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, result = taken(tmp_path, monkeypatch, name, 2)
    assert result.status == "finished"
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["budget.iterations"] == "50"
    steps = [point.step for point in store.client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(steps) == [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50]
    assert (tmp_path / "artifacts" / run.info.run_id / "artifacts" / "history.parquet").is_file()


@pytest.mark.parametrize(("name", "place"), [("log_batch", "0/unrecorded"), ("set_terminated", "artifacts")])
def test_what_cannot_be_recorded_is_kept_and_said(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = taken(tmp_path, monkeypatch, name, 99)
    assert result.status == "failed"
    assert result.reason.startswith("not recorded (OSError: the store is away); its files are in ")
    assert place in result.reason
    assert len(list((tmp_path / place).rglob("history.parquet"))) == 1
