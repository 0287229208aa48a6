"""The memory of runs that share data: a sweep of 64 on 60,000 x 784 float32, in one process and in two.

``python tests/benchmarks/shared_data.py [SAMPLES]``: the peak of all processes of the command together, pages that they
share counted once (PSS), beside the data's size and beside the same command on a hundredth of the data.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.data_files import write_idx

RUNS, PIXELS = 64, 28


def write(folder: Path, samples: int) -> None:
    """The four files of a set of so many images, a sixth as many for test."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for name, count in (("train", samples), ("t10k", samples // 6)):
        write_idx(
            folder / f"{name}-images-idx3-ubyte", rng.integers(0, 256, (count, PIXELS, PIXELS), np.uint8)
        )
        write_idx(folder / f"{name}-labels-idx1-ubyte", rng.integers(0, 10, count, np.uint8))


def family(pid: int) -> list[int]:
    """A process and all that it began."""
    parents = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parents[int(place.name)] = int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def shared_size(pid: int) -> int:
    """Bytes of a process, pages that others have too in shares."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def peak(folder: Path, place: Path, workers: int) -> float:
    """MB of a sweep at most."""
    place.mkdir()
    command = [
        *(sys.executable, "-m", "nnexp.run", "-m", "dataset=mnist", f"dataset.path={folder}"),
        *(f"seed=range(0,{RUNS})", "architecture.hidden=[16]", "optimizer.batch_size=128"),
        *("budget.iterations=30", "tracking=lean", f"hydra.launcher.n_jobs={workers}"),
        *(f"hydra.launcher.group={RUNS // workers}", "dataset.validation_samples=0"),
    ]
    run = subprocess.Popen(
        command, cwd=place, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    most = 0
    while run.poll() is None:
        most = max(most, sum(map(shared_size, family(run.pid))))
        time.sleep(0.1)
    assert run.returncode == 0
    return most / 1e6


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    data = (samples + samples // 6) * PIXELS**2 * 4 / 1e6
    print(
        f"{RUNS} runs on {samples:,} + {samples // 6:,} images of {PIXELS} x {PIXELS}: data {data:.0f} MB",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write(place / "small", samples // 100)
        write(place / "large", samples)
        for workers in (1, 2):
            small, large = (
                peak(place / size, place / f"{size}-{workers}", workers) for size in ("small", "large")
            )
            print(
                f"{workers} process{'es' if workers > 1 else ''}: peak {large:.0f} MB, {small:.0f} MB of it without "
                f"the data: {(large - small) / data:.2f} times the data",
                flush=True,
            )


if __name__ == "__main__":
    main()
