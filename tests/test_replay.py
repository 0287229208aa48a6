"""A recorded run is trained again from its record alone: equal bits, or the first number that differs, and why."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from barred import BARRED
from commands import made_store, runs
from conftest import ROOT, surroundings
from mlflow import MlflowClient
from recorded import group, record_run, settings

from nnexp.config.schema import from_mapping
from nnexp.config.settings import plain
from nnexp.network.layout import Layout
from nnexp.replay.__main__ import main
from nnexp.report.material import load_material
from nnexp.report.page import commands
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.plain import to_yaml


def uri(place: Path) -> str:
    return f"sqlite:///{place / 'runs' / 'mlflow.db'}"


def files(place: Path, run: Any) -> Path:
    return place / "runs" / "artifacts" / run.info.run_id / "artifacts"


@pytest.fixture
def own(swept: Path, tmp_path: Path) -> Path:
    """A copy of the sweep, of which files may be changed."""
    shutil.copytree(swept / "runs", tmp_path / "runs")
    return tmp_path


def replayed(place: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main([*arguments, "--uri", uri(place)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_all_runs_of_a_sweep_that_was_trained_in_groups_have_equal_bits(
    swept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = replayed(swept, capsys=capsys)
    assert code == 0, out
    assert out.count("equal, bit for bit (") == 17
    assert out.splitlines()[-1] == "17 runs: 17 equal, bit for bit"


def test_the_first_number_that_differs_is_named_with_its_size(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(run for run in runs(own) if run.data.params["optimizer.name"] == "sgd")
    place, run_id = files(own, run), run.info.run_id
    before = {name: (place / name).read_bytes() for name in ("history.parquet", "weights.npz")}
    table = pq.read_table(io.BytesIO(before["history.parquet"]))
    loss = table.column("loss").to_numpy().copy()
    at = table.column("iteration").to_numpy()
    loss[[5, 9]] = np.nextafter(loss[[5, 9]], 9)
    changed = table.set_column(table.column_names.index("loss"), "loss", pa.array(loss))
    pq.write_table(changed, place / "history.parquet")
    code, out, _ = replayed(own, run_id, capsys=capsys)
    assert code == 1
    # One unit in the last place.
    size = np.spacing(loss[5])
    assert f"different: loss at iteration {at[5]}: {loss[5].item()!r} recorded" in out
    assert f"a difference of {size:.3g}" in out
    assert "code, versions, BLAS, processor and data are the recorded ones" in out
    (place / "history.parquet").write_bytes(before["history.parquet"])
    with np.load(io.BytesIO(before["weights.npz"])) as loaded:
        arrays = dict(loaded)
    layout = Layout.from_description(json.loads(arrays["layout"].tobytes()))
    theta = arrays["theta"].copy()
    theta[3, layout.named(np.argsort(layout.order))["dense_0/weights"][2, 0]] += 1
    np.savez(place / "weights.npz", **(arrays | {"theta": theta}))
    code, out, _ = replayed(own, run_id, capsys=capsys)
    assert code == 1
    assert f"different: snapshots dense_0/weights[2, 0] at iteration {arrays['iteration'][3]}: " in out
    name = next(name for name in arrays if name.startswith("final/") and name.endswith("biases"))
    np.savez(place / "weights.npz", **(arrays | {name: -arrays[name]}))
    code, out, _ = replayed(own, run_id, capsys=capsys)
    assert (code, f"different: {name.replace('/', ' ', 1)}[0]: " in out) == (1, True)


def test_what_differs_beside_the_numbers_is_said(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs(own)[0]
    client = MlflowClient(tracking_uri=uri(own))
    client.set_tag(run.info.run_id, "nnexp.code_hash", "0123456789abcdef")
    file = files(own, run) / "environment.json"
    said = json.loads(file.read_text())
    said["data"] = "fedcba9876543210"
    said["packages"]["numpy"], said["blas"]["kernels"] = "1.0", "Nehalem"
    said["processor"]["name"], said["variables"] = "Z80", {"OPENBLAS_CORETYPE": "Nehalem"}
    file.write_text(json.dumps(said))
    code, out, _ = replayed(own, run.info.run_id, capsys=capsys)
    assert code == 0
    for what in (
        "code: 0123456789abcdef (",
        f"numpy: 1.0 recorded, {np.__version__} now",
        "BLAS kernels: Nehalem recorded",
        "processor's name: Z80 recorded",
        "variables: OPENBLAS_CORETYPE=Nehalem recorded, none now",
        "data: digest fedcba9876543210 recorded, ",
    ):
        assert out.count(what) == 1
    assert len(out.splitlines()) == 7


def test_evaluations_of_a_search_that_was_continued_are_not_compared(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(run for run in runs(own) if run.data.params["optimizer.name"] == "perturb")
    file, place = files(own, run) / "history.parquet", "evaluations"
    table = pq.read_table(file)
    more = pa.array(table.column(place).to_numpy() + 1)
    pq.write_table(table.set_column(table.column_names.index(place), place, more), file)
    assert replayed(own, run.info.run_id, capsys=capsys)[0] == 1
    MlflowClient(tracking_uri=uri(own)).set_tag(run.info.run_id, "nnexp.continued", "30")
    code, out, _ = replayed(own, run.info.run_id, capsys=capsys)
    assert code == 0
    assert out.endswith(", without evaluations, because the run was continued)\n")


def test_bad_input_is_one_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs(own)[0]
    (files(own, run) / "history.parquet").write_bytes(b"PAR1")
    store = Store.open(uri(own), "nnexp")
    going, bare = (store.start(name, {"seed": "0"}, {"nnexp.kind": "run"}) for name in ("going", "bare"))
    bare.finish("FAILED")
    for arguments, said in (
        (["f" * 32], "expected the id of a run, or of a sweep in experiment nnexp, or latest"),
        (
            ["20200101-000000-abcdef"],
            "expected the id of a run, or of a sweep in experiment nnexp, or latest",
        ),
        ([run.info.run_id], "history.parquet is damaged ("),
        ([bare.run_id], "it has no history.parquet with rows to compare"),
        ([going.run_id], "it has not ended; expected a run that has ended"),
        (["--experiment", "none"], "tracking.experiment=none: there is no experiment of this name"),
        (["--quiet"], "unrecognized arguments: --quiet"),
        (["--checkout", str(own)], f"--checkout {own}: expected a new folder, or an empty one"),
    ):
        code, out, err = replayed(own, *arguments, capsys=capsys)
        assert (code, out) == (2, ""), arguments
        assert len(err.splitlines()) == 1
        assert said in err
    sweep = run.data.tags["nnexp.sweep_id"]
    code, out, _ = replayed(own, sweep, capsys=capsys)
    assert code == 2
    assert out.splitlines()[-1] == "17 runs: 16 equal, bit for bit, 1 not replayed"


INTERRUPTED: list[tuple[type[BaseException], dict[str, Any]]] = [
    (KeyboardInterrupt, {"optimizer": "adam", "optimizer__schedule": "cosine", "optimizer__batch_size": 16}),
    (ValueError, {"optimizer": "sgd", "budget__iterations": None, "budget__seconds": 30.0}),
    (KeyboardInterrupt, {"optimizer": "sgd", "budget__patience": 10**8, "dtype": "float64"}),
    (ValueError, {"optimizer": "perturb"}),
    (KeyboardInterrupt, {"optimizer": "sep_cma_es", "budget__evaluations": 10**9}),
]


def test_interrupted_runs_have_equal_bits_up_to_their_last_rows(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(uri(own), "cut")

    def train(error: type[BaseException], changes: dict[str, Any]) -> None:
        config = settings(**{"budget__iterations": 10**9, "tracking__flush_seconds": 0.05, **changes})

        def interrupt(rows: Any) -> None:
            if len(rows.iteration) and rows.iteration[-1] > 50:
                raise error

        with pytest.raises(error):
            record_run(store, group(config), config, "", {}, on_rows=interrupt)

    for error, changes in INTERRUPTED:
        train(error, changes)
    ids = [run.info.run_id for run in store.search("tags.`nnexp.kind` = 'run'")]
    code, out, _ = replayed(own, *ids, capsys=capsys)
    assert code == 0, out
    said = [line for line in out.splitlines() if "equal, bit for bit (" in line]
    assert [line.split(": ")[1][:6] for line in said] == ["killed", "failed", "killed", "failed", "killed"]
    assert all(line.endswith(", where it was interrupted or its budget of seconds ended)") for line in said)


def test_runs_that_ended_by_their_clock_a_target_or_themselves_have_equal_bits(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, ends = Store.open(uri(own), "ended"), []
    for changes in (
        {"optimizer": "perturb", "budget__iterations": None, "budget__seconds": 0.15},
        {"optimizer": "sgd", "budget__iterations": None, "budget__seconds": 0.15},
        {"optimizer": "adam", "budget__target": 1.08, "budget__measure": "loss", "budget__iterations": 5000},
        {"optimizer": "sgd", "optimizer__learning_rate": 1e9},
    ):
        config = settings(**changes)
        ends.append(record_run(store, group(config), config, "", {}).run_id)
    code, out, _ = replayed(own, *ends, capsys=capsys)
    assert code == 0, out
    assert "4 runs: 4 equal, bit for bit" in out
    assert "diverged" in out


def test_given_data_that_changed_or_are_missing_are_one_line(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own / "rows.csv"
    file.write_text(
        "x,y,kind\n" + "".join(f"{i * 37 % 101},{i * 71 % 101},{'ab'[i % 2]}\n" for i in range(40))
    )
    config = settings(dataset={"name": "table", "path": str(file), "target": "kind"})
    record_run(Store.open(uri(own), "nnexp"), group(config), config, "", {})
    assert replayed(own, capsys=capsys)[0] == 0
    file.write_text(file.read_text().replace("37", "38"))
    code, out, err = replayed(own, capsys=capsys)
    assert (code, err) == (1, "")
    (line,) = out.splitlines()
    assert f"not trained again; data {file}: digest " in line
    file.unlink()
    code, out, err = replayed(own, capsys=capsys)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert f"dataset.path={file}: no such file" in line


def test_the_recorded_config_is_the_config_to_the_last_digit() -> None:
    numbers = np.random.default_rng(0).uniform(-300, 0, 40)
    for exponent in numbers:
        rate = float(10**exponent)
        optimizer = {
            "name": "sgd",
            "learning_rate": rate,
            "schedule": {"name": "chain", "schedules": ["cosine"]},
        }
        points = {"name": "points", "inputs": [[rate, -0.0], [1 / 3, 1e22]], "targets": [[1.0], [5e-324]]}
        config = from_mapping(
            {"optimizer": optimizer, "dataset": points, "budget": {"iterations": 9, "target": 1e-05}}
        )
        read = from_mapping(yaml.safe_load(to_yaml(config)), ())
        assert repr(plain(read)) == repr(plain(config))


def test_the_reports_command_works_where_only_the_declared_dependencies_are(
    swept: Path, tmp_path: Path
) -> None:
    given = [words for _, words in commands(load_material(uri=uri(swept)))]
    (command,) = [words for words in given if "nnexp.replay" in words and "--checkout" not in words]
    python, flag, *words = shlex.split(command)
    assert (python, flag, words[0]) == ("python", "-m", "nnexp.replay")
    program = BARRED.replace("TREE", repr(str(ROOT))).replace("WORDS", repr(words))
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, env={"PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "17 runs: 17 equal, bit for bit"


@pytest.mark.soak
def test_the_reports_commands_work_in_an_environment_that_they_make(swept: Path, tmp_path: Path) -> None:
    given = [shlex.split(words) for _, words in commands(load_material(uri=uri(swept)))]
    written, installed, again = given[:3]
    assert "--checkout" in written
    subprocess.run([sys.executable, *written[1:]], cwd=tmp_path, env=surroundings(), check=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "fresh"], check=True)
    for words in (installed, again):
        done = subprocess.run(
            [tmp_path / "fresh" / "bin" / "python", *words[1:]],
            cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert "17 runs: 17 equal, bit for bit" in done.stdout


def tree(place: Path) -> dict[str, bytes]:
    """The files of a source tree that runs depend on."""
    return {
        file.relative_to(place).as_posix(): file.read_bytes()
        for name in ("nnexp", "conf", "lab", "lab_conf")
        for file in (place / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_tree_that_a_run_was_made_with_is_written_from_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clone, work = tmp_path / "clone", tmp_path / "work"
    for name in ("nnexp", "conf"):
        shutil.copytree(ROOT / name, clone / name)
    git = ["git", "-C", str(clone), "-c", "user.name=me", "-c", "user.email=me@host.example"]
    subprocess.run([*git, "init", "-q"], check=True)
    # Compiled files are used, so that processes need not compile, and are no part of the tree.
    (clone / ".git" / "info" / "exclude").write_text("__pycache__\n")
    for words in (["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    changed = clone / "nnexp" / "optim" / "sgd.py"
    changed.write_text(changed.read_text() + "\n# https://me:s3cret@host.example/x\n")
    (clone / "nnexp" / "losses" / "huber.py").unlink()
    (clone / "nnexp" / "losses" / "__init__.py").write_text(
        (clone / "nnexp" / "losses" / "__init__.py").read_text().replace("from nnexp.losses.huber", "#")
        .replace('    "Huber",\n', "")
    )  # fmt: skip
    (clone / "nnexp" / "optim" / "new.py").write_text("NEW = 1\n")
    # A line with an address that is committed, near a change.
    places = clone / "nnexp" / "tracking" / "locations.py"
    places.write_text(places.read_text().replace("def conceal(", "# changed\ndef conceal("))
    (work / "lab").mkdir(parents=True)
    (work / "lab" / "slow.py").write_text(
        "from dataclasses import dataclass\nfrom nnexp.optim import SGD\nfrom nnexp.config.settings import setting\n"
        "@dataclass(frozen=True)\nclass Slow(SGD):\n    learning_rate: float = setting(0.01, 'of it', per_run=True)\n"
    )
    (work / "lab_conf" / "optimizer").mkdir(parents=True)
    (work / "lab_conf" / "optimizer" / "slow.yaml").write_text("_target_: lab.slow.Slow\nname: slow\n")
    own = surroundings() | {"PYTHONPATH": str(clone)}

    def python(module: str, *arguments: str, place: Path = work) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=place, env=own, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    small = ("budget.iterations=20", "dataset.samples=10", "tracking=lean", "hydra.launcher.n_jobs=1")
    made_store(work)
    done = python("nnexp.run", "--config-dir", "lab_conf", "-m", "optimizer=slow,sgd", *small)
    assert done.returncode == 0, done.stdout + done.stderr
    slow, _ = runs(work)
    assert not list(files(work, slow).rglob("source"))
    (parent,) = runs(work, "sweep")
    left = [file for file in files(work, parent).rglob("*") if "source" in file.parts and file.is_file()]
    assert len(left) == 3
    assert not any(b"s3cret" in file.read_bytes() for file in left)
    code, _, err = replayed(work, slow.info.run_id, capsys=capsys)
    assert code == 2
    assert err.endswith(
        "module lab is not part of nnexp and is not imported unless you allow it, with --trust lab.slow\n"
    )
    assert "lab.slow" not in sys.modules
    # Where the commit is.
    monkeypatch.chdir(clone)
    code, out, _ = replayed(work, slow.info.run_id, "--checkout", str(tmp_path / "tree"), capsys=capsys)
    assert code == 0
    assert "with the recorded changes" in out
    written = tree(tmp_path / "tree")
    expected = tree(clone) | tree(work)
    masked = b"https://host.example"
    assert set(written) == set(expected)
    unlike = {name for name in written if written[name] != expected[name]}
    assert unlike == {"nnexp/optim/sgd.py", "nnexp/tracking/locations.py"}
    assert masked in written["nnexp/optim/sgd.py"]
    # In the tree, with its own code and parts.
    own["PYTHONPATH"] = ""
    again = python("nnexp.replay", "--uri", uri(work), "--trust", "lab.slow", place=tmp_path / "tree")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 runs: 2 equal, bit for bit" in again.stdout


def test_without_git_the_tree_is_said_to_be_missing(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs(own)[0]
    file = files(own, run) / "environment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"git": None}))
    code, out, err = replayed(own, run.info.run_id, "--checkout", str(own / "tree"), capsys=capsys)
    assert (code, out) == (2, "")
    assert "no git commit is recorded" in err
    assert not (own / "tree").exists()
