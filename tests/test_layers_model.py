"""The recorded model computes every layer by what it carries, without nnexp."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import surroundings
from recorded import record_run

from nnexp.config.places import options
from nnexp.config.schema import Config, Tracking
from nnexp.network import Layers
from nnexp.optim import SGD
from nnexp.tracking import files
from nnexp.tracking.mlflow_store import Store
from nnexp.training import Budget, Group, RunSettings, train
from tests.layer_cases import CASES, CONV, DENSE, Images, Words, built

FLAT = {name: case for name, case in CASES.items() if name != "embedding"}

LOAD = """
import sys
from pathlib import Path
from types import SimpleNamespace

place = Path(sys.argv[1])
sys.path.insert(0, str(place / "code.zip"))
import numpy as np
import nnexp
from nnexp.network.network import Network
assert Path(nnexp.__file__).is_relative_to(place), nnexp.__file__
source = Path(sys.argv[2]).read_text().replace("mlflow.models.set_model(NetworkModel())", "")
scope = {}
exec(compile(source, "model_code", "exec"), scope)
model = scope["NetworkModel"]()
for folder in sorted((place / "models").iterdir()):
    own = {"network": folder / "network.json", "weights": folder / "final.npz", "code": place / "code.zip"}
    context = SimpleNamespace(artifacts=own)
    model.load_context(context)
    np.save(folder / "outputs.npy", model.predict(None, np.load(folder / "inputs.npy")))
print(len(sys.modules))
"""


def trained(features: tuple[int, ...], specs: list[Any]) -> Any:
    images = features if len(features) == 3 else (1, 1, features[0])
    shape = None if len(features) == 3 else list(features)
    one = RunSettings(
        architecture=Layers(layers=built(specs), shape=shape),
        dataset=Images(channels=images[0], high=images[1], wide=images[2]),
        optimizer=SGD(learning_rate=0.1),
        budget=Budget(iterations=3),
    )
    return train(one)[0]


def test_every_layer_predicts_as_in_training(tmp_path: Path) -> None:
    runs = {name: trained(*case) for name, case in FLAT.items()}
    for name, run in runs.items():
        contents = files.model_files(run.prepared, run.final_theta)
        code_file = {files.MODEL_SOURCE: contents.pop(files.MODEL_SOURCE)}
        files.write(tmp_path, {f"models/{name}/{file}": text for file, text in contents.items()} | code_file)
        np.save(tmp_path / "models" / name / "inputs.npy", run.prepared.problem.test.x.T.astype(np.float64))
    code = Path(files.__file__).with_name("model_code.py")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path), str(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    for name, run in runs.items():
        network, data = run.prepared.problem.network, run.prepared.problem.test
        outputs = np.load(tmp_path / "models" / name / "outputs.npy")
        np.testing.assert_array_equal(outputs, network.forward(run.final_theta, data.x).T, name)
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, network.apply(run.final_theta, data.x).T, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["conv2d", "batch_norm", "residual_with_shortcut"])
def test_weights_are_kept_by_name(name: str, tmp_path: Path) -> None:
    run = trained(*CASES[name])
    (tmp_path / "final.npz").write_bytes(
        files.named_arrays(run.prepared.problem.network.layout, run.final_theta)
    )
    layout = run.prepared.problem.network.layout
    with np.load(tmp_path / "final.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(layout.join(dict(arrays), np.float32), run.final_theta)
        if name == "conv2d":
            assert arrays["conv2d_0/weights"].shape == (4, 2, 3, 3)


EVERY_LAYER: list[Any] = [
    {"name": "embedding", "words": 4, "size": 3},
    {"name": "conv2d", "channels": 4, "padding": 2},
    *("batch_norm", "relu", "max_pool"),
    {"name": "conv2d", "channels": 4, "padding": 2},
    *("layer_norm", "gelu", "avg_pool"),
    {"name": "residual", "layers": [CONV, "silu"]},
    {"name": "dropout", "rate": 0.2},
    {"name": "residual", "layers": ["global_avg_pool"], "shortcut": ["global_max_pool"]},
    *(
        "flatten",
        DENSE,
        "leaky_relu",
        "elu",
        DENSE,
        "softplus",
        "tanh",
        DENSE,
        "sigmoid",
        "linear",
        "softmax",
    ),
]


def names(specs: list[Any]) -> set[str]:
    """Of layers and activations, within residual blocks too."""
    found = set()
    for spec in specs:
        own = {"name": spec} if isinstance(spec, str) else spec
        found |= {own["name"], *names([*own.get("layers", []), *own.get("shortcut", [])])}
    return found


def test_mlflows_own_command_predicts_with_every_layer(tmp_path: Path) -> None:
    assert names(EVERY_LAYER) == {*options("architecture/layer"), *options("architecture/activation")}
    config = Config(
        architecture=Layers(layers=built(EVERY_LAYER)), dataset=Words(), optimizer=SGD(0.1, batch_size=4),
        budget=Budget(iterations=5), tracking=Tracking(figures=False, model=True),
    )  # fmt: skip
    store, group = Store.open(f"sqlite:///{tmp_path}/mlflow.db", "nnexp"), Group.of(config)
    record_run(store, group, config, "run", {})
    (model,) = tmp_path.rglob("MLmodel")
    (run,) = group.runs
    words = run.prepared.problem.test.x
    pd.DataFrame(words.T.astype(float)).to_csv(tmp_path / "inputs.csv", index=False)
    # Who looks for nnexp elsewhere than in the model's folder finds this.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "nnexp.py").write_text("raise ImportError('nnexp is not here')")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mlflow", "models", "predict", "--env-manager", "local"),
            *("-m", str(model.parent), "-i", "inputs.csv", "-t", "csv", "-o", "outputs.json"),
        ],
        cwd=tmp_path, env=surroundings() | {"PYTHONPATH": str(hidden)}, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = np.array(json.loads((tmp_path / "outputs.json").read_text())["predictions"])
    expected = run.prepared.problem.network.forward(run.final_theta, words).T
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
