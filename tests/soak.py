"""Sweeps that are disturbed at random moments and resumed, until each run is there exactly once.

    python tests/soak.py --disturbances 200

Each repetition begins the same sweep in a new folder, and at random moments does to it what
:mod:`disturbances` has: processes killed, interrupted or suspended; the sweep taken over, or resumed by two at once;
its store deleted, renamed or replaced; its server gone and back. It is resumed until it ends well. Then the store must
hold every run once, FINISHED, with the metrics, history and weights of a sweep that nobody disturbed, bit for bit; and
no process may be left.

``--folder`` lets a later call go on after the last repetition of an earlier one; ``--minutes`` ends a call early.
"""

from __future__ import annotations

import argparse
import json
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
from commands import nnexp, runs, start
from disturbances import DISTURBANCES, Stage, Wrong, check

SWEEP = (
    "-m", "optimizer=random,perturb,sgd", "seed=range(0,3)", "budget.iterations=5000", "dataset.samples=50",
    "tracking=lean", "hydra.launcher.group=2",
)  # fmt: skip
MOST_STARTS, MOST_DISTURBED = 9, 4
SERVERS = 0.15
"""The share of repetitions that record at a server."""


class Kept(NamedTuple):
    """What a run left, without its clock."""

    params: dict[str, str]
    metrics: dict[str, float]
    points: list[tuple[int, float]]
    history: pd.DataFrame
    arrays: dict[str, Any]


def kept(place: Path, run: Any) -> Kept:
    from mlflow import MlflowClient

    folder = artifacts(place, str(run.info.artifact_uri))
    with np.load(folder / "weights.npz") as file:
        arrays = {key: file[key] for key in file.files}
    client = MlflowClient(tracking_uri=f"sqlite:///{place / 'runs' / 'mlflow.db'}")
    points = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")]
    history = pd.read_parquet(folder / "history.parquet").drop(columns="seconds")
    metrics = {key: value for key, value in run.data.metrics.items() if not key.endswith("seconds")}
    # Where it is recorded is no part of a run.
    params = {key: value for key, value in run.data.params.items() if not key.startswith("tracking.")}
    return Kept(params, metrics, sorted(points), history, arrays)


def artifacts(place: Path, uri: str) -> Path:
    """A run's folder of artifacts, which a server keeps beside the store."""
    return (
        Path(uri.removeprefix("file://")) if uri.startswith("file://")
        else place / "artifacts" / uri.removeprefix("mlflow-artifacts:/")
    )  # fmt: skip


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


def repetition(stage: Stage, seconds: float, say: Callable[[str], None]) -> int:
    """A sweep, disturbed, and resumed until it ends well; how often it was disturbed.

    Args:
        seconds: that an undisturbed sweep takes.

    Raises:
        Wrong: it does not come to an end, or not as it should.
    """
    names = [
        name
        for name, one in DISTURBANCES.items()
        if one.servers in (None, stage.with_server) and (name != "worker" or stage.workers > 1)
    ]
    again, more = stage.chance.choice(["true", "auto"]), ["sweep.resume=auto"] * stage.chance.randint(0, 1)
    total = 0
    for number in range(MOST_STARTS):
        process, done = stage.start(*more), []
        while number < MOST_DISTURBED and (number == 0 or stage.chance.random() < 0.7):
            moment = stage.chance.uniform(0, 0.5 * seconds)
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            if process.poll() is not None:
                break
            done.append(stage.chance.choice(names))
            say(f"{done[-1]} after {moment:.2f} s")
            with suppress(ProcessLookupError):
                DISTURBANCES[done[-1]].act(stage, process)
            if DISTURBANCES[done[-1]].ends or stage.chance.random() < 0.2:
                break
        total += len(done)
        try:
            out, error = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Wrong("it hangs") from None
        say(f"exit {process.returncode}")
        codes = {0} | {code for name in done for code in DISTURBANCES[name].codes}
        if more == ["sweep.resume=true"] and process.returncode == 2 and not _any_runs(stage.place):
            # Nothing had begun, or the store is another one.
            more = []
            continue
        check(process.returncode, out + error, sorted(codes))
        if process.returncode == 0 and not (_lost(done) and not _complete(stage.place)):
            return total
        if stage.chance.random() < 0.5 or _lost(done):
            brought = nnexp(stage.place, module="nnexp.sync")
            check(brought.returncode, brought.stdout + brought.stderr, (0,))
            say(brought.stdout.strip())
        more = [f"sweep.resume={again}"]
    raise Wrong("it was resumed too often")


def _lost(done: list[str]) -> bool:
    return any(name.startswith("store ") for name in done)


def _complete(place: Path) -> bool:
    return (place / "runs" / "mlflow.db").exists() and len(runs(place)) == 9


def _any_runs(place: Path) -> bool:
    return (place / "runs" / "mlflow.db").exists() and bool(runs(place, "sweep"))


def left_processes(place: Path) -> list[str]:
    """Processes that still work in a folder, some seconds after its sweep has ended."""
    until = time.monotonic() + 30
    while True:
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and (folder / "cwd").readlink() == place:
                    found.append((folder / "cmdline").read_text().replace("\0", " ")[:200])
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.5)


def one(place: Path, number: int, seed: int, seconds: float, expected: dict[str, Kept]) -> dict[str, Any]:
    """A repetition and what came of it."""
    chance, said, total, wrong = random.Random(f"{seed}/{number}"), [], 0, ""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    stage = Stage(place, SWEEP, chance, chance.random() < SERVERS)
    try:
        total = repetition(stage, seconds, said.append)
        compare(collect(place), expected)
        stage.end()
        if left := left_processes(place):
            raise Wrong(f"left processes: {left}")
    except Wrong as error:
        wrong = str(error)
    finally:
        stage.end()
    if not wrong:
        shutil.rmtree(place)
    return {"number": number, "disturbances": total, "wrong": wrong, "said": said}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--disturbances", type=int, default=50, help="how many in all")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--folder", type=Path, help="where to go on; a temporary one by default")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no repetition after so long")
    given = parser.parse_args()
    # A shell's background jobs ignore SIGINT, and so would be what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    until = time.monotonic() + 60 * given.minutes
    top = (given.folder or Path(tempfile.mkdtemp(prefix="nnexp-soak-"))).resolve()
    undisturbed, log = top / "undisturbed", top / "log"
    if not (top / "seconds").exists():
        shutil.rmtree(undisturbed, ignore_errors=True)
        undisturbed.mkdir(parents=True)
        begun = time.monotonic()
        with start(undisturbed, *SWEEP) as process:
            out, error = process.communicate(timeout=600)
        if process.returncode:
            print(out + error)
            return 1
        (top / "seconds").write_text(str(time.monotonic() - begun))
    seconds, expected = float((top / "seconds").read_text()), collect(undisturbed)
    print(f"undisturbed: {len(expected)} runs in {seconds:.1f} s; seed {given.seed}, {top}", flush=True)
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    while sum(one["disturbances"] for one in done) < given.disturbances and time.monotonic() < until:
        number = len(done)
        done.append(one(top / str(number), number, given.seed, seconds, expected))
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
        how = f"WRONG {done[-1]['wrong']}" if done[-1]["wrong"] else "equal"
        print(f"{number:3}  {'; '.join(done[-1]['said'])}: {how}", flush=True)
    wrong = sum(bool(one["wrong"]) for one in done)
    print(
        f"{sum(one['disturbances'] for one in done)} disturbances in {len(done)} repetitions, "
        f"{wrong} of them not equal to the undisturbed sweep with each run once"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
