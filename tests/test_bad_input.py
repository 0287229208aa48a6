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
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nnexp.config import places
from nnexp.run import main

SECONDS = 5.0
"""What a refusal may take of this process's time, however loaded the machine is."""

HUGE = "1000000000000"
SWEEP = ("-m", "seed=0,1")

ARGUMENTS: list[tuple[tuple[str, ...], str]] = [
    # Flags and words.
    (("-x",), "-x: unknown; expected one of --multirun, "),
    (("--mutirun",), "--mutirun: unknown; expected one of .*; did you mean --multirun?"),
    (("--multirun=3", "seed=1"), "--multirun=3: expected --multirun without a value"),
    (("--run", "-m", "seed=1"), "--run: expected without --multirun"),
    (("--resolve",), "--resolve: expected with --cfg job"),
    (("--cfg",), "--cfg: expected a value, as --cfg job"),
    (("--cfg", "jop"), "--cfg jop: expected one of job, hydra, all; did you mean job?"),
    (("--cfg", "job", "--info"), "--info: expected without --cfg"),
    (("-m", "--cfg", "job"), "--cfg: expected without -m"),
    (("--info=foo",), "--info foo: expected one of all, config"),
    (("--package",), "--package: expected a value"),
    (("--dry-run", "--end-stale"), "--end-stale: expected without --dry-run"),
    (("--config-dir",), "--config-dir: expected a value"),
    (("--config-dir", "nowhere"), "--config-dir nowhere: expected a folder that is there"),
    (("--config-dir=a", "--config-dir=b"), "--config-dir b: expected once; --config-dir a is given too"),
    (("--config-name", "nowhere"), "--config-name nowhere: expected the name of a file"),
    (("--conf-file",), "--conf-file: expected a value"),
    (("--conf-file", "nowhere.X"), "--conf-file nowhere.X: module nowhere cannot be imported"),
    (("--conf-file", "os.path"), "--conf-file os.path: expected a part"),
    (("--help", "optimzer"), "--help optimzer: unknown group; expected .*; did you mean optimizer?"),
    (("--help", "optimizer=adm"), "--help optimizer=adm: unknown; expected .*; did you mean adam?"),
    (("--import-unrecorded", "nowhere"), "--import-unrecorded nowhere: expected a folder"),
    (("nonsense",), "nonsense: expected setting=value"),
    (("",), "'': expected setting=value"),
    (("seed=1", "two words"), "two words: expected setting=value"),
    # Hydra's grammar.
    (("=1",), "=1: expected the name of a setting"),
    (("+=1",), "\\+=1: expected the name of a setting"),
    (("~",), "~: expected the name of a setting"),
    (("~foo",), "~foo: there is no such setting"),
    (("seed=${",), "seed=\\${: expected setting=value in Hydra's grammar"),
    (("seed='",), "seed=': expected setting=value in Hydra's grammar"),
    (("seed=1\n2",), "seed=1 2: expected setting=value in Hydra's grammar"),
    (("é=1",), "é=1: expected setting=value in Hydra's grammar"),
    (("optimizer.scale=[",), "optimizer.scale=\\[: expected setting=value in Hydra's grammar"),
    (("-m", "seed=range(0,3"), "seed=range\\(0,3: expected setting=value in Hydra's grammar"),
    (("-m", "seed=choice()"), "seed=choice\\(\\): expected setting=value in Hydra's grammar"),
    (("seed=${foo}",), "seed=\\${foo}: Interpolation key 'foo' not found"),
    (("seed=${seed}",), "seed=\\${seed}: Recursive interpolation"),
    (("seed=${oc.env:NOT_THERE}",), "seed=\\${oc.env:NOT_THERE}: .*'NOT_THERE' not found"),
    # Names.
    (("foo=1",), "foo=1: unknown; expected one of seed, dtype"),
    (("+foo=1",), "foo=1: unknown; expected one of seed, dtype"),
    (("+seed=1",), "\\+seed=1: expected seed=1, for the setting is there already"),
    (("optimizr.momentum=1",), "optimizr.momentum=1: unknown; .*; did you mean optimizer?"),
    (
        ("optimizer.momentun=0.9",),
        "optimizer.momentun=0.9: unknown; .* for optimizer=sgd: .*; did you mean momentum?",
    ),
    (
        ("optimizer=random", "optimizer.momentum=0.9"),
        "optimizer.momentum=0.9: unknown; .*; momentum is a setting of .*sgd",
    ),
    (("optimizer.learning_rate.foo=1",), "optimizer.learning_rate.foo=1: unknown"),
    (("a.b.c.d=1",), "a.b.c.d=1: unknown"),
    (("optimizer=adm",), "optimizer=adm: unknown; expected one of .*; did you mean adam?"),
    (("optimizer=3",), "optimizer=3: expected one of adagrad, adam"),
    (("optimizer=null",), "optimizer=null: expected one of adagrad, adam"),
    (("optimizer=[sgd,random]",), "optimizer=\\[sgd,random\\]: expected one option; -m optimizer=sgd,random"),
    (("optimizer/schedule=foo",), "optimizer/schedule=foo: unknown; expected one of chain"),
    (("+experiment=foo",), "\\+experiment=foo: unknown; expected one of notebook, notebook_layer"),
    (("+experiment=[notebook,foo]",), "experiment=foo: unknown; expected one of notebook, notebook_layer"),
    (("experiment=notebook",), "experiment=notebook: expected \\+experiment=notebook"),
    (("optimizer._target_=os.system",), "optimizer._target_=os.system: expected a part"),
    (("optimizer._target_=3",), "optimizer._target_=3: expected a class's full name"),
    (
        ("optimizer._target_=nnexp.losses.CrossEntropy",),
        "optimizer._target_=nnexp.losses.CrossEntropy: expected a class",
    ),
    # Values.
    (("seed=1.5",), "seed=1.5: expected an integer 0 to 4294967295"),
    (("seed=-1",), "seed=-1: expected an integer 0 to 4294967295"),
    (("seed=4294967296",), "seed=4294967296: expected an integer 0 to 4294967295"),
    (("seed=",), "seed=: expected an integer"),
    (("seed=null",), "seed=null: expected an integer"),
    (("seed=[1]",), "seed=\\[1\\]: expected an integer"),
    (("seed={a:1}",), "seed={'a': 1}: expected an integer"),
    (("dtype=float16",), "dtype=float16: expected one of float32, float64"),
    (("streams=foo",), "streams=foo: expected one of independent, notebook"),
    (("accumulate=true",), "accumulate=true: expected float64 or null"),
    (("loss=foo",), "loss=foo: unknown; expected one of cross_entropy"),
    (("loss.clip=2",), "loss.clip=2: expected a number above 0, below 0.5 or null"),
    (("budget.iterations=0",), "budget.iterations=0: expected an integer 1 or more or null"),
    (("budget.iterations=1.5",), "budget.iterations=1.5: expected an integer 1 or more or null"),
    (("budget.iterations=null",), "budget.iterations=null: expected at least one of"),
    (
        ("budget.iterations=1e300",),
        "budget.iterations=1e\\+300: expected an integer of at most 9223372036854775807",
    ),
    (("budget.seconds=0",), "budget.seconds=0: expected a number above 0 or null"),
    (("budget.measure=foo",), "budget.measure=foo: expected one of auto, loss"),
    (("optimizer.learning_rate=-1",), "optimizer.learning_rate=-1: expected a number above 0"),
    (
        ("optimizer.learning_rate=" + "9" * 400,),
        "optimizer.learning_rate=9{200}...: expected a number above 0",
    ),
    (("optimizer.learning_rate=1e999",), "optimizer.learning_rate=inf: expected a number above 0"),
    (("optimizer.momentum=1",), "optimizer.momentum=1: expected a number 0 or more, below 1"),
    (("optimizer.momentum=nan",), "optimizer.momentum=nan: expected a number 0 or more, below 1"),
    (("optimizer.batch_size=0",), "optimizer.batch_size=0: expected an integer 1 or more or null"),
    (("optimizer.batch_size=1000",), "optimizer.batch_size=1000: expected 1 to 300"),
    (("optimizer.schedule=foo",), "optimizer.schedule=foo: expected one of chain"),
    (("optimizer=openai_es", "optimizer.population=3"), "openai_es.population=3: expected an even number"),
    (("dataset.classes=257",), "dataset.classes=257: expected an integer 2 to 256"),
    (("dataset.samples=0",), "dataset.samples=0: expected an integer 1 or more"),
    (("dataset=points",), "dataset.inputs, dataset.targets: the points dataset needs both"),
    (
        ("dataset=points", "dataset.inputs=[[1],[2,3]]", "dataset.targets=[[1],[2]]"),
        "dataset.inputs, dataset.targets: expected rows of equal length",
    ),
    (
        ("dataset=points", "dataset.inputs=[[]]", "dataset.targets=[[]]"),
        "dataset=points: 1 samples of 0 features",
    ),
    (
        ("architecture.hidden=3",),
        "architecture.hidden=3: expected a list of integers, each 1 or more, as \\[3\\]",
    ),
    (
        ("architecture.hidden=[-1]",),
        "architecture.hidden=\\[-1\\]: expected a list of integers, each 1 or more",
    ),
    (("architecture.hidden=[3,a]",), "architecture.hidden=\\[3, a\\]: expected a list of integers"),
    (
        ("architecture.activation=relu6",),
        "architecture.activation=relu6: expected one of .*; did you mean relu?",
    ),
    (
        ("architecture.activation=softmax",),
        "architecture.activation=softmax: expected a function of each number",
    ),
    (("architecture.output=relu",), "loss=cross_entropy after output=relu: expected"),
    (("architecture.weights=[[1]]",), "architecture.weights: 1 layers given, the network has 2"),
    (("architecture=layers", "architecture.layers=[foo]"), "architecture.layers\\[0\\]=foo: expected one of"),
    (("architecture=cnn",), "conv2d: features of shape \\(2,\\), expected"),
    # Memory, asked before it is taken.
    ((f"dataset.samples={HUGE}",), f"dataset.samples={HUGE}: 3,000,000,000,300 samples take"),
    (("dataset.samples=1000000000000000000",), "dataset.samples=1000000000000000000: 3e\\+18 samples take"),
    ((f"dataset.test_samples={HUGE}",), f"dataset.test_samples={HUGE}: 3,000,000,000,300 samples take"),
    (
        (f"architecture.hidden=[{HUGE}]",),
        f"architecture.hidden=\\[{HUGE}\\]: 6,000,000,000,003 parameters take",
    ),
    (
        ("architecture=layers", f"architecture.layers=[{{name:dense,neurons:{HUGE}}}]"),
        f"architecture.layers\\[0\\].neurons={HUGE}: 6,000,000,000,003 parameters take",
    ),
    (
        ("optimizer=es", f"optimizer.population={HUGE}"),
        f"optimizer.population={HUGE}: .* copies of the weights take",
    ),
    (
        ("optimizer=lbfgs", f"optimizer.history={HUGE}"),
        f"optimizer.history={HUGE}: .* copies of the weights take",
    ),
    (
        ("optimizer=random", f"optimizer.block={HUGE}", f"budget.iterations={HUGE}"),
        f"optimizer.block={HUGE}: .* copies of the weights take",
    ),
    # Sweeps.
    (("seed=1,2",), "seed=1,2: several values; add -m to sweep over them"),
    (("optimizer=sgd,random",), "optimizer=sgd,random: several values; add -m"),
    (("seed=range(0,3)",), "seed=range\\(0,3\\): several values; add -m"),
    (("hydra.mode=MULTIRUN",), "hydra.mode=MULTIRUN: expected without it; -m makes a sweep"),
    (("-m", "hydra.mode=RUN"), "hydra.mode=RUN: expected without -m"),
    (("hydra.mode=FOO",), "hydra.mode=FOO: Invalid value"),
    (
        ("-m", "optimizer=sgd,random", "optimizer.momentum=0.9"),
        "optimizer.momentum=0.9: unknown; .* only sgd has it; .*"
        "'sweep.grid=\\[{optimizer:sgd,optimizer.momentum:0.9},{optimizer:random}\\]'",
    ),
    (("-m", "optimizer=sgd,sgdd"), "optimizer=sgdd: unknown; .*; did you mean sgd?"),
    (("seed=0,-1", "-m"), "seed=-1: expected an integer 0"),
    (("-m", "seed=range(0,0)"), "seed=range\\(0,0\\): expected one value or more"),
    (("-m", "seed=range(0,10,0)"), "seed=range\\(0,10,0\\): expected range\\(start, stop, step\\)"),
    (("-m", "seed=range(0,inf)"), "seed=range\\(0,inf\\): expected range\\(start, stop, step\\)"),
    (("-m", "seed=glob(*)"), "seed=glob\\(\\*\\): expected one value or more"),
    (("-m", "seed=interval(0,1)"), "seed=interval\\(0,1\\): expected values"),
    (
        ("-m", "seed=range(0,1000000000)"),
        "seed=range\\(0,1000000000\\): 1,000,000,000 jobs; expected at most 100,000",
    ),
    (
        ("-m", "seed=shuffle(range(0,1000000000))"),
        "seed=shuffle.*: 1,000,000,000 jobs; expected at most 100,000",
    ),
    (("-m", "seed=range(0,1,1e-300)"), "seed=range\\(0,1,1e-300\\): 1e\\+300 jobs; expected at most 100,000"),
    (
        ("-m", "seed=range(0,400)", "seeds.init=range(0,400)"),
        "seed has 400, seeds.init has 400: 160,000 jobs",
    ),
    (("-m", "sweep.grid=[]"), "sweep.grid=\\[\\]: expected one block of axes or more"),
    (("-m", "sweep.grid=3"), "sweep.grid=3: expected a list of settings or null"),
    (("-m", "sweep.grid=[{}]"), "sweep.grid\\[0\\]: expected one axis or more"),
    (
        ("-m", "sweep.grid=[{seed:'range(0,1000000000)'}]"),
        "sweep.grid\\[0\\].seed=range.*: 1,000,000,000 jobs",
    ),
    (
        ("-m", "sweep.grid=[{optimizer:'glob(x*)'}]"),
        "sweep.grid\\[0\\].optimizer=glob\\(x\\*\\): expected one value",
    ),
    (("sweep.grid=[{seed:'1,2'}]",), "sweep.grid: expected with -m"),
    ((*SWEEP, "sweep.trials=3"), "sweep.trials=3: expected with an axis that has an interval"),
    (
        ("-m", f"sweep.trials={HUGE}", "optimizer.learning_rate=interval(0,1)"),
        f"sweep.trials={HUGE}: 1,000,000,000,000 jobs; expected at most 100,000",
    ),
    ((*SWEEP, "hydra.launcher.n_jobs=0"), "hydra.launcher.n_jobs=0: expected 1 to 1024, or -1"),
    ((*SWEEP, "hydra.launcher.n_jobs=1000000000"), "hydra.launcher.n_jobs=1000000000: expected 1 to 1024"),
    ((*SWEEP, "hydra.launcher.n_jobs=x"), "hydra.launcher.n_jobs=x: Value 'x' of type 'str'"),
    ((*SWEEP, "hydra.launcher.group=0"), "hydra.launcher.group=0: expected 1 or more or null"),
    ((*SWEEP, "hydra.launcher.backend=mpi"), "hydra.launcher.backend=mpi: expected one of loky"),
    (("hydra/launcher=foo",), "hydra/launcher=foo: unknown; expected one of basic, batched"),
    (("hydra.foo=1",), "hydra.foo=1: unknown; expected one of those that --cfg hydra shows"),
    (
        ("hydra.searchpath=[file://nowhere]",),
        "hydra.searchpath=\\[file://nowhere\\]: expected folders that are there",
    ),
    (("sweep.resume=true",), "sweep.resume=true: expected with -m"),
    ((*SWEEP, "sweep.resume=true"), "sweep.resume=true: expected an earlier start of the same sweep"),
    ((*SWEEP, "sweep.resume=latest"), "sweep.resume=latest: expected a sweep in experiment nnexp"),
    ((*SWEEP, 'sweep.resume="it\'s"'), "sweep.resume=it's: expected a sweep's id in experiment nnexp"),
    # Places.
    (("hydra.run.dir=/proc/foo",), "hydra.run.dir=/proc/foo: expected a folder that can be written"),
    (("hydra.run.dir=null",), "hydra.run.dir=null: field"),
    (("hydra.run.dir=" + "a" * 5000,), "hydra.run.dir=.*: expected a folder that can be written"),
    (
        (*SWEEP, "hydra.sweep.dir=/proc/foo"),
        "hydra.sweep.dir=/proc/foo: expected a folder that can be written",
    ),
    (("tracking.uri=",), "tracking.uri=: expected text that is not empty or null"),
    (("tracking.uri=3",), "tracking.uri=3: expected text that is not empty or null"),
    (("tracking.uri=ftp://x/y",), "tracking.uri=ftp://x/y: expected sqlite:///FILE or an http"),
    (("tracking.uri=sqlite:///",), "tracking.uri=sqlite:///: expected a file"),
    (("tracking.uri='http://[::1'",), "tracking.uri=http://\\[::1: expected an address"),
    (("tracking.uri=http://x:99999999",), "tracking.uri=http://x:99999999: expected an address"),
    (
        ("tracking.uri=http://127.0.0.1:9",),
        "tracking.uri=http://127.0.0.1:9: expected an MLflow server that answers",
    ),
    (
        ("--end-stale", "tracking.uri=http://127.0.0.1:9"),
        "tracking.uri=http://127.0.0.1:9: expected an MLflow server",
    ),
    (
        ("tracking.uri=sqlite:////proc/x/y.db",),
        "tracking.uri=.*: expected an SQLite file that can be written",
    ),
    (("tracking.experiment=",), "tracking.experiment=: expected text that is not empty"),
    (
        ("tracking.experiment=" + "a" * 501,),
        "tracking.experiment=a{200}...: expected .*, at most 500 characters",
    ),
    (("tracking.points=0",), "tracking.points=0: expected an integer 1 or more or auto or null"),
    (("tracking.snapshots=1",), "tracking.snapshots=1: expected an integer 2 or more"),
    (("tracking.flush_seconds=inf",), "tracking.flush_seconds=inf: expected a number above 0"),
]

