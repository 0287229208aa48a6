"""How long ``python -m nnexp.run --help`` takes beside the help of a bare Hydra app.

Run it on an idle machine: ``python tests/benchmarks/startup.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 7
BARE = """
import hydra


@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass


main()
"""


def processor_seconds() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app.py"
        app.write_text(BARE)
        commands = {
            "python -m nnexp.run --help": ["-m", "nnexp.run", "--help"],
            "a bare Hydra app --help": [str(app), "--help"],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, arguments in commands.items():
                before, start = processor_seconds(), perf_counter()
                subprocess.run(
                    [sys.executable, *arguments],
                    cwd=folder,
                    env=os.environ | {"PYTHONPATH": str(ROOT)},
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                times[name].append((perf_counter() - start, processor_seconds() - before))
    least = {name: [min(column) for column in zip(*own, strict=True)] for name, own in times.items()}
    for name, (wall, processor) in least.items():
        print(f"{name:30} {wall:6.3f} s   {processor:6.3f} s of processor time")
    ours, theirs = (own[1] for own in least.values())
    print(f"ratio {ours / theirs:.2f}, asked: at most 2")


if __name__ == "__main__":
    main()
