"""Outcomes of jobs in a real store whose calls fail now and then."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mlflow.exceptions import MlflowException

from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.recording.spool import Spool, journal_entry
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Live
from nnexp.tracking import journal
from nnexp.tracking.deliver import Delivery
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
    """A short run that has ended, in a journal, and where it is to be recorded."""

    made: Outcome
    folder: Path
    store: Store


def short(tmp_path: Path, *more: str) -> Short:
    (config,) = compose([["optimizer=sgd", "budget.iterations=50", "tracking=lean", *more]])
    (run,) = train(config, config.tracking.log_every, config.tracking.snapshots)
    spool = Spool(tmp_path / "spool")
    spool.make()
    job = Trial(0, config, [], tmp_path / "0" / "run.log", "code")
    ended = outcome(run, config, environment() | {"git": None}, 1, 2)
    spool.keep(journal_entry(job, {journal.ENTRY: "token"}, 1, ended))
    store = Store.open(f"sqlite:///{tmp_path}/mlflow.db", "nnexp")
    return Short(ended, spool.journal, store)


def delivered(case: Short) -> list[tuple[str, dict[str, str]]]:
    """What is told while a journal is delivered, tried again as long as it must be."""
    told: list[tuple[str, dict[str, str]]] = []
    delivery = Delivery(case.folder, lambda *_: case.store, lambda what, **said: told.append((what, said)))
    for _ in range(9):
        with suppress(OSError, MlflowException):
            delivery.look()
            break
    delivery.close()
    return told


@pytest.mark.parametrize("name", ["create_run", "log_batch", "set_terminated"])
def test_what_is_recorded_again_is_whole(name: str, tmp_path: Path) -> None:
    case = short(tmp_path)
    case.store.client = Failing(case.store.client, name, 2)  # type: ignore[assignment]
    assert [what for what, _ in delivered(case)] == ["recorded"]
    whole(tmp_path, case.store)
    assert not case.folder.exists()


def whole(tmp_path: Path, store: Store) -> None:
    """The store has one run, with all that the short run left."""
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["budget.iterations"] == "50"
    steps = [point.step for point in store.client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(steps) == [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50]
    assert (tmp_path / "artifacts" / run.info.run_id / "artifacts" / "history.parquet").is_file()


@pytest.mark.parametrize("name", ["log_batch", "set_terminated"])
def test_what_cannot_be_recorded_is_kept_and_said(name: str, tmp_path: Path) -> None:
    case = short(tmp_path)
    good = case.store.client
    case.store.client = Failing(good, name, 99)  # type: ignore[assignment]
    (told,) = delivered(case)
    assert told == ("kept", {"name": "000000", "why": "OSError: the store is away"})
    assert [file.name for file in journal.left(case.folder)] == ["000000.run"]
    case.store.client = good
    assert [what for what, _ in delivered(case)] == ["recorded"]
    whole(tmp_path, case.store)


class Gone(BaseException):
    """Stands for a process that is killed."""


@pytest.mark.parametrize(
    "last", ["create_run", "log_batch", "log_inputs", "log_image", "log_outputs", "set_terminated"]
)
def test_what_another_process_began_is_gone_on_with(last: str, tmp_path: Path) -> None:
    case = short(tmp_path, "tracking.figures=true", "tracking.model=true")
    store = case.store
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
    with pytest.raises(Gone):
        delivered(case)
    store.client = good
    delivered(case)
    (run,) = store.client.search_runs([store.experiment_id])
    assert len(run.inputs.dataset_inputs) == 1
    assert len(run.outputs.model_outputs) == 1
    names = [file.path for file in store.client.list_artifacts(run.info.run_id, "images")]
    assert len(names) == 2 * len(case.made.images)
    whole(tmp_path, store)
    assert not case.folder.exists()


def test_word_of_a_group_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """A reader that looks again and again while it is written sees the old or the new one."""
    spool, over = Spool(tmp_path / "spool"), threading.Event()
    spool.make()
    live = Live("sgd", 18, 0, 10, None, 0.5)

    def tell() -> None:
        for _ in range(500):
            spool.tell(0, live)
        over.set()

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        while not over.is_set():
            assert spool.told() in ([], [live])
    finally:
        thread.join()
    assert spool.told() == [live]
