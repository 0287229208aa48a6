"""What records cost: a sweep of many short runs, then its table and its report.

    python tests/benchmarks/records.py --runs 2001

The sweep is a user's command on a new store: random, perturb and sgd, 200 iterations each. Processor seconds are of
this machine's clock for processes; those of the recorder are its process's own, the start among them.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from sweep_cost import METHODS, ROOT, measure

TABLE = "import time; from nnexp.results import load_runs; begun = time.perf_counter(); found = load_runs('{uri}'); " \
        "print(len(found), round(time.perf_counter() - begun, 2), round(time.process_time(), 2))"  # fmt: skip


class RecorderTime:
    """Processor seconds of the process that records, looked at until it is gone."""

    def __init__(self) -> None:
        self.seconds, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> float:
        """The seconds at the last look."""
        self._over.set()
        self._thread.join()
        return self.seconds

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            try:
                for one in psutil.Process().children(recursive=True):
                    if any("nnexp.sync" in word for word in one.cmdline()):
                        self.seconds = sum(one.cpu_times()[:2])
            except psutil.Error:
                # It ended between two looks.
                continue


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2001)
    parser.add_argument("--overrides", nargs="*", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nnexp-records-") as place:
        show(Path(place), given.runs, given.overrides)


def show(place: Path, runs: int, overrides: list[str]) -> None:
    """Measure in a folder, and print the table."""
    recorder = RecorderTime()
    command = ["-m", "nnexp.run"]
    cost = measure(place, command, runs // len(METHODS), ("budget.iterations=200", *overrides), runs)
    recording = recorder.end()
    timings = cost.timings or {}
    print(f"{cost.runs} runs of 200 iterations; {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")
    print(f"sweep        {cost.seconds:8.1f} s, {cost.processor:.1f} processor s, {cost.memory / 1e6:.0f} MB")
    print(f"composing    {timings.get('composing', 0):8.1f} s")
    print(f"workers      {timings.get('working', 0):8.1f} s, training {timings.get('training', 0):.1f} s")
    print(f"recorder     {recording:8.1f} processor s, {1000 * recording / cost.runs:.1f} ms a run")
    files = [file for file in place.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    database = (place / "runs" / "mlflow.db").stat().st_size
    print(f"store        {size / 1e6:8.1f} MB (mlflow.db {database / 1e6:.1f}), "
          f"{len(files)} files, {len(files) / cost.runs:.1f} a run")  # fmt: skip
    table = TABLE.format(uri=f"sqlite:///{place}/runs/mlflow.db")
    for name in ("load_runs", "again"):
        print(f"{name:12} {processor(place, '-c', table)}")
    print(f"report       {processor(place, '-m', 'nnexp.report')}")


def processor(place: Path, *words: str) -> str:
    """What a command took, and the last line that it said."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    variables = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(place / "cache")}
    done = subprocess.run(
        [sys.executable, *words], cwd=place, env=variables, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = (done.stdout or done.stderr).strip().splitlines()[-1:]
    return f"{seconds:8.1f} s, {used:.1f} processor s  {' '.join(said)[:60]}"


if __name__ == "__main__":
    main()
