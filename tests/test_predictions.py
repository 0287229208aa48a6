"""Pictures of what a network predicts where a plane cannot show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import record_run

from nnexp.config.schema import Config, Tracking
from nnexp.data import Digits, Sine, Wine
from nnexp.losses import SquaredError
from nnexp.losses.metrics import confusion
from nnexp.losses.targets import target
from nnexp.network import MLP, Linear
from nnexp.optim import SGD, Adam
from nnexp.pictures.predictions import predictions
from nnexp.report.insight import insights
from nnexp.report.material import load_material
from nnexp.testing import SMALL
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.pictures import figures
from nnexp.training import Budget, Group, train

SHORT = replace(SMALL, budget=Budget(iterations=5))
NUMBERS = replace(
    SHORT, dataset=Sine(samples=20), loss=SquaredError(), architecture=MLP(hidden=[3], output=Linear())
)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (replace(SHORT, dataset=Digits()), ["confusion_matrix", "sample_images", "first_filters"]),
        (replace(SHORT, dataset=Wine()), ["confusion_matrix"]),
        (replace(NUMBERS, optimizer=SGD(0.01)), ["predictions"]),
    ],
)  # fmt: skip
def test_data_without_a_boundary_have_pictures_of_their_own(settings: Any, names: list[str]) -> None:
    (run,) = train(settings)
    assert list(predictions(run.prepared.problem, run.final_theta)) == names
    drawn = {name.removeprefix("figures/").removesuffix(".png") for name in figures(run, "sgd")}
    assert drawn == {"learning_curves", "weight_histograms", *names}


def test_the_matrix_and_the_samples_say_what_the_network_does_with_test_data() -> None:
    (run,) = train(replace(SHORT, dataset=Digits()))
    problem = run.prepared.problem
    drawn = predictions(problem, run.final_theta)
    outputs = problem.network.forward(run.final_theta, problem.test.x)
    counts = confusion(outputs, target(problem.test.y, 10, "float32"))
    matrix = drawn["confusion_matrix"].axes[0]
    written = {
        (round(t.get_position()[1]), round(t.get_position()[0])): int(t.get_text()) for t in matrix.texts
    }
    assert written == {(row, column): counts[row, column] for row, column in np.argwhere(counts).tolist()}
    wrong = int(counts.sum() - np.trace(counts))
    (samples,) = drawn["sample_images"].axes
    assert f"{wrong} of {counts.sum()} wrong" in samples.get_title(loc="left")
    assert sum(", not " in text.get_text() for text in samples.texts) == min(wrong, 16)


def test_the_report_has_them_where_boundaries_would_be(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = Store.open(uri, "nnexp")
    bare = Config(dataset=Wine(), budget=SHORT.budget, tracking=Tracking(figures=False, model=False))
    for seed in (0, 1):
        for optimizer in (SGD(0.5), Adam()):
            config = replace(bare, seed=seed, optimizer=optimizer)
            tags = {"nnexp.kind": "run", "nnexp.sweep_id": "one"}
            record_run(store, Group.of(config), config, optimizer.name, tags)
    (found,) = insights(load_material("one", uri), 8).values()
    assert "boundary" not in found
    assert set(found["predictions"]) == {"sgd", "adam"}
    for shown in found["predictions"].values():
        assert [one["title"] for one in shown] == ["confusion matrix"]
        assert shown[0]["image"].startswith("data:image/png;base64,")
