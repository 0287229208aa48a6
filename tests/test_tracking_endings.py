"""What an outcome records: divergence, warnings, pictures, numbers and params."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from memory_store import MemoryRun, MemoryStore
from recorded import group, record_run, settings

from nnexp.pictures import one_run as plots
from nnexp.tracking.plain import flatten


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
