"""Every part that a conf file names keeps its family's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnexp import testing
from nnexp.config.places import options
from nnexp.config.settings import load_part
from nnexp.data import Dataset, Points
from nnexp.losses import Loss
from nnexp.losses.metrics import Metric
from nnexp.network import Activation, Initializer, Layer
from nnexp.optim import Method
from nnexp.optim.schedules import Schedule
from tests.data_files import needs

GIVEN: dict[str, Any] = {
    "residual": {"layers": ["tanh"]},
    "embedding": {"words": 4, "size": 3},
    "points": {"inputs": [[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]], "targets": [[1.0], [0.0], [0.5]]},
}
"""Settings without which a part is not whole."""


def parts(family: Any) -> list[Any]:
    return [pytest.param({"name": name} | GIVEN.get(name, {}), id=name) for name in options(family.group)]


@pytest.mark.parametrize("values", parts(Method))
def test_methods(values: dict[str, Any]) -> None:
    testing.check_method(load_part("optimizer", values, Method))


@pytest.mark.parametrize("values", parts(Schedule))
def test_schedules(values: dict[str, Any]) -> None:
    testing.check_schedule(load_part("optimizer.schedule", values, Schedule))


@pytest.mark.parametrize("values", parts(Activation))
def test_activations(values: dict[str, Any]) -> None:
    testing.check_activation(load_part("architecture.activation", values, Activation))


@pytest.mark.parametrize("values", parts(Layer))
def test_layers(values: dict[str, Any]) -> None:
    testing.check_layer(load_part("architecture.layers[0]", values, Layer))


@pytest.mark.parametrize("values", parts(Initializer))
def test_initializers(values: dict[str, Any]) -> None:
    testing.check_initializer(load_part("architecture.init", values, Initializer))


@pytest.mark.parametrize("values", parts(Loss))
def test_losses(values: dict[str, Any]) -> None:
    testing.check_loss(load_part("loss", values, Loss))


@pytest.mark.parametrize("values", parts(Metric))
def test_metrics(values: dict[str, Any]) -> None:
    testing.check_metric(load_part("metrics[0]", values, Metric))


@pytest.mark.parametrize("values", parts(Dataset))
def test_datasets(values: dict[str, Any], tmp_path: Path) -> None:
    testing.check_dataset(load_part("dataset", values | needs(values["name"], tmp_path), Dataset))


@pytest.mark.parametrize("family", [Method, Schedule, Activation, Layer, Initializer, Loss, Metric, Dataset])
def test_parts_come_back_from_plain_values(family: Any) -> None:
    for parameter in parts(family):
        testing.check_plain(load_part("part", parameter.values[0], family))


def test_a_wrong_part_is_found() -> None:
    with pytest.raises(ValueError, match="expected both"):
        testing.check_dataset(Points())
