"""What can happen to a sweep while it runs: see :mod:`soak`."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import NamedTuple

from commands import children, made_store, nnexp, recorders, start
from servers import free_port, mlflow_server


class Wrong(Exception):
    """What a repetition did, or left, is not what it should be."""


class Stage:
    """A sweep's folder, its command, and the server that records it where there is one.

    The store is ``runs/mlflow.db`` in any case.
    """

    def __init__(self, place: Path, sweep: Sequence[str], chance: random.Random, with_server: bool) -> None:
        self.place, self.sweep, self.chance, self.with_server = place, list(sweep), chance, with_server
        self.store, self.workers = place / "runs" / "mlflow.db", chance.randint(1, 2)
        self._server, self._port = ExitStack(), free_port() if with_server else 0
        self.serve()

    def serve(self) -> None:
        """Begin the server, if there is one."""
        if self.with_server:
            self.store.parent.mkdir(exist_ok=True)
            self._server.enter_context(mlflow_server(self.place, f"sqlite:///{self.store}", self._port))

    def end(self) -> None:
        """End the server, as kill -9 does."""
        self._server.close()

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Begin the sweep, with these settings too, in a session of its own."""
        return start(self.place, *self.command(*more), start_new_session=True)

    def command(self, *more: str) -> list[str]:
        """What to give nnexp."""
        where = [f"tracking.uri=http://127.0.0.1:{self._port}"] if self.with_server else []
        return [*self.sweep, f"hydra.launcher.n_jobs={self.workers}", *where, *more]

    def pause(self, longest: float) -> None:
        """Wait for some time."""
        time.sleep(self.chance.uniform(0, longest))


Act = Callable[[Stage, subprocess.Popen[str]], None]


class Disturbance(NamedTuple):
    """What is done to a running sweep, and the exit codes that it may then have.

    ``ends`` says that the sweep does not go on from there; ``servers`` whether it is for sweeps with a server.
    """

    act: Act
    codes: tuple[int, ...] = (0,)
    ends: bool = False
    servers: bool | None = None


def _kill_one(of: Callable[[int], list[int]]) -> Act:
    def act(stage: Stage, sweep: subprocess.Popen[str]) -> None:
        while sweep.poll() is None:
            if found := of(sweep.pid):
                os.kill(stage.chance.choice(found), signal.SIGKILL)
                return
            time.sleep(0.02)

    return act


def _kill(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    sweep.kill()


def _interrupt(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    os.killpg(sweep.pid, signal.SIGINT)


def _interrupt_twice(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    _interrupt(stage, sweep)
    stage.pause(1.0)
    _interrupt(stage, sweep)


def _suspend(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    """Stop the sweep and all of its processes, or one of them, and let them go on."""
    one = stage.chance.choice([[], children(sweep.pid), recorders(sweep.pid)])
    send, pid = (os.kill, stage.chance.choice(one)) if one else (os.killpg, sweep.pid)
    send(pid, signal.SIGSTOP)
    stage.pause(4.0)
    send(pid, signal.SIGCONT)


def _take_over(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    """Suspend it for an hour, go on with it elsewhere, and wake it up."""
    os.killpg(sweep.pid, signal.SIGSTOP)
    try:
        with closing(sqlite3.connect(stage.store, timeout=1)) as store, store:
            store.execute("update tags set value = '1000' where key = 'nnexp.heartbeat'")
    except sqlite3.OperationalError as error:
        # No store yet, or it was suspended while it wrote, and nobody else can.
        if "no such table" not in str(error) and "locked" not in str(error) and stage.store.exists():
            raise
    else:
        _checked(nnexp(stage.place, *stage.command("sweep.resume=true")), (0, 1, 2))
    os.killpg(sweep.pid, signal.SIGCONT)


def _resume_twice(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    """Kill it, and go on with it twice at once."""
    sweep.kill()
    sweep.wait()
    both = [stage.start("sweep.resume=true") for _ in range(2)]
    for one in both:
        out, error = one.communicate(timeout=240)
        _checked(subprocess.CompletedProcess(one.args, one.returncode, out, error), (0, 1, 2))
    codes = sorted(one.returncode for one in both)
    if codes[0] != 0 and codes != [2, 2]:
        raise Wrong(f"of two that resumed none went on: exit {codes}")


def _delete(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    for file in stage.store.parent.glob("mlflow.db*"):
        file.unlink(missing_ok=True)


def _rename(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    """Rename the store, and half the time give it back its name soon."""
    with suppress(FileNotFoundError):
        stage.store.rename(stage.place / "other.db")
        if stage.chance.random() < 0.5:
            stage.pause(3.0)
            if not stage.store.exists():
                (stage.place / "other.db").rename(stage.store)


def _replace(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    made_store(stage.place / "empty")
    there = stage.store.parent.exists()
    _delete(stage, sweep)
    if there:
        shutil.copy(stage.place / "empty" / "runs" / "mlflow.db", stage.store)


def _server_gone(stage: Stage, sweep: subprocess.Popen[str]) -> None:
    """Kill the server, and begin it again soon."""
    stage.end()
    stage.pause(8.0)
    stage.serve()


def _checked(done: subprocess.CompletedProcess[str], codes: Sequence[int]) -> None:
    check(done.returncode, done.stdout + done.stderr, codes)
    if done.returncode in (1, 2) and not done.stdout and len(done.stderr.splitlines()) != 1:
        raise Wrong(f"exit {done.returncode}, not in one line: {done.stderr[-1500:]}")


def check(code: int | None, said: str, codes: Sequence[int]) -> None:
    """Raises: Wrong: another exit code, or a traceback."""
    if code not in codes:
        raise Wrong(f"exit {code}, expected {sorted(codes)}: {said[-1500:]}")
    if "Traceback" in said and not (code == -signal.SIGINT and "nnexp" not in said):
        raise Wrong(f"a traceback: {said[-3000:]}")


LOST = (0, 1, 2)
DISTURBANCES = {
    "worker": Disturbance(_kill_one(children)),
    "recorder": Disturbance(_kill_one(recorders)),
    "sweep": Disturbance(_kill, (-9,), ends=True),
    "ctrl-c": Disturbance(_interrupt, (130, 1, -2), ends=True),
    "ctrl-c twice": Disturbance(_interrupt_twice, (130, 1, -2), ends=True),
    "suspended": Disturbance(_suspend),
    "taken over": Disturbance(_take_over, (0, 1), ends=True, servers=False),
    "resumed twice": Disturbance(_resume_twice, (-9,), ends=True),
    "store deleted": Disturbance(_delete, LOST, ends=True, servers=False),
    "store renamed": Disturbance(_rename, LOST, ends=True, servers=False),
    "store replaced": Disturbance(_replace, LOST, ends=True, servers=False),
    "server gone": Disturbance(_server_gone, LOST, servers=True),
}
