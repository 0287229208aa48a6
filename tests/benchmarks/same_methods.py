"""False claims: sweeps of two methods that are the same, really trained, and how often one is said to be better.

    python tests/benchmarks/same_methods.py FOLDER [--sweeps 40]

Each sweep has ten seeds, on two workers, each run timed alone. Its methods are random search, and random search under
another name with other draws. Sweeps that are in FOLDER are read again, so a call may be interrupted and go on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 10
AXES = ("iteration", "evaluations", "seconds")

TWIN = '''\
from dataclasses import dataclass
from typing import ClassVar

from nnexp.optim import RandomSearch


@dataclass(frozen=True)
class Twin(RandomSearch):
    """Random search whose candidates are those of random with the other sign, at the same cost."""

    option: ClassVar[str] = "twin"

    def ask(self, state, limit):
        rows = state.memory.peek(min(self.block, limit))
        return rows.dtype.type(-self.scale) * rows
'''


def sweep(folder: Path, experiment: str, first: int, seeds: int) -> None:
    """Train and record one sweep, as an experiment of its own."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [
        *(sys.executable, "-m", "nnexp.run", "-m", "--config-dir", "lab", "optimizer=random,twin"),
        "optimizer.scale=0.05",
        *(f"seed=range({first},{first + seeds})", f"tracking.experiment={experiment}", "tracking=lean"),
        *("budget.iterations=2000", "hydra.launcher.n_jobs=2", "hydra.launcher.group=1", "sweep.resume=auto"),
    ]
    environment = {name: text for name, text in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    subprocess.run(
        command, cwd=folder, env=environment | {"PYTHONPATH": path}, check=True, stdout=subprocess.DEVNULL
    )
    (folder / experiment).touch()


def claims(folder: Path, experiment: str, first: int) -> dict[str, bool]:
    """By which kinds of cost one of two methods is claimed to be better, on ten seeds of an experiment."""
    from nnexp.results import load_history, load_runs
    from nnexp.stats import compare
    from nnexp.stats.pairs import BETTER

    runs = load_runs(f"sqlite:///{folder / 'runs' / 'mlflow.db'}", experiment)
    runs = runs[runs["seed"].between(first, first + SEEDS - 1)]
    assert len(runs) == 2 * SEEDS
    assert set(runs["status"]) == {"finished"}
    history = load_history(runs)
    found = {}
    for axis in AXES:
        pairs = compare(runs, history, axis=axis).pairs
        assert len(pairs) == 1
        found[axis] = pairs["verdict"].iloc[0] == BETTER
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sweeps", type=int, default=40)
    parser.add_argument("--together", action="store_true", help="all seeds in one sweep, judged ten by ten")
    given = parser.parse_args()
    folder = given.folder.resolve()
    (folder / "lab" / "optimizer").mkdir(parents=True, exist_ok=True)
    (folder / "lab" / "twin.py").write_text(TWIN)
    (folder / "lab" / "optimizer" / "twin.yaml").write_text(
        "_target_: twin.Twin\nname: twin\nscale: 0.05\nblock: 256\n"
    )
    total = dict.fromkeys(AXES, 0)
    for number in range(given.sweeps):
        first = SEEDS * number
        experiment = "together" if given.together else f"sweep{number}"
        if not (folder / experiment).exists():
            sweep(folder, experiment, first, SEEDS * (given.sweeps if given.together else 1))
        for axis, claimed in claims(folder, experiment, first).items():
            total[axis] += claimed
    for axis, count in total.items():
        print(f"{axis}: {count} of {given.sweeps} sweeps claim that one is better")


if __name__ == "__main__":
    main()
