"""A table of faults that were found once: the input, what it led to, and what it leads to now.

    python tests/faults_table.py

Whatever can be had in one process is done while the table is printed; of the others the tests are named, which need
processes of their own.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from commands import here
from made_sweeps import METHODS, made_sweep, spread
from test_stats_answers import timed

from nnexp.config.schema import Sweep
from nnexp.losses import CrossEntropy, measure, target
from nnexp.network import Sigmoid
from nnexp.stats import compare, judge
from nnexp.stats.aggregates import aggregate
from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.identity import config_hash, sweep_key
from nnexp.tracking import locations
from nnexp.training import train


class Fault(NamedTuple):
    """A fault: its number, an input, what it led to, and how to see what it leads to now."""

    number: str
    given: str
    before: str
    now: Callable[[Path], str] | str


def command(*arguments: str) -> Callable[[Path], str]:
    """A command that ends before anything is trained: its exit code and its line."""

    def run(place: Path) -> str:
        done = here(place, *arguments)
        lines = (done.stderr or done.stdout).strip().splitlines()
        return f"exit {done.returncode}: {lines[-1]}" + ("" if len(lines) == 1 else f" ({len(lines)} lines)")

    return run


def refused(number: str, before: str, *arguments: str) -> Fault:
    return Fault(number, " ".join(arguments), before, command(*arguments))


def diverged_task(_: Path) -> str:
    runs, history = made_sweep(spread(gap=0.2, tasks=2), METHODS)
    runs.loc[runs["dataset.name"] == "vertical", ["status", "val_loss"]] = ["diverged", np.nan]
    found = judge(runs, history)
    return f"{found.headline} {next(iter(found.comparisons.values())).left_out}"


def exploding_batches(_: Path) -> str:
    (config,) = compose(
        [[
            "architecture=single_layer", "architecture.output=linear", "loss=squared_error", "dataset.samples=20",
            "optimizer.batch_size=10", "optimizer.learning_rate=3", "budget.iterations=50",
        ]]
    )  # fmt: skip
    (run,) = train(config, None, 2)
    return f"{run.status} at iteration {run.iterations}"


def one_answer(_: Path) -> str:
    runs, history = made_sweep(np.array([[[1.0] * 6 + [0.0], [0.9] * 7]]), ["a", "b"])
    return judge(runs[runs["run_id"] != "spiral-b-6"], history, axes=["iteration"]).headline


def unlike_sizes(_: Path) -> str:
    ramp = 1 + 0.01 * np.arange(8)
    return compare(*made_sweep(np.array([[ramp, 1e79 * ramp]]), ["a", "b"])).verdict.splitlines()[0]


def two_tasks(_: Path) -> str:
    points = [[[number, 0] for number in range(600)] for _ in range(2)]
    points[1][500] = [-1, 0]
    targets = [[1]] * 600
    one, two = compose(
        [["dataset=points", f"dataset.inputs={given}", f"dataset.targets={targets}", "loss=squared_error",
          "architecture.output=linear"] for given in points]
    )  # fmt: skip
    return "two tasks" if config_hash(one) != config_hash(two) else "one task"


def other_grid(_: Path) -> str:
    one, two = ({"optimizer": name} for name in ("random", "sgd"))
    keys = {sweep_key(["seed=0,1"], Sweep(grid=[grid])) for grid in (one, two)}
    return "another sweep" if len(keys) == 2 else "the same sweep"


def level(_: Path) -> str:
    levels = {n: compare(*made_sweep(spread(seeds=n), METHODS)).summary["median_level"][0] for n in (3, 5, 6)}
    return ", ".join(f"{n} runs: {value:.4g}" for n, value in levels.items())


def leading_axis(_: Path) -> str:
    runs, history = made_sweep(spread(gap=0.2)[:, :2], ["random", "sgd"])
    history["evaluations"] = 3 * history["iteration"]
    runs = runs.assign(**{"budget.iterations": None, "budget.evaluations": 300})
    return judge(runs, history).headline


def ends_of_numbers(_: Path) -> str:
    z = np.array([[2e38], [-2e38]], np.float32)
    with np.errstate(all="ignore"):
        loss = measure(CrossEntropy(), z, target(np.array([0]), 2, "float32")).loss
        a = np.array([[-20.0]], np.float32)
        for call in Sigmoid().forward(a):
            call()
    return f"loss {float(np.ravel(loss)[0]):g}; sigmoid(-20) = {float(a[0, 0]):.3g}"


def held_estimate(_: Path) -> str:
    v = np.array([0.0] * 14 + [43, 43, 12, 12, 12])
    found = aggregate([v, v[::-1] ** 2 / 1e3, v + 1], 0.95, 50, np.random.default_rng(0))
    iqm = found.iqm
    return f"{iqm.value:.6f} in [{iqm.low:.6f}, {iqm.high:.6f}]"


def odd_name(_: Path) -> str:
    return locations.ui_command("sqlite:////runs of what?/it's 100%/mlflow.db")


HUGE = "1000000000000"
FAULTS = [
    Fault("A1", "all runs of a task diverge", "KeyError, exit 1", diverged_task),
    Fault("A2", "mini-batches that explode", "finished, loss NaN", exploding_batches),
    Fault("A3", "a: 1 six times and 0 once, b: 0.9", "a has the best mean; b is better", one_answer),
    Fault("A4", "answers of 1 and of 1e79", "IndexError", unlike_sizes),
    Fault("A5", "equal curves, shared clocks of 1.00 and 1.02 s", "a is better, p = 0.0078",
          lambda _: judge(*timed(8), axes=["seconds"]).headline),
    Fault("A6", "points that differ after the 400th", "one task, half of the runs left out", two_tasks),
    Fault("A7", "results folder moved and back", "12 of 20 rows", "pytest tests/test_results_files.py"),
    Fault("A8", "resume with another sweep.grid", "sgd runs join the random sweep", other_grid),
    Fault("A9", "level of a median's interval", "95 %, covers 74 to 77", level),
    Fault("A10", "budget.evaluations", "at equal iterations", leading_axis),
    Fault("A11", "softmax of (2e38, -2e38); sigmoid(-20)", "NaN; 0", ends_of_numbers),
    Fault("A12", "equal means, unlike shapes", "false alarms .07 to .53, nothing said",
          "pytest tests/test_stats_means.py"),
    Fault("A13", "an IQM over three tasks", "0.428690 in [0.428746, ...]", held_estimate),
    Fault("B1", "store deleted or replaced", "exit 0, nothing stored", "pytest tests/test_store_lost.py"),
    Fault("B2", "resumed elsewhere, or twice at once", "doubled", "pytest tests/test_claim.py"),
    Fault("B3-B4", "server that loses answers, or is gone", "ghosts; 312 s a run",
          "pytest -m soak tests/test_server_gone.py"),
    Fault("B5", "artifacts deleted, resumed", "they stay gone", "pytest tests/test_resume_files.py"),
    Fault("B6", "damaged files", "a traceback", "pytest tests/test_results_damaged.py"),
    Fault("B7", "full disks", "66 tracebacks", "pytest -m 'soak or not soak' tests/test_disk_full.py"),
    Fault("B8", "a folder named with ? and '", "another place; no shell command", odd_name),
    Fault("B9", "output closed or piped", "crashes; killed silently", "pytest tests/test_surroundings.py"),
    Fault("B10-B11", "lowest versions", "hangs; tests fail", ".ci/lowest"),
    Fault("C1", "servers behind passwords", "refused", "pytest tests/test_servers_asked.py"),
    refused("C2", "argparse's usage", "seed=1", "-m", "optimizer=sgd,random", "--dry-run"),
    refused("C3", "traceback, exit 1", "hydra.mode=MULTIRUN"),
    refused("C3", "traceback, exit 1", "-m", "seed=range(0,0)"),
    refused("C3", "traceback, exit 1", "-m", "seed=glob(*)"),
    refused("C3", "traceback, exit 1", "=1"),
    refused("C3", "traceback, exit 1", f"dataset.samples={HUGE}"),
    refused("C3", "traceback, exit 1", "architecture.hidden=[1000000000]"),
    refused("C3", "traceback, exit 1", "tracking.uri='http://[::1'"),
    refused("C3", "traceback, exit 1", "-m", 'sweep.resume="it\'s"', "seed=0,1"),
    refused("C4", "never ends", f"tracking.points={HUGE}", "--dry-run"),
    refused("C4", "takes 5 GB", "-m", "hydra.launcher.n_jobs=1000000000", "seed=0,1"),
    refused("C4", "grows without end", "-m", "seed=range(0,1000000000)"),
    refused("C5", "refused", "-m", "sweep.resume=auto", "seed=0,1", "--dry-run"),
    refused("C6", "10000.0: expected an integer", "budget.iterations=1e4", "--dry-run"),
    refused("C6", "unclear", "optimizer=sgd,random"),
    refused("C6", "unclear", "-m", "optimizer=sgd,random", "optimizer.momentum=0.9"),
    refused("C6", "unclear", "architecture.hidden=3"),
    refused("C6", "unclear", "optimizer=adm"),
    refused("C6", "unclear", "+experiment=foo"),
    Fault("D", "a password in tracking.uri", "in tags, files and messages",
          lambda _: locations.conceal("tracking.uri=https://me:secret@host.example/mlflow")),
]  # fmt: skip


def main() -> None:
    """Print the table."""
    for fault in FAULTS:
        if isinstance(fault.now, str):
            now = fault.now
        else:
            with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
                now = fault.now(Path(place))
        print(f"{fault.number:8} {textwrap.shorten(fault.given, 100)}")
        print(f"         before: {fault.before}")
        print(f"         now:    {textwrap.shorten(now, 180)}")


if __name__ == "__main__":
    main()
