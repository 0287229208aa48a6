"""Outcomes of jobs in a real store whose calls fail now and then."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.recording import recording
from nnexp.sweep.recording.recording import Home, Recording
from nnexp.sweep.recording.spool import Spool, journal_entry
from nnexp.sweep.trial import Trial
from nnexp.tracking.environment import environment
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.outcome import Outcome, outcome
from nnexp.training import train


class Failing:
    """A client of MLflow's, one of whose calls fails the first ``times`` times."""

    def __init__(self, client: Any, name: str, times: int) -> None:
        self._client, self._name, self._times = client, name, times

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._times:
            self._times -= 1
            raise OSError("the store is away")
        return getattr(self._client, name)


class Short(NamedTuple):
    """A short run that has ended, and where it is to be recorded."""

    job: Trial
    made: Outcome
    spool: Spool
    store: Store


def short(tmp_path: Path, *more: str) -> Short:
    (config,) = compose([["optimizer=sgd", "budget.iterations=50", "tracking=lean", *more]])
    (run,) = train(config, config.tracking.log_every, config.tracking.snapshots)
    spool = Spool(tmp_path / "spool")
    spool.make()
    job = Trial(0, config, [], tmp_path / "0" / "run.log", "code")
    ended = outcome(run, config, environment() | {"git": None}, 1, 2)
    made = spool.keep(journal_entry(job, {}, 1, ended))
    store = Store.open(f"sqlite:///{tmp_path}/mlflow.db", "nnexp")
    return Short(job, made, spool, store)


def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> Any:
    """The store, and the result of a short run."""
    monkeypatch.setattr(recording, "PAUSES", (0.0, 0.0))
    job, made, spool, store = short(tmp_path)
    store.client = Failing(store.client, name, times)  # type: ignore[assignment]
    with Recording({0: job}, lambda _: Home(store, None), {}, spool, 1) as recorded:
        return store, recorded.take(job, made)


@pytest.mark.parametrize("name", ["create_run", "log_batch", "set_terminated"])
def test_what_is_recorded_again_is_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, result = taken(tmp_path, monkeypatch, name, 2)
    assert result.status == "finished"
    whole(tmp_path, store)


def whole(tmp_path: Path, store: Store) -> None:
    """The store has one run, with all that the short run left."""
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["budget.iterations"] == "50"
    steps = [point.step for point in store.client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(steps) == [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50]
    assert (tmp_path / "artifacts" / run.info.run_id / "artifacts" / "history.parquet").is_file()


@pytest.mark.parametrize(
    ("name", "place"), [("log_batch", "unrecorded/000000"), ("set_terminated", "artifacts")]
)
def test_what_cannot_be_recorded_is_kept_and_said(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = taken(tmp_path, monkeypatch, name, 99)
    assert result.status == "failed"
    assert result.reason.startswith("not recorded (OSError: the store is away); its files are in ")
    assert place in result.reason
    assert len(list((tmp_path / place).rglob("history.parquet"))) == 1


class Gone(BaseException):
    """Stands for a process that is killed."""


@pytest.mark.parametrize(
    "last", ["create_run", "log_batch", "log_inputs", "log_image", "log_outputs", "set_terminated"]
)
def test_what_another_process_began_is_gone_on_with(last: str, tmp_path: Path) -> None:
    job, made, spool, store = short(tmp_path, "tracking.figures=true", "tracking.model=true")
    good = store.client

    class Client:
        """Gone once it has made the last call."""

        def __getattr__(self, name: str) -> Any:
            def call(*arguments: Any, **settings: Any) -> Any:
                value = getattr(good, name)(*arguments, **settings)
                if name == last:
                    raise Gone
                return value

            return call

    store.client = Client()  # type: ignore[assignment]
    first = Recording({0: job}, lambda _: Home(store, None), {}, spool, 1)
    with pytest.raises(Gone):
        first.take(job, made)
    store.client = good
    with Recording({0: job}, lambda _: Home(store, None), {}, spool, 1) as recorded:
        recorded.adopt(store.client.search_runs([store.experiment_id]))
        result = recorded.take(job, made)
    assert result.status == "finished"
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.run_id == result.run_id
    assert len(run.inputs.dataset_inputs) == 1
    assert len(run.outputs.model_outputs) == 1
    names = [file.path for file in store.client.list_artifacts(run.info.run_id, "images")]
    assert len(names) == 2 * len(made.images)
    whole(tmp_path, store)


def test_what_another_process_began_and_nobody_takes_ends_as_killed(tmp_path: Path) -> None:
    job, _, spool, store = short(tmp_path)
    store.start("left", {}, {"nnexp.job": "0"})
    with Recording({0: job}, lambda _: Home(store, None), {}, spool, 1) as recorded:
        recorded.adopt(store.client.search_runs([store.experiment_id]))
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.status == "KILLED"
