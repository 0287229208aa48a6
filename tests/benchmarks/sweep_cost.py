"""What a sweep costs: the plain way, nnexp one run after another, and nnexp in groups, side by side.

    python tests/benchmarks/sweep_cost.py --seeds 100

Each is the command of a user in a folder of its own, on a new store: N seeds x (random, perturb, sgd), default
settings. The plain way and the basic launcher may be measured on fewer seeds (``--plain-seeds``,
``--basic-seeds``): twice, on one seed and on those, and the rest is counted at the difference a run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("random", "perturb", "sgd")
PLAIN = [str(ROOT / "tests" / "benchmarks" / "plain_way.py")]
NNEXP = ["-m", "nnexp.run"]


class Cost(NamedTuple):
    """Of one way: runs, seconds on the clock and of processors, peak memory in bytes.

    ``scaled`` says that some of its runs were not measured but counted.
    """

    runs: int
    seconds: float
    processor: float
    memory: int
    scaled: bool = False
    timings: dict[str, float] | None = None


class Bench:
    """Sweeps that are measured in turns, each ``rounds`` times; the fastest counts."""

    def __init__(self, place: Path, rounds: int) -> None:
        self.place, self.rounds = place, rounds

    def __call__(self, *sweeps: Sweep) -> list[Cost]:
        """What each costs."""
        turns = [[self._measure(sweep) for sweep in sweeps] for _ in range(self.rounds)]
        return [min(costs, key=lambda cost: cost.seconds) for costs in zip(*turns, strict=True)]

    def _measure(self, sweep: Sweep) -> Cost:
        # What is removed only afterwards cannot keep the disk busy while others are measured.
        return measure(Path(tempfile.mkdtemp(dir=self.place)), *sweep)


class Sweep(NamedTuple):
    """A command's sweep over ``seeds`` seeds; ``jobs`` is how many it is said to have."""

    command: list[str]
    seeds: int
    overrides: tuple[str, ...]
    jobs: int


def measure(folder: Path, command: list[str], seeds: int, overrides: tuple[str, ...], jobs: int) -> Cost:
    """Run a sweep in ``folder`` and watch its processes.

    Raises:
        RuntimeError: it failed.
    """
    runs = seeds * len(METHODS)
    sweep = ["-m", f"optimizer={','.join(METHODS)}", f"seed=range(0,{seeds})", *overrides]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "PLAIN_JOBS": str(jobs), "COLUMNS": "80"}
    variables |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with open(folder / "out", "wb") as out:
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command, *sweep], cwd=folder, env=variables, stdout=out, stderr=out
        )
        watch = Memory(process.pid)
        code = process.wait()
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = watch.end()
    if code:
        raise RuntimeError((folder / "out").read_text()[-3000:])
    found = list(folder.glob("runs/hydra/*/*/timings.json"))
    timings = json.loads(found[0].read_text()) if found else None
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(runs, seconds, processor, peak, False, timings)


class Memory:
    """The most memory that a process and its children have together (proportional set size)."""

    def __init__(self, pid: int) -> None:
        self.peak, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(psutil.Process(pid),))
        self._thread.start()

    def end(self) -> int:
        self._over.set()
        self._thread.join()
        return self.peak

    def _watch(self, process: psutil.Process) -> None:
        # To add up a process that has MLflow loaded takes 5 ms of processor: not often.
        while not self._over.wait(1.0):
            total = 0
            try:
                for one in [process, *process.children(recursive=True)]:
                    total += one.memory_full_info().pss
            except (psutil.Error, OSError):
                continue
            self.peak = max(self.peak, total)


def parts(command: list[str], seeds: int, measured: int, *overrides: str) -> list[Sweep]:
    """The sweeps that tell what ``seeds`` seeds cost: it, or those of one and of ``measured`` seeds."""
    jobs = seeds * len(METHODS)
    if measured >= seeds:
        return [Sweep(command, seeds, overrides, jobs)]
    # What is drawn and how many rows are sent depends on the number of runs.
    given = {text.split("=")[0] for text in overrides}
    as_many = ("tracking.figures=false", "tracking.model=false", "tracking.points=5") if jobs > 24 else ()
    more = tuple(text for text in as_many if text.split("=")[0] not in given)
    return [Sweep(command, n, (*overrides, *more), jobs) for n in (1, measured)]