OWN = ("--config-dir", "own", "+experiment=mine")
MINE = "own/experiment/mine.yaml"

FILES: list[tuple[tuple[str, ...], str, bytes, str]] = [
    (OWN, MINE, b"seed: [1\nx: 2\n", rf".*/{MINE}, line 2: expected YAML"),
    (OWN, MINE, b"seed:\t1\n\tx: 2\n", rf".*/{MINE}, line 1: expected YAML \(found character a tab"),
    (OWN, MINE, b"seed: 1\nseed: 2\n", rf".*/{MINE}, line 2: expected YAML \(found duplicate key seed"),
    (OWN, MINE, b"\x00\x01\xff\xfe binary", rf".*/{MINE}: expected a YAML file in UTF-8"),
    (
        OWN,
        MINE,
        b"# @package _global_\ndefaults:\n  - mine\n",
        rf".*/{MINE}, line 3: its defaults list includes",
    ),
    (OWN, MINE, b"defaults: [/experiment/mine]\n", rf".*/{MINE}, line 1: its defaults list includes"),
    (OWN, MINE, b"defaults: [nowhere]\n", "experiment=nowhere: unknown"),
    (("-m", *OWN), MINE, b"a: [\n", rf".*/{MINE}, line 2: expected YAML"),
    (
        ("--config-dir", "own", "optimizer=mine"),
        "own/optimizer/mine.yaml",
        b"- 1\n",
        "optimizer=\\[1\\]: expected",
    ),
    (
        ("--config-dir", "own", "optimizer=mine"),
        "own/optimizer/mine.yaml",
        b"",
        "optimizer.name=null: expected",
    ),
    (
        ("--config-dir", "own", "architecture.activation=mine"),
        *("own/architecture/activation/mine.yaml", b"a: [\n", ".*/mine.yaml, line 2: expected YAML"),
    ),
    (
        ("--config-dir", "own", "--help", "optimizer"),
        "own/optimizer/mine.yaml",
        b"a: [\n",
        ".*/mine.yaml, line 2",
    ),
    (
        ("tracking.uri=sqlite:///text.db",),
        "text.db",
        b"a text",
        "tracking.uri=.*: expected .*a file of another kind",
    ),
    (("tracking.uri=sqlite:///d",), "d/file", b"", "tracking.uri=.*: expected .*Is a directory"),
    (("tracking.uri=sqlite:///f/x.db",), "f", b"", "tracking.uri=.*: expected .*Not a directory"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where a command runs that knows nothing of those before it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "_ADDED", [])
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("NNEXP_TRACEBACK", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def refused(arguments: tuple[str, ...], line: str) -> None:
    """A command is refused by one line, at once, and leaves nothing."""
    before = sorted(Path().rglob("*"))
    error, since = io.StringIO(), time.process_time()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        code = main(list(arguments))
    took = time.process_time() - since
    assert re.match(f"nnexp: {line.removesuffix('?')}", error.getvalue()), error.getvalue()
    assert error.getvalue().count("\n") == 1
    assert (code, sorted(Path().rglob("*"))) == (2, before)
    assert took < SECONDS


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
