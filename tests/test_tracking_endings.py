"""How runs end: whole, diverged, failed or killed, and what is left of them each time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import recorded
from memory_store import MemoryRun, MemoryStore
from recorded import group, settings

from nnexp.pictures import one_run as plots
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.recorder import flatten, record_run


class Trip:
    """A group that raises ``error`` once it has yielded ``after`` batches of rows."""

    def __init__(self, inner: Any, error: BaseException, after: int = 1) -> None:
        self.inner, self.error, self.after = inner, error, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def train(self, flush_seconds: float) -> Any:
        for number, rows in enumerate(self.inner.train(flush_seconds=0.0)):
            if number == self.after:
                raise self.error
            yield rows


def recorded_with(error: BaseException) -> MemoryRun:
    store = MemoryStore()
    config = settings(budget__iterations=5000)
    with pytest.raises(type(error)):
        record_run(store, Trip(group(config), error, after=3), config, "broken", {})
    return store.runs[0]


def test_an_error_is_a_failed_run_with_its_reason() -> None:
    run = recorded_with(RuntimeError("the first line\nthe second"))
    assert run.status == "FAILED"
    assert run.tags["nnexp.status"] == "failed"
    assert run.tags["nnexp.reason"] == "RuntimeError: the first line"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interruption_is_a_killed_run_with_its_rows(error: BaseException) -> None:
    run = recorded_with(error)
    assert run.status == "KILLED"
    steps = [step for step, _ in run.metrics["loss"]]
    assert steps == sorted(set(steps))
    assert len(steps) >= 3
    assert {"history.parquet", "weights.npz", "config.yaml"} <= set(run.artifacts)


class SlowStore(MemoryStore):
    """A store whose runs take rows only when ``answer`` returns."""

    def __init__(self, answer: Callable[[], None]) -> None:
        super().__init__()
        self.answer = answer

    def start(self, *arguments: Any, **named: Any) -> MemoryRun:
        run = super().start(*arguments, **named)
        record = run.record

        def slow(*arguments: Any, **named: Any) -> None:
            self.answer()
            record(*arguments, **named)

        run.record = slow  # type: ignore[method-assign]
        return run


def test_training_does_not_wait_for_a_store() -> None:
    trained = threading.Event()

    def answer() -> None:
        assert trained.wait(30), "the store was waited for"

    def on_rows(rows: Any) -> None:
        if len(rows.iteration) and rows.iteration[-1] == 5000:
            trained.set()

    store, config = SlowStore(answer), settings(budget__iterations=5000, tracking__flush_seconds=1e-9)
    assert record_run(store, group(config), config, "run", {}, on_rows=on_rows).status == "finished"
    steps = [step for step, _ in store.runs[0].metrics["loss"]]
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, 5000)


def test_rows_that_a_store_refused_are_sent_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([None, ConnectionError("500"), *[None] * 10**6])

    def answer() -> None:
        if error := next(answers):
            raise error

    store, config = SlowStore(answer), settings(budget__iterations=5000, tracking__flush_seconds=1e-9)
    made = group(config)
    assert record_run(store, made, config, "run", {}, place=tmp_path / "0.run").status == "finished"
    assert {step for step, _ in store.runs[0].metrics["loss"]} == set(made.runs[0].history.iteration.tolist())
    assert "a part of the run could not be sent (ConnectionError: 500)" in caplog.text


def test_an_interruption_while_figures_are_drawn_is_a_killed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plots, "learning_curves", interrupted)
    store, config = MemoryStore(), settings(tracking__figures=True)
    with pytest.raises(KeyboardInterrupt):
        record_run(store, group(config), config, "run", {})
    assert store.runs[0].status == "KILLED"
    assert "history.parquet" in store.runs[0].artifacts


def test_a_figure_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("no picture today")

    monkeypatch.setattr(plots, "learning_curves", broken)
    monkeypatch.setattr(MemoryRun, "log_model", broken)
    store, config = MemoryStore(), settings(tracking__figures=True, tracking__model=True)
    result = record_run(store, group(config), config, "run", {})
    run = store.runs[0]
    assert (run.status, result.status) == ("FINISHED", "finished")
    assert run.tags["nnexp.warning"] == (
        "figures: ZeroDivisionError: no picture today; model: ZeroDivisionError: no picture today"
    )


def test_divergence_is_a_status_and_only_finite_numbers_are_recorded() -> None:
    store = MemoryStore()
    config = settings("sgd", optimizer__learning_rate=1e30, tracking__figures=True)
    result = record_run(store, group(config), config, "run", {})
    run = store.runs[0]
    assert result.status == run.tags["nnexp.status"] == "diverged"
    assert "not finite" in run.tags["nnexp.reason"]
    assert all(np.isfinite(value) for points in run.metrics.values() for _, value in points)


def test_data_without_a_boundary_are_recorded_without_one() -> None:
    store = MemoryStore()
    config = settings(
        "sgd",
        tracking__figures=True,
        tracking__model=True,
        architecture__hidden=[],
        architecture__output="relu",
        loss__name="squared_error",
        optimizer__learning_rate=0.001,
        dataset={"name": "points", "inputs": [[1, -2, 3]], "targets": [[0]]},
    )
    record_run(store, group(config), config, "neuron", {})
    run = store.runs[0]
    assert "nnexp.warning" not in run.tags
    assert not run.images
    assert "figures/decision_boundary.png" not in run.artifacts
    assert "accuracy" not in run.metrics
    assert "nnexp.improvements" not in run.tags


def test_many_improvements_still_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings()
    made = group(config)
    found = [(number * 1000, 1.0) for number in range(3000)]
    monkeypatch.setattr(type(made.runs[0]), "improvements", property(lambda _: found))
    store = MemoryStore()
    record_run(store, made, config, "run", {})
    text = store.runs[0].tags["nnexp.improvements"]
    kept = json.loads(text)
    assert 4000 < len(text) <= 5000
    assert kept == [candidate for candidate, _ in found[: len(kept)]]
    assert store.runs[0].metrics["improvements"] == [(200, 3000)]


def test_params_are_the_whole_config_without_passwords() -> None:
    flat = flatten(settings(tracking__uri="http://me:secret@host:1"))
    assert flat["architecture.hidden"] == "[32, 32]"
    assert flat["loss.clip"] == "null"
    assert flat["optimizer.name"] == "perturb"
    assert flat["tracking.uri"] == "http://host:1"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_ends_a_real_run_as_killed_with_what_it_reached(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with subprocess.Popen(
        [sys.executable, recorded.__file__, uri], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "opened\n"
        while (line := process.stdout.readline()).strip() in ("", "0"):
            assert line, "the run ended by itself"
        reached = int(line)
        time.sleep(0.1)
        process.send_signal(number)
        process.communicate(timeout=90)
    assert process.returncode == code
    store = Store.open(uri, "nnexp")
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.status == "KILLED"
    assert run.data.tags["nnexp.status"] == "killed"
    frame = pd.read_parquet(store.client.download_artifacts(run.info.run_id, "history.parquet"))
    points = store.client.get_metric_history(run.info.run_id, "loss")
    assert len(points) == len(frame) >= reached > 0
    assert {point.step for point in points} == set(frame["iteration"])
    with np.load(store.client.download_artifacts(run.info.run_id, "weights.npz")) as snapshots:
        assert snapshots["iteration"][-1] == frame["iteration"].iloc[-1]