def scaled(costs: list[Cost], jobs: int) -> Cost:
    """The cost of ``jobs`` runs from those of :func:`parts`."""
    if len(costs) == 1:
        return costs[0]
    one, some = costs
    rest = (jobs - one.runs) / (some.runs - one.runs)
    seconds = one.seconds + rest * (some.seconds - one.seconds)
    processor = one.processor + rest * (some.processor - one.processor)
    return Cost(jobs, seconds, processor, some.memory, True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--plain-seeds", type=int, default=4)
    parser.add_argument("--basic-seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1, help="of which the fastest counts")
    parser.add_argument("--hidden", type=int, nargs="+", default=[3, 64])
    parser.add_argument("--overrides", nargs="*", default=[], help="for all, as tracking.figures=true")
    given = parser.parse_args()
    if given.plain_seeds == 1 or given.plain_seeds < 0 or given.basic_seeds < 2:
        parser.error(
            "--plain-seeds, --basic-seeds: expected 2 or more, the cost of a run is a difference; "
            "--plain-seeds 0 leaves it out"
        )
    with tempfile.TemporaryDirectory(prefix="nnexp-cost-") as place:
        compare(given, Bench(Path(place), given.rounds))


def compare(given: argparse.Namespace, bench: Bench) -> None:
    """Print the tables."""
    jobs = given.seeds * len(METHODS)
    print(
        f"{given.seeds} seeds x {', '.join(METHODS)}; {os.cpu_count()} cores; * counted from fewer seeds; "
        f"fastest of {given.rounds}\n"
    )
    print(
        f"{'hidden':>6}  {'way':30} {'runs':>5} {'wall s':>9} {'ratio':>7} {'runs/s':>7} "
        f"{'CPU s':>8} {'ratio':>7} {'peak MB':>8}"
    )
    grouped = {}
    for hidden in given.hidden:
        more = (f"architecture.hidden=[{hidden}]", *given.overrides)
        plain = {"the plain way": parts(PLAIN, given.seeds, given.plain_seeds, *more)}
        ways = (plain if given.plain_seeds else {}) | {
            "nnexp, hydra/launcher=basic": parts(
                NNEXP, given.seeds, given.basic_seeds, *more, "hydra/launcher=basic"
            ),
            "nnexp": [Sweep(NNEXP, given.seeds, more, jobs)],
        }
        costs = iter(bench(*(sweep for sweeps in ways.values() for sweep in sweeps)))
        of = {name: scaled([next(costs) for _ in sweeps], jobs) for name, sweeps in ways.items()}
        ours = grouped[hidden] = of["nnexp"]
        for name, cost in of.items():
            mark = "*" if cost.scaled else " "
            print(
                f"{hidden:6}  {name:30} {cost.runs:5} {cost.seconds:8.1f}{mark} "
                f"{cost.seconds / ours.seconds:6.1f}x {cost.runs / cost.seconds:7.2f} {cost.processor:8.1f} "
                f"{cost.processor / ours.processor:6.1f}x {cost.memory / 1e6:8.0f}",
                flush=True,
            )
    shares(grouped, given.overrides, bench)


def shares(grouped: dict[int, Cost], overrides: list[str], bench: Bench) -> None:
    """Where the time of nnexp's sweeps went, and what a run costs beside its training."""
    print("\nnnexp, seconds; training and workers' other work are divided by the number of workers")
    print(f"{'hidden':>6} {'composing':>10} {'training':>9} {'workers':>8} {'recording':>10} {'wall':>7}")
    for hidden, cost in grouped.items():
        t = cost.timings
        if t is None:
            print(f"{hidden:6}  no timings.json")
            continue
        training, rest = t["training"] / t["workers"], (t["working"] - t["training"]) / t["workers"]
        print(
            f"{hidden:6} {t['composing']:10.2f} {training:9.2f} {rest:8.2f} {t['recording']:10.2f} "
            f"{cost.seconds:7.2f}"
        )
        less = (cost.seconds - training) / cost.runs * 1000
        print(f"{'':6} wall less training: {less:.1f} ms a run, the start of the process among them")
    more = ("budget.iterations=1", *overrides)
    small, large = bench(*(Sweep(NNEXP, n, more, n * len(METHODS)) for n in (10, 60)))
    a_run = (large.seconds - small.seconds) / (large.runs - small.runs)
    print(f"\nA run of one iteration more costs {a_run * 1000:.1f} ms (180 runs less 30).")


if __name__ == "__main__":
    main()
