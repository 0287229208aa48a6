"""Runs in a real MLflow store of one SQLite file, read back with MLflow's own client."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from memory_store import MemoryStore
from recorded import group, record_run, settings

from nnexp.tracking import connections, files
from nnexp.tracking.locations import StoreError
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.parent import finish_parent
from nnexp.tracking.recorder import RunResult
from nnexp.training import prepare

SERIES = ("loss", "accuracy", "val_loss", "val_accuracy", "evaluations")


class Case(SimpleNamespace):
    """A run recorded in MLflow and, from the same settings, in memory."""

    store: Store
    config: Any
    trained: Any
    result: RunResult


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(f"sqlite:///{tmp_path_factory.mktemp('a store')}/runs/mlflow.db", "tests")


@pytest.fixture(scope="module")
def case(store: Store) -> Case:
    config = settings(tracking__figures=True, tracking__model=True)
    alone = group(config)
    result = record_run(store, alone, config, "whole", {"nnexp.sweep_id": "s1"}, overrides=("a=1", "b=2"))
    return Case(store=store, config=config, trained=alone.runs[0], result=result)


@pytest.fixture
def folder(case: Case) -> Path:
    return Path(case.store.client.download_artifacts(case.result.run_id, ""))


def test_what_mlflow_returns_is_what_memory_holds(case: Case) -> None:
    memory = MemoryStore()
    record_run(
        memory, group(case.config), case.config, "whole", {"nnexp.sweep_id": "s1"}, overrides=("a=1", "b=2")
    )
    kept, run = memory.runs[0], case.store.client.get_run(case.result.run_id)
    assert run.info.status == kept.status == "FINISHED"
    assert run.info.run_name == kept.name
    assert run.data.params == kept.params
    changing = ("mlflow.", "nnexp.heartbeat", "nnexp.entry")
    own = {key: value for key, value in run.data.tags.items() if not key.startswith(changing)}
    assert own == {key: value for key, value in kept.tags.items() if not key.startswith(changing)}
    for key in (*SERIES, "improvements"):
        points = case.store.client.get_metric_history(case.result.run_id, key)
        assert sorted((point.step, point.value) for point in points) == kept.metrics[key]
    entity = run.inputs.dataset_inputs[0].dataset
    assert (entity.name, entity.digest) == (kept.datasets[0].name, kept.datasets[0].digest)
    root = Path(case.store.client.download_artifacts(case.result.run_id, ""))
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {name for name in files if not name.startswith("images/")} == set(kept.artifacts)


def test_the_result_is_the_last_row(case: Case) -> None:
    history = case.trained.history
    assert case.result.loss == history.loss[-1] == case.trained.best_loss
    assert case.result.measures["val_accuracy"] == history.val_accuracy[-1]
    assert (case.result.status, case.result.iterations) == ("finished", 200)
    assert case.result.url.endswith(f"runs/{case.result.run_id}?workflowType=machine_learning")


def test_improvements_are_a_tag_and_a_count(case: Case) -> None:
    data = case.store.client.get_run(case.result.run_id).data
    found = [candidate for candidate, _ in case.trained.improvements]
    assert json.loads(data.tags["nnexp.improvements"]) == found
    assert data.metrics["improvements"] == len(found) > 0


def test_weights_load_without_pickle_under_their_names(case: Case, folder: Path) -> None:
    layout = case.trained.prepared.problem.network.layout
    with np.load(folder / "weights.npz", allow_pickle=False) as weights:
        arrays = dict(weights)
    theta, iteration, loss = arrays["theta"], arrays["iteration"], arrays["loss"]
    assert iteration[0] == 0
    assert iteration[-1] == 200
    assert len(loss) == len(iteration) == case.config.tracking.snapshots
    assert np.array_equal(layout.restore(theta), case.trained.snapshots.theta)
    described = json.loads(arrays["layout"].tobytes())
    for kind in ("best", "final"):
        own = [name.removeprefix(f"{kind}/") for name in arrays if name.startswith(f"{kind}/")]
        assert tuple(own) == layout.names
        for part in described["arrays"]:
            flat = theta[-1, part["offset"] : part["offset"] + part["size"]]
            assert np.array_equal(arrays[f"{kind}/{part['name']}"], flat.reshape(part["shape"]))


def test_the_whole_history_is_one_file(case: Case, folder: Path) -> None:
    frame = pd.read_parquet(folder / "history.parquet")
    for name, column in case.trained.history.items():
        assert np.array_equal(frame[name].to_numpy(), column, equal_nan=True)
    about = pq.read_schema(folder / "history.parquet").metadata
    found = json.loads(about[b"improvements"])
    assert list(zip(found["iteration"], found["loss"], strict=True)) == case.trained.improvements


def test_boundary_images_are_steps_of_one_picture(case: Case, folder: Path) -> None:
    from PIL import Image

    images = sorted((folder / "images").glob("boundary?step?*.png"))
    steps = sorted(int(re.split("[+%]", path.name)[2]) for path in images)
    assert steps == case.trained.snapshots.iteration.tolist()
    with Image.open(images[0]) as image:
        assert image.size == (200, 200)


def test_figures_are_pictures(folder: Path) -> None:
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {"learning_curves.png", "decision_boundary.png", "weight_histograms.png"}
    assert all((folder / "figures" / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_the_model_predicts_what_the_network_does(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow.pyfunc

    # A loaded model's copy of nnexp, which is a part of it, is no place for later tests to import from.
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Else MLflow 3.10 makes a store where it loads a model.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", case.store.uri)
    run = case.store.client.get_run(case.result.run_id)
    model = case.store.client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert str(model.status) == "READY"
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    problem = case.trained.prepared.problem
    expected = problem.network.forward(case.trained.final_theta, problem.test.x).T
    rows = problem.test.x.T.astype(float)
    assert np.array_equal(loaded.predict(rows), expected)
    assert np.array_equal(loaded.predict(pd.DataFrame(rows, columns=["left", "up"])), expected)
    root = Path(model.artifact_location.removeprefix("file://").replace("%20", " "))
    assert not [path for path in root.rglob("*") if path.suffix in (".pkl", ".pickle", ".cloudpickle")]


@pytest.mark.parametrize("output", ["softmax", "linear", "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(
    ("dtype", "accumulate"), [("float32", None), ("float32", "float64"), ("float64", None)]
)
def test_the_models_own_forward_pass_is_the_networks(
    tmp_path: Path, output: str, dtype: str, accumulate: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nnexp.tracking.model_code import NetworkModel

    # As above.
    monkeypatch.setattr(sys, "path", list(sys.path))
    rng = np.random.default_rng(5)
    x = rng.normal(size=(7, 3))
    for activation, hidden, outputs in (("tanh", [4, 5], 9), ("sigmoid", [3], 2), ("relu", [], 3)):
        config = settings(
            architecture={"name": "mlp", "hidden": hidden, "activation": activation, "output": output},
            dataset={"name": "points", "inputs": x.tolist(), "targets": np.zeros((7, outputs)).tolist()},
            loss="squared_error",
            dtype=dtype,
            accumulate=accumulate,
        )
        prepared = prepare(config)
        network = prepared.problem.network
        theta = network.initial(rng, 1.0)
        files.write(tmp_path, files.model_files(prepared, theta))
        model = NetworkModel()
        places = {"weights": str(tmp_path / "final.npz"), "network": str(tmp_path / "network.json")}
        places["code"] = str(tmp_path / "code.zip")
        model.load_context(SimpleNamespace(artifacts=places))
        assert np.array_equal(model.predict(None, pd.DataFrame(x)), network.forward(theta, x.T).T)


WITHOUT_NNEXP = """
import sys
import mlflow.pyfunc, numpy as np
model = mlflow.pyfunc.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2])))
loaded = {n: m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "nnexp"}
assert {"nnexp", "nnexp.network", "nnexp.config.settings"} <= set(loaded), loaded
assert all(file.startswith(sys.argv[1]) for file in loaded.values()), loaded
assert {n.split(".")[1] for n in loaded if "." in n} <= {"calls", "config", "network"}, loaded
"""


def test_the_model_is_computed_by_the_code_that_it_carries(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", case.store.uri)
    run = case.store.client.get_run(case.result.run_id)
    model = case.store.client.get_logged_model(run.outputs.model_outputs[0].model_id)
    problem, folder = case.trained.prepared.problem, tmp_path / "model"
    shutil.copytree(model.artifact_location.removeprefix("file://").replace("%20", " "), folder)
    np.save(tmp_path / "x.npy", problem.test.x.T.astype(float))
    places = [str(folder), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    done = subprocess.run([sys.executable, "-c", WITHOUT_NNEXP, *places], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = problem.network.forward(case.trained.final_theta, problem.test.x).T
    assert np.array_equal(np.load(tmp_path / "y.npy"), expected)


def test_artifacts_lie_beside_the_database_and_nothing_else_is_left(store: Store, case: Case) -> None:
    root = Path(store.uri.removeprefix("sqlite:///")).parent
    connections.close()
    assert {path.name for path in root.iterdir()} == {"mlflow.db", "mlflow.db.lock", "artifacts"}
    assert (root / "artifacts" / case.result.run_id / "artifacts" / "config.yaml").is_file()


def test_a_sweep_is_a_parent_with_a_summary_and_named_children(store: Store) -> None:
    parent = store.start_parent("sweep", {"jobs": "2"}, {"nnexp.sweep_id": "s2"})
    rows = []
    for method in ("perturb", "sgd"):
        config = settings(method, budget__iterations=20)
        result = record_run(store, group(config), config, f"{method} seed 0", {}, parent=parent.run_id)
        rows.append({"method": method, "seed": 0, **result._asdict(), **result.measures})
    finish_parent(parent, pd.DataFrame(rows), "FINISHED")
    run = store.client.get_run(parent.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"runs": 2, "failed": 0}
    assert "median loss" in run.data.tags["mlflow.note.content"]
    found = store.client.search_runs([store.experiment_id], f"tags.mlflow.parentRunId = '{parent.run_id}'")
    assert {child.info.run_name for child in found} == {"perturb seed 0", "sgd seed 0"}
    assert {item.path for item in store.client.list_artifacts(parent.run_id)} == {
        "summary.csv",
        "summary.md",
        "summary.png",
    }


def test_long_values_and_many_params_are_cut_to_what_mlflow_takes(store: Store) -> None:
    params = {f"p{index}": "x" for index in range(250)} | {"long": "y" * 9000}
    run = store.start("many", params, {"nnexp.note": "z" * 9000})
    run.finish("FINISHED")
    data = store.client.get_run(run.run_id).data
    assert len(data.params) == 251
    assert len(data.params["long"]) == 6000
    digest = hashlib.sha256(b"z" * 9000).hexdigest()[:16]
    assert data.tags["nnexp.note"] == "z" * (5000 - 29) + f"... (sha256 {digest})"


def test_two_processes_make_one_store(tmp_path: Path) -> None:
    program = (
        "import sys; from nnexp.tracking.mlflow_store import Store;"
        "store = Store.open(sys.argv[1], 'shared');"
        "run = store.start('r', {'a': '1'}, {}); run.finish('FINISHED'); print(store.experiment_id)"
    )
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, uri], stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len(Store.open(uri, "shared").client.search_runs([outputs[0][0].strip()])) == 2


def test_wrong_places_are_one_line(tmp_path: Path, store: Store) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "text.db").write_text("this is no database " * 100)
    for uri in (f"sqlite:///{tmp_path}/file/x.db", f"sqlite:///{tmp_path}/text.db", "http://127.0.0.1:9"):
        with pytest.raises(StoreError) as caught:
            Store.open(uri, "tests")
        assert str(caught.value).startswith(f"tracking.uri={uri}: expected")
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match=r"tracking\.experiment=' ': expected a name"):
        Store.open(store.uri, " ")


def test_a_deleted_experiment_is_named(store: Store) -> None:
    doomed = Store.open(store.uri, "doomed")
    doomed.client.delete_experiment(doomed.experiment_id)
    with pytest.raises(StoreError, match=r"tracking\.experiment=doomed: the experiment was deleted"):
        Store.open(store.uri, "doomed")


@pytest.fixture(autouse=True)
def _no_stray_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    yield
    assert not list(place.iterdir())
