"""Parts of one's own, in a folder outside the repository, as the guide writes them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import here, in_store, made_store, nnexp, runs, start, wait_for
from conftest import surroundings
from readme import guide
from required import need_module

from nnexp.config.settings import ConfigError
from nnexp.inside import load_trajectories
from nnexp.report.insight import insights
from nnexp.report.material import load_material
from nnexp.results import load_history, load_runs

SWEEP = (
    *("-m", "optimizer=sgd,sign_descent", "seed=range(0,3)", "optimizer.learning_rate=0.01"),
    *(
        "architecture.activation=softsign",
        "loss=log_cosh",
        "dataset=rings",
        "budget.iterations=80",
        "tracking=lean",
    ),
)
METHOD = Path("my_lab") / "sign_descent.py"


@pytest.fixture(scope="module")
def guides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the guide's Python files, and conf files made by its commands."""
    place = tmp_path_factory.mktemp("guides")
    for content, name in re.findall(
        r"```python\n(# (my_lab/\w+\.py)\n.*?)```", guide("extending"), re.DOTALL
    ):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(content)
    for line in re.findall(r"^(mkdir .*|nnexp --conf-file .*)$", guide("extending"), re.MULTILINE):
        words, _, file = line.partition(" > ")
        if words.startswith("mkdir"):
            for folder in shlex.split(words)[2:]:
                (place / folder).mkdir(parents=True)
        else:
            done = here(place, *shlex.split(words)[1:])
            assert done.returncode == 0, done.stderr
            (place / file).write_text(done.stdout)
    forget()
    return place


