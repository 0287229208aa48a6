"""Runs and sweeps that SIGKILL ends at random moments, and that go on from their checkpoints.

    python tests/soak_checkpoints.py --kills 100

Each repetition begins a single run, a sweep in one group of its own process, or one in groups on two workers, and kills
it at a random moment; or a worker of it, and lets the sweep end. What was killed is resumed, now and then killed again.
Then every run must be there once, FINISHED, with the history, snapshots and weights of an undisturbed run, bit for bit,
and each of its rows once; and a run must have gone on from the checkpoint that was there, so that the iterations which
are trained twice are at most those since it. ``--at-once`` repetitions are made side by side.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from functools import cache
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from commands import children, here, made_store, runs, start
from whole_runs import assert_whole, config_of, saved

from nnexp.config.schema import digest, from_mapping
from nnexp.training import Run, train

SETTINGS = (
    *("dataset.samples=10", "dataset.test_samples=4", "architecture.hidden=[3]", "tracking=lean"),
    *("tracking.checkpoint_seconds=0.1", "tracking.flush_seconds=0.5"),
)
METHODS = {
    "annealing": (60_000, ()),
    "sgd": (100_000, ("optimizer.momentum=0.9",)),
    "adam": (50_000, ("optimizer.batch_size=7",)),
    "es": (200_000, ()),
    "coordinate": (60_000, ()),
    "lbfgs": (10_000, ()),
}
"""Iterations of a second or two, and settings."""

KINDS = ("run", "group", "sweep", "worker")
MOST_STARTS = 12


def command(kind: str, method: str) -> tuple[str, ...]:
    iterations, more = METHODS[method]
    words = (f"optimizer={method}", *SETTINGS, *more)
    if kind == "run":
        # As long as the three of a sweep, for a kill to come in time.
        return (*words, f"budget.iterations={3 * iterations}", "seed=0")
    words = (*words, f"budget.iterations={iterations}")
    jobs = (
        ("hydra.launcher.n_jobs=1",)
        if kind == "group"
        else ("hydra.launcher.n_jobs=2", "hydra.launcher.group=2")
    )
    return ("-m", *words, "seed=range(0,3)", *jobs)


class Wrong(Exception):
    """What a repetition left is not what it should be; of a kind: lost, doubled, unequal, trained again, other."""

    def __init__(self, kind: str, said: object) -> None:
        super().__init__(f"{kind}: {said}")
        self.kind = kind


class Done(NamedTuple):
    """What a repetition did, in words; how often what happened; and of which kind what is wrong is, empty for equal."""

    said: str
    counts: Counter[str]
    wrong: str


@cache
def undisturbed(key: str) -> Run:
    """The run of a config whose digest this is, trained here once."""
    (whole,) = train(CONFIGS[key])
    return whole


CONFIGS: dict[str, Any] = {}


class Repetition:
    """One run or sweep, killed and gone on with until it ends well."""

    def __init__(self, place: Path, chance: random.Random) -> None:
        self.place, self.chance, self.counts = place, chance, Counter[str]()
        self.kind, self.method = chance.choice(KINDS), chance.choice(list(METHODS))
        self.said = [self.kind, self.method]
        self._killed = 0.0

    def run(self, seconds: float) -> None:
        """Kill it and go on with it until it ends well, and see what it left.

        Args:
            seconds: that an undisturbed command takes.

        Raises:
            Wrong: it is not what an undisturbed one is.
        """
        place, chance = self.place, self.chance
        made_store(place)
        words, resume = command(self.kind, self.method), tuple[str, ...]()
        again = ("resume=latest",) if self.kind == "run" else ("sweep.resume=true",)
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
                self.said.append(self._kill(process))
                _, error = process.communicate(timeout=300)
                code = process.returncode
            if code == 0:
                break
            if code == 2 and resume and "expected an earlier" in error:
                resume = ()  # nothing had begun
                continue
            if code != -signal.SIGKILL:
                raise Wrong("other", f"exit {code}: {error[-1500:]}")
            resume, left = again, self._left(left)
        else:
            raise Wrong("other", "it was begun too often")
        self._check(left)

    def _kill(self, process: subprocess.Popen[str]) -> str:
        if process.poll() is not None:
            return "too late"
        workers = children(process.pid) if self.kind == "worker" else []
        self.counts["kills"] += 1
        with suppress(ProcessLookupError):
            if workers:
                os.kill(self.chance.choice(workers), signal.SIGKILL)
                return "worker killed"
            os.killpg(process.pid, signal.SIGKILL)
            self._killed = time.time()
        return "killed"

    def _left(self, before: dict[str, int]) -> dict[str, int]:
        # Workers outlive their sweep by half a second at most, and they are in its group.
        time.sleep(0.1)
        now = saved(self.place)
        if gone := {key: at for key, at in before.items() if now.get(key, at) < at}:
            raise Wrong("trained again", f"a checkpoint went back: {gone}")
        return now

    def _check(self, left: dict[str, int]) -> None:
        seeds = {"0"} if self.kind == "run" else {"0", "1", "2"}
        found = runs(self.place)
        states = Counter((run.data.params["seed"], run.info.status) for run in found)
        if states != Counter({(seed, "FINISHED"): 1 for seed in seeds}):
            ended = {seed for seed, status in states if status == "FINISHED"}
            raise Wrong("lost" if ended != seeds else "doubled", dict(states))
        if self.kind != "run" and [one.info.status for one in runs(self.place, "sweep")] != ["FINISHED"]:
            raise Wrong("doubled", "sweeps")
        for run in found:
            config = from_mapping(config_of(run))
            key = digest(config)
            CONFIGS[key] = config
            try:
                assert_whole(self.place, run, undisturbed(key))
            except AssertionError as error:
                raise Wrong("unequal", error) from error
            self.counts["runs"] += 1
            begun = int(run.data.tags.get("nnexp.continued", 0))
            self.counts["went on"] += begun > 0
            self.counts["iterations"] += int(run.data.tags["nnexp.iterations"])
            self.counts["iterations not trained again"] += begun
            # One that was begun after the last kill began at the checkpoint that was there.
            at = left.get(run.data.tags["nnexp.config_hash"], 0)
            if run.info.start_time / 1000 > self._killed and begun < at:
                raise Wrong("trained again", f"it went on from {begun}, with a checkpoint at {at}")


def repetition(place: Path, seed: str, seconds: float) -> Done:
    """One repetition in a folder of its own, which stays if it is wrong."""
    one, wrong = Repetition(place, random.Random(seed)), ""
    place.mkdir()
    try:
        one.run(seconds)
    except Wrong as error:
        one.said.append(f"WRONG {error}")
        wrong = error.kind
    if not wrong:
        shutil.rmtree(place, ignore_errors=True)
    return Done(" ".join(one.said), one.counts, wrong)


WRONG = ("lost", "doubled", "unequal", "trained again", "other")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="how many in all")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--first", type=int, default=0, help="number of the first repetition")
    parser.add_argument("--at-once", type=int, default=2, help="repetitions made side by side")
    given = parser.parse_args()
    # A shell's background jobs ignore SIGINT, and so would be what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    top = Path(tempfile.mkdtemp(prefix="nnexp-soak-checkpoints-"))
    begun = time.monotonic()
    made_store(top)
    with start(top, *command("group", "annealing")) as process:
        process.communicate(timeout=600)
    seconds = time.monotonic() - begun
    print(f"a sweep takes {seconds:.1f} s; seed {given.seed}, {top}", flush=True)
    kinds: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    numbers, going = count(given.first), dict[Future[Done], int]()
    with ProcessPoolExecutor(given.at_once, get_context("spawn")) as pool:
        while True:
            killed = sum(counts["kills"] for counts in kinds.values())
            while killed + len(going) < given.kills and len(going) < given.at_once:
                number = next(numbers)
                going[pool.submit(repetition, top / str(number), f"{given.seed}/{number}", seconds)] = number
            if not going:
                break
            for future in wait(going, return_when=FIRST_COMPLETED).done:
                number, done = going.pop(future), future.result()
                print(f"{number:3}  {done.said}", flush=True)
                kinds[done.said.split()[0]].update(done.counts, repetitions=1, **{done.wrong or "equal": 1})
    total = Counter[str]()
    for counts in kinds.values():
        total.update(counts)
    columns = ("repetitions", "kills", "runs", "went on", *WRONG)
    print(f"\n{time.monotonic() - begun:.0f} s\n| | {' | '.join(columns)} |\n|---{'|---:' * len(columns)}|")
    for name, counts in [*kinds.items(), ("all", total)]:
        print(f"| {name} | {' | '.join(str(counts[column]) for column in columns)} |")
    print(
        f"of {total['iterations']:,} iterations {total['iterations not trained again']:,} came from checkpoints"
    )
    return 1 if any(total[kind] for kind in WRONG) else 0


if __name__ == "__main__":
    sys.exit(main())
