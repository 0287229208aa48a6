"""Training alone, without commands and stores: processes that SIGKILL ends at random moments, a second each.

    python tests/soak_training.py --kills 200

A group of runs is trained in a process of its own, which writes checkpoints as often as it can and is killed again and
again; the next one goes on from what is there. Each begins exactly where the last checkpoint is, and the runs end with
the bits of undisturbed ones. ``tests/soak_checkpoints.py`` does this to commands.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.config.places import options
from nnexp.config.settings import load_part
from nnexp.network import BatchNorm, Dense, Dropout, Layers
from nnexp.optim import SGD, Method
from nnexp.testing import SMALL
from nnexp.training import Budget, Run, RunSettings, checkpoint, train
from nnexp.training.checkpoint import Checkpoint, Key, find, go_on
from nnexp.training.packed import pack, unpack
from nnexp.training.prepare import prepare_group

SECONDS = 3.0
"""About how long a case trains."""


def cases() -> dict[str, list[RunSettings]]:
    """Groups of two runs of each method, one of them shorter; and one run alone on mini-batches with layers."""
    found = {}
    for name in options(Method.group):
        method = load_part("optimizer", {"name": name}, Method)
        short = replace(SMALL, optimizer=method, budget=Budget(iterations=200))
        begun = time.perf_counter()
        train(short)
        iterations = int(200 * SECONDS / 2 / (time.perf_counter() - begun))
        found[name] = [
            replace(short, seed=seed, budget=Budget(iterations=iterations // (1 + seed))) for seed in range(2)
        ]
    layers = Layers(layers=[Dense(6), BatchNorm(), Dropout(0.2), Dense(3)])
    found["layers"] = [
        replace(
            SMALL,
            architecture=layers,
            optimizer=SGD(0.1, 0.9, batch_size=8),
            budget=Budget(iterations=15_000),
        )
    ]
    return found


def results(runs: list[Run]) -> Any:
    """All of the runs but their clocks, as a file gives it back."""
    file = io.BytesIO()
    pack(
        [
            {
                "history": {
                    name: column for name, column in run.history._asdict().items() if name != "seconds"
                },
                "snapshots": run.snapshots._asdict(),
                "final": run.final_theta,
                "best": run.best_theta,
                "counts": [run.iterations, run.evaluations, run.status, run.stop_reason],
                "improvements": run.improvements,
            }
            for run in runs
        ],
        file,
    )
    file.seek(0)
    return unpack(file)


def same(one: Any, other: Any) -> bool:
    """Whether nested values are equal, bit for bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def child(folder: Path, settings: list[RunSettings]) -> None:
    """Train in a process of its own: where it begins goes to ``begun``, what comes out to ``done``."""
    keys = [Key(str(one.seed), "", None) for one in settings]
    states, damaged = find(folder)
    assert not damaged, damaged
    group = go_on(
        lambda: prepare_group((one, None, 20) for one in settings), [states.get(key) for key in keys]
    )
    (folder / "begun").write_text(" ".join(str(run.iterations) for run in group.runs))
    kept = Checkpoint(folder, group, keys, 1e-3)
    for _ in group.train(0.1):
        kept.look()
    with open(folder / "part", "wb") as file:
        pack(results(group.runs), file)
    (folder / "part").rename(folder / "done")


def disturbed(folder: Path, settings: list[RunSettings], chance: random.Random, counts: Counter[str]) -> Any:
    """The results of runs whose process is killed again and again."""
    while not (folder / "done").exists():
        states, damaged = find(folder)
        assert not damaged, damaged
        expected = [
            states.get(Key(str(one.seed), "", None), {"iteration": 0})["iteration"] for one in settings
        ]
        pid = os.fork()
        if not pid:
            code = 1
            try:
                child(folder, settings)
                code = 0
            finally:
                os._exit(code)
        until = time.monotonic() + chance.uniform(0.05, 0.8)
        while (
            time.monotonic() < until
            and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        ):
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status) or status == 0, "the process failed"
        counts["kills"] += os.WIFSIGNALED(status)
        if (folder / "begun").exists():
            begun = [int(word) for word in (folder / "begun").read_text().split()]
            assert begun in ([], expected), f"begun at {begun}, with checkpoints at {expected}"
            counts["starts from a checkpoint"] += any(begun)
            (folder / "begun").unlink()
    with open(folder / "done", "rb") as file:
        return unpack(file)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    given = parser.parse_args()
    # As many as there can be, so that some are being written when the process is killed.
    checkpoint.SHARE = 0.5
    counts: Counter[str] = Counter()
    chance, wrong, whole = random.Random(given.seed), 0, {}
    groups = cases()
    while counts["kills"] < given.kills:
        name = chance.choice(list(groups))
        if name not in whole:
            whole[name] = results(train(groups[name]))
        with tempfile.TemporaryDirectory(prefix="nnexp-soak-") as place:
            before = counts["kills"]
            try:
                equal = same(disturbed(Path(place), groups[name], chance, counts), whole[name])
                said = "equal" if equal else "UNEQUAL"
            except AssertionError as error:
                equal, said = False, f"WRONG {error}"
        wrong += not equal
        counts["groups"] += 1
        print(f"{name:24} {counts['kills'] - before:3} kills  {said}", flush=True)
    print(f"{dict(counts)}, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
