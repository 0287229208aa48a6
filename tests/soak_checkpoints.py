"""Runs and sweeps that SIGKILL ends at random moments, and that go on from their checkpoints.

    python tests/soak_checkpoints.py --repetitions 100

Each repetition begins a single run, a sweep in one group of its own process, or one in groups on two workers, and kills
it at a random moment; or a worker of it, and lets the sweep end. What was killed is resumed, now and then killed again.
Then every run must be there once, FINISHED, with the history, snapshots and weights of an undisturbed run, bit for bit,
and each of its rows once; and a run must have gone on from the iteration of the checkpoint that was there.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from commands import children, here, runs, start
from whole_runs import assert_whole, config_of, saved

from nnexp.config.schema import from_mapping
from nnexp.training import train

SETTINGS = (
    *("dataset.samples=10", "dataset.test_samples=4", "architecture.hidden=[3]", "tracking=lean"),
    *("tracking.checkpoint_seconds=0.1", "tracking.flush_seconds=0.5"),
)
METHODS = {
    "annealing": ("budget.iterations=60000",),
    "sgd": ("budget.iterations=100000", "optimizer.momentum=0.9"),
    "adam": ("budget.iterations=50000", "optimizer.batch_size=7"),
    "es": ("budget.iterations=200000",),
    "coordinate": ("budget.iterations=60000",),
    "lbfgs": ("budget.iterations=10000",),
}
"""Some seconds of each."""

KINDS = ("run", "group", "sweep", "worker")
MOST_STARTS = 12


def command(kind: str, method: str, number: int) -> tuple[str, ...]:
    words = (f"optimizer={method}", *SETTINGS, *METHODS[method])
    if kind == "run":
        return (*words, f"seed={number}")
    seeds = ",".join(str(1000 * (at + 1) + number) for at in range(3))
    jobs = (
        ("hydra.launcher.n_jobs=1",)
        if kind == "group"
        else ("hydra.launcher.n_jobs=2", "hydra.launcher.group=2")
    )
    return ("-m", *words, f"seed={seeds}", *jobs)


class Told:
    """What has happened: kills, starts, iterations that were trained twice."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._killed = 0.0

    def repetition(self, place: Path, number: int, chance: random.Random, seconds: float) -> str:
        """One run or sweep, killed and gone on with until it ends well; what was done to it.

        Raises:
            AssertionError: it is not what an undisturbed one is.
        """
        kind, method = chance.choice(KINDS), chance.choice(list(METHODS))
        words = command(kind, method, number)
        said = [kind, method]
        resume: tuple[str, ...] = ()
        again = ("resume=latest",) if kind == "run" else ("sweep.resume=true",)
        left: dict[str, int] = {}
        for at in range(MOST_STARTS):
            if at and chance.random() < 0.6:
                done = here(place, *words, *resume)
                code, error = done.returncode, done.stderr
            else:
                process = start(place, *words, *resume, start_new_session=True)
                if chance.random() < 0.7:
                    # Most of its time a short sweep does not train.
                    before = saved(place)
                    while process.poll() is None and saved(place) == before:
                        time.sleep(0.05)
                    moment = chance.uniform(0, 1.5)
                else:
                    moment = chance.uniform(0, seconds)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(moment)
                said.append(self._kill(process, kind, chance))
                _, error = process.communicate(timeout=300)
                code = process.returncode
            if code == 0:
                break
            if code == 2 and resume and "expected an earlier" in error:
                resume = ()  # nothing had begun
                continue
            assert code == -signal.SIGKILL, f"{said}: exit {code}: {error[-1500:]}"
            resume, left = again, self._left(place, left)
        else:
            raise AssertionError(f"{said}: it was begun too often")
        self._check(place, kind, number, left)
        return " ".join(said)

    def _kill(self, process: subprocess.Popen[str], kind: str, chance: random.Random) -> str:
        if process.poll() is not None:
            return "too late"
        self.counts["kills"] += 1
        workers = children(process.pid) if kind == "worker" else []
        with suppress(ProcessLookupError):
            if workers:
                os.kill(chance.choice(workers), signal.SIGKILL)
                return "worker killed"
            os.killpg(process.pid, signal.SIGKILL)
            self._killed = time.time()
        return "killed"

    def _left(self, place: Path, before: dict[str, int]) -> dict[str, int]:
        # Workers outlive their sweep by half a second at most, and they are in its group.
        time.sleep(0.1)
        now = saved(place)
        assert all(now.get(key, at) >= at for key, at in before.items()), "a checkpoint went back"
        return now

    def _check(self, place: Path, kind: str, number: int, left: dict[str, int]) -> None:
        seeds = {str(number)} if kind == "run" else {str(1000 * (at + 1) + number) for at in range(3)}
        found = [run for run in runs(place) if run.data.params.get("seed") in seeds]
        states = Counter((run.data.params["seed"], run.info.status) for run in found)
        assert states == Counter({(seed, "FINISHED"): 1 for seed in seeds}), f"runs: {dict(states)}"
        for run in found:
            config = from_mapping(config_of(run))
            (whole,) = train(config)
            assert_whole(place, run, whole)
            self.counts["runs"] += 1
            begun = int(run.data.tags.get("nnexp.continued", 0))
            self.counts["runs that went on"] += begun > 0
            self._began(run, begun, left)

    def _began(self, run: Any, begun: int, left: dict[str, int]) -> None:
        """A run that was begun after the last kill began at the checkpoint that was there."""
        at = left.get(run.data.tags["nnexp.config_hash"], 0)
        if run.info.start_time / 1000 > self._killed:
            assert begun >= at, f"it went on from {begun}, with a checkpoint at {at}"
        self.counts["iterations not trained again"] += begun


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--first", type=int, default=0, help="number of the first repetition")
    given = parser.parse_args()
    # A shell's background jobs ignore SIGINT, and so would be what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = Path(tempfile.mkdtemp(prefix="nnexp-soak-checkpoints-"))
    begun = time.monotonic()
    with start(place, *command("sweep", "annealing", 99_999)) as process:
        process.communicate(timeout=600)
    seconds = time.monotonic() - begun
    print(f"a sweep takes {seconds:.1f} s; seed {given.seed}, {place}", flush=True)
    told, wrong = Told(), 0
    for number in range(given.first, given.first + given.repetitions):
        try:
            done = told.repetition(place, number, random.Random(f"{given.seed}/{number}"), seconds)
            print(f"{number:3}  equal  {done}", flush=True)
        except AssertionError as error:
            wrong += 1
            print(f"{number:3}  WRONG  {error}", flush=True)
    print(f"{given.repetitions} repetitions, {wrong} wrong; {dict(told.counts)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
