"""A server that stands still, or is gone, in the middle of a sweep: training lost, and points missing or doubled.

    python tests/benchmarks/server_stopped.py --seconds 600
    python tests/benchmarks/server_stopped.py --seconds 600 --how restarted

Two sweeps of the same runs are trained side by side, each recorded by a server of its own. One server is stopped
(SIGSTOP), or killed and begun again on the same store, for so many seconds; the other one is not. The sweeps go on for
longer than that. Their method waits at each update, so that a loaded machine tells little. Training takes from the
start of a worker's first run to the end of its last one, what lies between its runs among it.
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from commands import nnexp, start
from servers import free_port, mlflow_server

LAB = '''
import time
from dataclasses import dataclass

from nnexp.optim import SGD


@dataclass(frozen=True)
class Waiting(SGD):
    """It waits at each update."""

    def update(self, at):
        return [lambda: time.sleep(0.05), *super().update(at)]
'''
RUNS, WORKERS, UPDATE_SECONDS = 12, 2, 0.05
LONGER = 1.3
"""How many times as long as the server is away its sweep is trained."""

TAIL = ("dataset.samples=20", "dataset.test_samples=10", "tracking=lean", "--config-dir", "lab_conf")


class Recorded(NamedTuple):
    """What a store has of a sweep: its runs' status, start and end by seed, and how often it has each point."""

    runs: dict[str, tuple[str, int, int]]
    points: dict[tuple[str, str, int, float], int]
    doubled: int


def recorded(place: Path) -> Recorded:
    """What is in the store of a server in a folder; seconds are left out, for they differ."""
    seed = "(select value from params where key = 'seed' and params.run_uuid = runs.run_uuid)"
    kind = "exists (select 1 from tags where key = 'nnexp.kind' and value = 'run' and tags.run_uuid = runs.run_uuid)"
    where = f"where lifecycle_stage = 'active' and {kind}"
    with closing(sqlite3.connect(place / "server.db")) as store:
        rows = store.execute(f"select {seed}, status, start_time, end_time from runs {where}").fetchall()
        found = store.execute(
            f"select {seed}, key, step, value, count(*) from metrics join runs using (run_uuid) {where} "
            "and key not like '%seconds' group by 1, 2, 3, 4"
        ).fetchall()
    points = {(own, key, step, value): count for own, key, step, value, count in found}
    return Recorded(
        {own: tuple(rest) for own, *rest in rows}, points, len(rows) - len({row[0] for row in rows})
    )


def trained(place: Path) -> float:
    """Seconds from the start of a worker's first run to the end of its last one, mean of the workers."""
    workers: list[tuple[int, int]] = []
    for _, begun, ended in sorted(recorded(place).runs.values(), key=lambda run: run[1]):
        # Whoever was free last has taken it.
        before = max((one for one in workers if one[1] <= begun), key=lambda one: one[1], default=None)
        if before is not None:
            workers.remove(before)
        workers.append((begun if before is None else before[0], ended))
    return sum(ended - begun for begun, ended in workers) / len(workers) / 1000


def lab(place: Path) -> Path:
    """A folder with the method that waits."""
    (place / "lab_conf" / "optimizer").mkdir(parents=True)
    (place / "lab.py").write_text(LAB)
    (place / "lab_conf" / "optimizer" / "waiting.yaml").write_text("_target_: lab.Waiting\nname: waiting\n")
    return place


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="that the server is away")
    parser.add_argument("--how", choices=("stopped", "restarted"), default="stopped")
    given = parser.parse_args()
    updates = round(LONGER * given.seconds / UPDATE_SECONDS / (RUNS / WORKERS))
    sweep = (
        "-m", "optimizer=waiting", f"seed=range(0,{RUNS})", f"budget.iterations={updates}",
        f"hydra.launcher.n_jobs={WORKERS}", "hydra.launcher.group=1", *TAIL,
    )  # fmt: skip
    top = Path(tempfile.mkdtemp(prefix="nnexp-server-"))
    up, away = (lab(top / name) for name in ("up", "away"))
    ports = {place: free_port() for place in (up, away)}
    print(f"{RUNS} runs of {updates * UPDATE_SECONDS:.0f} s on {WORKERS} workers; the server is {given.how} for "
          f"{given.seconds:.0f} s; {top}", flush=True)  # fmt: skip
    with ExitStack() as servers, ExitStack() as first:
        serve = {place: f"sqlite:///{place / 'server.db'}" for place in (up, away)}
        servers.enter_context(mlflow_server(up, serve[up], ports[up]))
        server = first.enter_context(mlflow_server(away, serve[away], ports[away]))
        uri = {place: f"tracking.uri=http://127.0.0.1:{port}" for place, port in ports.items()}
        sweeps = {place: start(place, *sweep, uri[place]) for place in (up, away)}
        # In the middle of the first runs.
        while not list(away.glob("runs/hydra/*/*/journal/0*.run")):
            time.sleep(0.1)
        time.sleep(0.1 * given.seconds)
        if given.how == "stopped":
            server.send(signal.SIGSTOP)
        else:
            first.close()
        time.sleep(given.seconds)
        if given.how == "stopped":
            server.send(signal.SIGCONT)
        else:
            servers.enter_context(mlflow_server(away, serve[away], ports[away]))
        codes = {}
        for place, process in sweeps.items():
            out, error = process.communicate(timeout=3 * given.seconds + 600)
            codes[place] = process.returncode
            if process.returncode or "Traceback" in out + error:
                print(out[-1500:] + error[-1500:])
        brought = nnexp(away, module="nnexp.sync")
        print(
            f"exit {codes[up]} and {codes[away]}; sync, exit {brought.returncode}: {brought.stdout.strip()}"
        )
        print(brought.stderr, end="")
    whole, got = recorded(up), recorded(away)
    missing, more = whole.points.keys() - got.points.keys(), got.points.keys() - whole.points.keys()
    twice = sum(count > 1 for count in got.points.values())
    wrong = [seed for seed, (status, *_) in got.runs.items() if status != "FINISHED"]
    lost = trained(away) - trained(up)
    print("\n| | server up | server away |\n|---|---:|---:|")
    print(f"| runs | {len(whole.runs)} | {len(got.runs)} |")
    print(f"| training of a worker, s | {trained(up):.1f} | {trained(away):.1f} |")
    print(f"| training lost, s | | {lost:.1f} |")
    print(f"| points | {len(whole.points)} | {len(got.points)} |")
    print(f"| points missing / doubled / others | | {len(missing)} / {twice} / {len(more)} |")
    print(f"| runs missing / doubled / not finished | | {len(whole.runs.keys() - got.runs.keys())} / {got.doubled} / "
          f"{len(wrong)} |")  # fmt: skip
    bad = missing or more or twice or got.doubled or wrong or whole.runs.keys() != got.runs.keys()
    return 1 if bad or lost > max(2.0, 0.01 * trained(up)) else 0


if __name__ == "__main__":
    sys.exit(main())