@pytest.fixture
def lab(guides: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the guide's folder, of which files may be changed."""
    shutil.copytree(guides, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    yield tmp_path
    forget()


def command(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = here(place, *arguments, env=surroundings())
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def forget() -> None:
    """Let the lab's modules be imported anew: each test has its own."""
    for name in [name for name in sys.modules if name.split(".")[0] == "my_lab"]:
        del sys.modules[name]


def histories(place: Path, sweep: str | None = None) -> dict[tuple[str, int], list[float]]:
    uri = f"sqlite:///{place / 'runs' / 'mlflow.db'}"
    table = load_runs(uri, sweep=sweep)
    rows = load_history(table, uri).sort_values("iteration")
    return {key: own["loss"].tolist() for key, own in rows.groupby(["method", "seed"])}


def test_a_sweep_over_own_parts_is_batched_equal_to_alone_and_its_models_predict(lab: Path) -> None:
    # In real processes: the command, the one that records, two workers.
    whole = (*SWEEP, "tracking.model=true", "hydra.launcher.n_jobs=2")
    done = nnexp(lab, "--config-dir", "my_conf", *whole, env=surroundings())
    assert done.returncode == 0, done.stdout + done.stderr
    assert {run.info.status for run in runs(lab)} == {"FINISHED"}
    (log,) = lab.glob("runs/hydra/*/*/sweep.log")
    assert sorted(re.findall(r"(\d+) runs trained together", log.read_text())) == ["3", "3"]
    together = histories(lab)
    alone = lab / "alone"
    alone.mkdir()
    command(alone, "--config-dir", "../my_conf", *SWEEP, "hydra/launcher=basic")
    assert histories(alone) == together
    assert len(together) == 6
    code = {run.data.params["optimizer.name"]: run.data.tags["nnexp.code_hash"] for run in runs(lab)}
    assert code["sgd"] != code["sign_descent"]  # a run's code is that of its own parts
    # Without the lab: the model has the activation's source.
    (model, *_) = sorted(lab.glob("runs/artifacts/**/MLmodel"))
    predict = "import sys, mlflow; print(mlflow.pyfunc.load_model(sys.argv[1]).predict([[0.5, 0.5]]).shape)"
    away = lab / "away"
    away.mkdir()
    found = subprocess.run(
        [sys.executable, "-c", predict, str(model.parent)], cwd=away, capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    assert found.stdout.strip() == "(1, 2)", found.stderr


def test_an_edit_of_a_part_makes_resume_run_again_what_it_concerns(lab: Path) -> None:
    other = [argument for argument in SWEEP if "=softsign" not in argument and "=log_cosh" not in argument]
    command(lab, "--config-dir", "my_conf", *other)
    again = command(lab, "--config-dir", "my_conf", *other, "sweep.resume=true")
    assert "6 runs are recorded and skipped" in again.stdout
    (lab / METHOD).write_text((lab / METHOD).read_text().replace("np.sign", "np.cbrt"))
    # The dataset is outside too: an edit of the method alone concerns the method's runs.
    edited = command(lab, "--config-dir", "my_conf", *other, "sweep.resume=true")
    assert "3 runs are recorded and skipped; run again: 3 of other code" in edited.stdout


@pytest.mark.soak
def test_a_killed_sweep_over_own_parts_is_resumed(lab: Path) -> None:
    made_store(lab)
    long = [*SWEEP, "budget.iterations=10000", "hydra.launcher.n_jobs=2", "hydra.launcher.group=1"]
    sweep = start(lab, "--config-dir", "my_conf", *long, env=surroundings())
    wait_for(lambda: in_store(lab, "select 1 from runs where status = 'FINISHED'"))
    sweep.kill()
    sweep.communicate()
    done = command(lab, "--config-dir", "my_conf", *long, "sweep.resume=true")
    assert re.search(r"[1-9] (runs are|run is) recorded and skipped", done.stdout)
    assert sorted(run.info.status for run in runs(lab)) == ["FINISHED"] * 6
    assert len(histories(lab)) == 6


def test_workers_of_a_cluster_import_own_parts(lab: Path, request: pytest.FixtureRequest) -> None:
    need_module("distributed", "dask")
    command(
        lab, "--config-dir", "my_conf", *SWEEP,
        "hydra.launcher.backend=dask", "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    assert len(histories(lab)) == 6


def test_help_and_listings_see_own_parts(lab: Path) -> None:
    settings = here(lab, "--config-dir", "my_conf", "--help", "optimizer").stdout
    assert "sign_descent: theta = theta - learning_rate * sign(gradient)." in settings
    nested = here(lab, "--config-dir", "my_conf", "--help", "optimizer/schedule").stdout
    assert re.search(r"optimizer.schedule.scale=100.0 +updates until", nested)
    assert "6 jobs, nothing trained" in here(lab, "--config-dir", "my_conf", "--dry-run", *SWEEP).stdout
    composed = command(lab, "--config-dir=my_conf", "--cfg", "job", "optimizer=sign_descent").stdout
    assert "_target_: my_lab.sign_descent.SignDescent" in composed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("_target_: my_lab.nothing.Here", "module my_lab.nothing cannot be imported (ModuleNotFoundError"),
        ("_target_: my_lab.sign_descent.Nothing", "module my_lab.sign_descent has no Nothing"),
        ("_target_: my_lab.sign_descent.sign", "expected a dataclass that inherits from Method"),
        ("_target_: my_lab.log_cosh.LogCosh", "expected a class that inherits from Method"),
        ("_target_: my_lab.broken.Broken", "module my_lab.broken cannot be imported (SyntaxError"),
        ("_target_: 3", "expected a class's full name"),
        (
            "_target_: my_lab.sign_descent.SignDescent\nspeed: 3",
            "optimizer.speed=3: unknown; expected one of",
        ),
        (
            "_target_: my_lab.sign_descent.SignDescent\nlearning_rate: -1",
            "learning_rate=-1: expected a number above 0",
        ),
    ],
)
@pytest.mark.parametrize("flags", [(), ("-m", "seed=0,1")])
def test_a_part_that_cannot_be_is_one_line(lab: Path, text: str, words: str, flags: tuple[str, ...]) -> None:
    (lab / "my_lab" / "broken.py").write_text("def:\n")
    (lab / "my_conf" / "optimizer" / "bad.yaml").write_text(text + "\n")
    done = here(lab, "--config-dir", "my_conf", *flags, "optimizer=bad")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not (lab / "runs" / "mlflow.db").exists()


def test_a_record_imports_own_parts_only_if_it_may(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(lab, "--config-dir", "my_conf", *SWEEP[:1], "optimizer=sign_descent", *SWEEP[2:])
    monkeypatch.syspath_prepend(lab)
    forget()
    uri = f"sqlite:///{lab / 'runs' / 'mlflow.db'}"
    table = load_runs(uri)
    with pytest.raises(
        ConfigError, match="module my_lab is not part of nnexp and is not imported unless you allow it"
    ):
        load_trajectories(table, uri)
    assert "my_lab" not in sys.modules
    try:
        paths = load_trajectories(table, uri, modules=["my_lab"])
    finally:
        forget()
    assert len(paths) == 3
    assert np.isfinite(paths[0].theta).all()
    material = load_material(uri=uri)
    (refused,) = insights(material).values()
    assert refused["why"].endswith("unless you allow it, with --trust my_lab.softsign")
    material.trusted.append("my_lab.softsign")
    try:
        (shown,) = insights(material).values()
    finally:
        forget()
    assert len(shown["boundary"]["training"]["x"]) == 60
    assert shown["boundary"]["held_out"] is None


def test_commands_that_a_sweep_prints_find_own_parts(lab: Path) -> None:
    need_module("optuna", "optuna")
    search = [*SWEEP, "optimizer.learning_rate=interval(0.001,0.1)", "sweep.trials=2"]
    search = [text.replace("sgd,", "").replace("range(0,3)", "0") for text in search if text != SWEEP[3]]
    done = command(lab, "--config-dir", "my_conf", *search)
    assert re.search(r"^Compare: python -m nnexp.report \S+ --trust my_lab$", done.stdout, re.MULTILINE)
    (words,) = re.findall(
        r"^Compare them on other seeds: python -m nnexp.run (.*)$", done.stdout, re.MULTILINE
    )
    again = here(lab, "--dry-run", *shlex.split(words))
    assert "20 jobs, nothing trained" in again.stdout, again.stderr


def test_the_contracts_hold_for_the_readmes_parts(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(lab)
    program = (
        "from nnexp.testing import *\n"
        "from my_lab.sign_descent import SignDescent\nfrom my_lab.square_root import SquareRoot\n"
        "from my_lab.softsign import Softsign\nfrom my_lab.log_cosh import LogCosh\nfrom my_lab.rings import Rings\n"
        "check_method(SignDescent(0.01)); check_schedule(SquareRoot()); check_activation(Softsign())\n"
        "check_loss(LogCosh()); check_dataset(Rings())\n"
    )
    try:
        exec(program, {})
    finally:
        forget()


def test_a_method_that_cannot_be_batched_runs_alone_and_is_said_once(lab: Path) -> None:
    file = lab / METHOD
    file.write_text(
        file.read_text().replace("    def rules(self)", "    batched = False\n\n    def rules(self)")
    )
    # The second of these batches has runs of it too.
    done = command(lab, "--config-dir", "my_conf", *SWEEP, "hydra.sweeper.max_batch_size=4")
    line = "sign_descent: trained one run at a time, because the method cannot be batched"
    assert done.stdout.count(line) == 1
    (log,) = lab.glob("runs/hydra/*/*/sweep.log")
    assert sorted(re.findall(r"(\d+) runs trained together", log.read_text())) == ["1", "1", "1", "3"]


def test_an_error_in_a_group_is_logged_and_counted(lab: Path) -> None:
    file = lab / METHOD
    # Two rows are fitted to one another wrongly: it works for one run alone.
    file.write_text(
        file.read_text().replace("np.empty_like(step)", "np.empty((1, step.shape[1]), step.dtype)")
    )
    done = command(lab, "--config-dir", "my_conf", *SWEEP)
    assert "1 group of runs failed when trained together; these runs were" in done.stdout
    (log,) = lab.glob("runs/hydra/*/*/sweep.log")
    text = log.read_text()
    assert re.search(r"ERROR\] - jobs 3, 4, 5 failed together and were trained alone\nTraceback", text)
    assert "ValueError" in text
