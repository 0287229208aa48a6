"""Sweeps that are disturbed at random moments and resumed, until each run is there exactly once.

    python tests/soak.py --repetitions 50

Each repetition begins the same sweep in a new folder and, at a random moment, kills one of its workers, the process
that records, or the sweep itself (all with SIGKILL), or sends what a terminal sends at Ctrl-C to all of its processes,
once or twice. It is resumed until it ends well, now and then disturbed again. Then the store must hold every run once,
FINISHED, with the metrics, history and weights of a sweep that nobody disturbed, bit for bit.
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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import pandas as pd
from commands import children, recorders, runs, start

SWEEP = (
    "-m", "optimizer=random,perturb,sgd", "seed=range(0,3)", "budget.iterations=5000", "dataset.samples=50",
    "tracking=lean", "hydra.launcher.n_jobs=2", "hydra.launcher.group=2",
)  # fmt: skip
EVENTS = ("worker", "recorder", "sweep", "ctrl-c", "ctrl-c twice")
MOST_STARTS, MOST_DISTURBED = 6, 3


class Kept(NamedTuple):
    """What a run left, without its clock."""

    params: dict[str, str]
    metrics: dict[str, float]
    points: list[tuple[int, float]]
    history: pd.DataFrame
    arrays: dict[str, Any]


class Wrong(Exception):
    """What a repetition left is not what it should be."""


def kept(place: Path, run: Any) -> Kept:
    from mlflow import MlflowClient

    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    arrays = {}
    for name in ("snapshots", "final", "best"):
        with np.load(folder / "weights" / f"{name}.npz") as file:
            arrays |= {f"{name}/{key}": file[key] for key in file.files}
    client = MlflowClient(tracking_uri=f"sqlite:///{place / 'runs' / 'mlflow.db'}")
    points = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")]
    history = pd.read_parquet(folder / "history.parquet").drop(columns="seconds")
    metrics = {key: value for key, value in run.data.metrics.items() if key != "seconds"}
    return Kept(run.data.params, metrics, sorted(points), history, arrays)


def collect(place: Path) -> dict[str, Kept]:
    """The runs of a store by their configs.

    Raises:
        Wrong: not each once and FINISHED, or not one FINISHED parent.
    """
    found = runs(place)
    states = Counter((run.data.tags["nnexp.config_hash"], run.info.status) for run in found)
    if any(status != "FINISHED" or count != 1 for (_, status), count in states.items()):
        raise Wrong(
            f"states of runs: {Counter(status for _, status in states.elements())}, {len(found)} runs"
        )
    parents = runs(place, "sweep")
    if [parent.info.status for parent in parents] != ["FINISHED"]:
        raise Wrong(f"states of sweeps: {[parent.info.status for parent in parents]}")
    if {run.data.tags["mlflow.parentRunId"] for run in found} != {parents[0].info.run_id}:
        raise Wrong("a run has another parent")
    return {run.data.tags["nnexp.config_hash"]: kept(place, run) for run in found}


def compare(found: dict[str, Kept], expected: dict[str, Kept]) -> None:
    """Raises: Wrong: a run is missing, or not equal bit for bit."""
    if found.keys() != expected.keys():
        raise Wrong(f"{len(found)} runs, expected {len(expected)}")
    for key, one in found.items():
        other = expected[key]
        name = f"{one.params['optimizer.name']} seed {one.params['seed']}"
        for part in ("params", "metrics", "points"):
            if getattr(one, part) != getattr(other, part):
                raise Wrong(f"{name}: other {part}")
        if not one.history.equals(other.history):
            raise Wrong(f"{name}: another history")
        for array, value in other.arrays.items():
            if not np.array_equal(one.arrays[array], value):
                raise Wrong(f"{name}: other {array}")


def disturb(event: str, process: subprocess.Popen[str], chance: random.Random) -> None:
    """Do to a sweep what ``event`` says; nothing to one that has ended."""
    with suppress(ProcessLookupError):
        if event == "sweep":
            process.kill()
        elif event in ("worker", "recorder"):
            of = children if event == "worker" else recorders
            while process.poll() is None:
                if workers := of(process.pid):
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    return
                time.sleep(0.02)
        else:
            os.killpg(process.pid, signal.SIGINT)
            if event == "ctrl-c twice":
                time.sleep(chance.uniform(0.02, 1.0))
                os.killpg(process.pid, signal.SIGINT)


def repetition(place: Path, chance: random.Random, seconds: float, say: Callable[[str], None]) -> None:
    """A sweep, disturbed, and resumed until it ends well.

    Raises:
        Wrong: it does not come to an end.
    """
    resume: tuple[str, ...] = ()
    event: str | None = chance.choice(EVENTS)
    for number in range(MOST_STARTS):
        process = start(place, *SWEEP, *resume, start_new_session=True)
        if event is not None:
            moment = chance.uniform(0, 0.8 * seconds)
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            disturb(event, process, chance)
            say(f"{event} at {moment:.2f} s")
        try:
            out, error = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise Wrong("it hangs") from None
        say(f"exit {process.returncode}")
        if process.returncode == 0:
            return
        killed, interrupted = (-9,), (130, 1, -2)
        expected = {"sweep": killed, "ctrl-c": interrupted, "ctrl-c twice": interrupted}
        if resume and process.returncode == 2 and "sweep.resume=" in error and not _any_runs(place):
            # Nothing had begun.
            resume = ()
        elif event is None or process.returncode not in expected.get(event, ()):
            raise Wrong(f"exit {process.returncode}: {(out + error)[-1500:]}")
        else:
            resume = ("sweep.resume=true",)
        again = number < MOST_DISTURBED - 1 and chance.random() < 0.25
        event = chance.choice(EVENTS) if again else None
    raise Wrong("it was resumed too often")


def _any_runs(place: Path) -> bool:
    return (place / "runs" / "mlflow.db").exists() and bool(runs(place, "sweep"))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    given = parser.parse_args()
    # A shell's background jobs ignore SIGINT, and so would be what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    top = Path(tempfile.mkdtemp(prefix="nnexp-soak-"))
    undisturbed = top / "undisturbed"
    undisturbed.mkdir()
    begun = time.monotonic()
    with start(undisturbed, *SWEEP) as process:
        out, error = process.communicate(timeout=600)
    seconds = time.monotonic() - begun
    if process.returncode:
        print(out + error)
        return 1
    expected = collect(undisturbed)
    print(f"undisturbed: {len(expected)} runs in {seconds:.1f} s; seed {given.seed}, {top}", flush=True)
    wrong = 0
    for number in range(given.repetitions):
        place = top / str(number)
        place.mkdir()
        told: list[str] = []
        try:
            repetition(place, random.Random(f"{given.seed}/{number}"), seconds, told.append)
            compare(collect(place), expected)
        except Wrong as error:
            wrong += 1
            print(f"{number:3}  WRONG  {', '.join(told)}: {error}", flush=True)
        else:
            shutil.rmtree(place)
            print(f"{number:3}  equal  {', '.join(told)}", flush=True)
    print(f"{given.repetitions - wrong} of {given.repetitions} equal to the undisturbed sweep, each run once")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
