"""Bad input: one line that names the setting, the value and what is allowed, exit code 2, nothing left behind.

Every command here runs in this process: what they share is loaded once.
"""

from __future__ import annotations

import contextlib
import io
import re
import time
from pathlib import Path

import pytest
from bad_inputs import ARGUMENTS, FILES, HUGE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nnexp.config import places
from nnexp.run import main
from nnexp.sweep.recording import process

SECONDS = 5.0
"""What a refusal may take of this process's time, however loaded the machine is."""

BYTES = 2**30
"""What it may take of memory."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where a command runs that knows nothing of those before it.

    It starts no process that records: that a refused command leaves none is a test of test_recording_process.
    """
    monkeypatch.setattr(process, "recorder", process.RecordingHere)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "_ADDED", [])
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("NNEXP_TRACEBACK", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def refused(arguments: tuple[str, ...], line: str) -> None:
    """A command is refused by one line, at once, and leaves nothing."""
    before = sorted(Path().rglob("*"))
    # From now on the kernel counts anew what was taken at most: see proc(5).
    Path("/proc/self/clear_refs").write_text("5")
    error, since = io.StringIO(), time.process_time()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        code = main(list(arguments))
    took = time.process_time() - since
    assert re.match(f"nnexp: {line.removesuffix('?')}", error.getvalue()), error.getvalue()
    assert error.getvalue().count("\n") == 1
    assert (code, sorted(Path().rglob("*"))) == (2, before)
    assert took < SECONDS
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert 1024 * int(peak) < BYTES


@pytest.mark.parametrize(("arguments", "line"), ARGUMENTS, ids=range(len(ARGUMENTS)))
def test_bad_arguments_are_one_line(place: Path, arguments: tuple[str, ...], line: str) -> None:
    refused(arguments, line)


@pytest.mark.parametrize(("arguments", "name", "content", "line"), FILES)
def test_bad_files_are_one_line(
    place: Path, arguments: tuple[str, ...], name: str, content: bytes, line: str
) -> None:
    file = place / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    refused(arguments, line)


KEYS = (
    "seed", "dtype", "streams", "seeds.init", "optimizer", "optimizer.learning_rate", "optimizer.batch_size",
    "optimizer/schedule", "architecture", "architecture.hidden", "architecture.activation", "architecture.weights",
    "dataset", "dataset.samples", "dataset.classes", "loss", "loss.clip", "budget.iterations", "budget.target",
    "tracking.uri", "tracking.points", "sweep.grid", "sweep.trials", "sweep.retries", "experiment", "hydra.run.dir",
    "hydra.launcher.n_jobs", "hydra.job.name", "foo", "optimizer.foo", "", "a b", "hydra/sweeper",
)  # fmt: skip
VALUES = (
    "", "null", "true", "0", "1", "-1", "1.5", "3", "1e4", "nan", "inf", "-inf", "1e999", "9" * 30, "sgd", "relu",
    "[1]", "[[1]]", "[]", "{}", "{a: 1}", "[{seed: 1}]", "1,2", "range(0,2)", "range(2,0)", "choice(1,a)", "glob(*)",
    "interval(0,1)", "tag(log,interval(0,1))", "sort(3,1)", "${seed}", "${foo}", "???", "'x", '"', "\\", "a=b", "é",
    "int(1)", "str([1,2])", "notebook", "sqlite:///x.db", "http://[", "@", "\t", "\n", "linear",
)  # fmt: skip
OVERRIDES = st.builds(
    "{}{}={}".format,
    st.sampled_from(("", "", "", "+", "++", "~")),
    st.sampled_from(KEYS),
    st.one_of(st.sampled_from(VALUES), st.text("[]{}(),:'\"$=.e01a ", max_size=8)),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sweep=st.booleans(), overrides=st.lists(OVERRIDES, min_size=1, max_size=3))
@example(sweep=True, overrides=["seed=${seed}"])
@example(sweep=True, overrides=["optimizer=glob(*)", "seed=sort(3,1)"])
def test_any_overrides_are_taken_or_refused_by_one_line(
    place: Path, sweep: bool, overrides: list[str]
) -> None:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(out):
        code = main(["--dry-run", *(["-m"] if sweep else []), *overrides])
    assert code in (0, 2)
    assert error.getvalue().count("\n") == (1 if code else 0)
    assert error.getvalue().startswith("nnexp: ") == bool(code)
    assert ("nothing trained" in out.getvalue()) == (code == 0)
    assert not list(place.iterdir())


TAKEN = [
    ("budget.iterations=1e4",),
    ("seed=1", "-m", "optimizer=sgd,random", "budget.iterations=choice(20)"),
    ("-m", "seed=1", "--dry-run"),
    (f"tracking.points={HUGE}",),
    ("-m", "sweep.resume=auto", "seed=0,1"),
]


@pytest.mark.parametrize("arguments", TAKEN)
def test_what_can_be_understood_is_taken(
    place: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--dry-run"]) == 0
    assert "nothing trained" in capsys.readouterr().out


def test_help_tells_of_one_option(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help", "optimizer=sgd"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("optimizer=sgd\n")
    assert "optimizer.momentum=" in text
    assert "optimizer.beta1" not in text
