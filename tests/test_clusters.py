"""Dask and Ray: real schedulers and workers in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import engine_tasks as functions
import psutil
import pytest
from commands import LONG, SMALL, WAITING, here, made_store, running, runs, start, wait_for
from conftest import surroundings
from required import need_module
from test_engine import soon

from nnexp.sweep.engines.clusters import host
from nnexp.sweep.engines.engine import EngineError, check_engine, run_tasks


@contextmanager
def process(place: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of Dask's that can import what the tests can; ended with all its children."""
    variables = surroundings()
    variables["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    variables["WAITING_SECONDS"] = WAITING
    started = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        cwd=place, env=variables, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield started
    finally:
        family = [
            started,
            *(psutil.Process(started.pid).children(recursive=True) if not started.poll() else []),
        ]
        for one in family:
            one.kill()
        started.communicate(timeout=90)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[str]:
    """The address of a Dask scheduler with two workers, each a nanny with its process."""
    need_module("distributed", "dask")
    with process(tmp_path, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard") as scheduler:
        assert scheduler.stderr is not None
        address = next(f[1] for line in scheduler.stderr if (f := re.search(r"Scheduler at:\s+(\S+)", line)))
        options = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path))
        with process(tmp_path, "worker", address, *options), process(tmp_path, "worker", address, *options):
            yield address


def test_a_killed_dask_worker_costs_nothing(dask: str, tmp_path: Path) -> None:
    check_engine("dask", -1, dask)
    tasks = [str(tmp_path / f"task{number}") for number in range(4)]
    found: list[tuple[int, object]] = []
    results = run_tasks(functions.wait_for, tasks, backend="dask", n_jobs=-1, address=dask)
    reader = threading.Thread(target=lambda: found.extend(results))
    reader.start()

    def begun() -> list[Path]:
        return [Path(task) for task in tasks if Path(task).exists() and Path(task).read_text()]

    assert soon(lambda: len(begun()) == 2)
    victim, neighbour = begun()
    pid, beside = victim.read_text(), neighbour.read_text()
    victim.unlink()
    os.kill(int(pid), signal.SIGKILL)
    assert soon(lambda: victim in begun())
    assert victim.read_text() != pid
    assert neighbour.read_text() == beside
    for task in tasks:
        Path(task + ".go").touch()
    reader.join(90)
    assert sorted(found) == list(enumerate(tasks))
    check = dict(run_tasks(functions.failing, range(4), backend="dask", address=dask))
    assert isinstance(check[1], KeyError)
    assert "layer 3" in str(check[2])
    assert (check[0], check[3]) == (0, 3)
    for _, (counts, _) in run_tasks(functions.threads, range(4), backend="dask", n_jobs=-1, address=dask):
        assert max(counts) == 1


PROGRAM = """
import signal, sys
import engine_tasks
from nnexp.sweep.engines.engine import run_tasks
stopped = []
if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
    tasks = [f"{sys.argv[1]}/{name}" for name in "abcd"]
    options = dict(backend=sys.argv[2], n_jobs=2, stop=lambda: bool(stopped))
    for item in run_tasks(engine_tasks.wait_for, tasks, **options):
        print(*item, flush=True)
    print("stopped", len(stopped), flush=True)
"""


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_ctrl_c_ends_no_task_of_a_cluster_that_was_started_here(
    backend: str, module: str, tmp_path: Path
) -> None:
    need_module(module, backend)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    variables = surroundings()
    variables["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    files = [tmp_path / name for name in "abcd"]

    def begun() -> list[str]:
        return [file.read_text() for file in files if file.exists() and file.read_text()]

    running = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path), backend],
        env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert soon(lambda: len(begun()) == 2)
        pids = begun()
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.5)
        assert all(psutil.pid_exists(int(pid)) for pid in pids)
        for file in files:
            Path(f"{file}.go").touch()
        out, err = running.communicate(timeout=120)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    assert sorted(out.splitlines()) == [f"0 {files[0]}", f"1 {files[1]}", "stopped 1"]
    assert "INFO" not in err
    assert begun() == pids
    assert soon(lambda: not any(psutil.pid_exists(int(pid)) for pid in pids))


def test_a_killed_ray_worker_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_module("ray", "ray")
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])
    monkeypatch.setenv("PYTHONPATH", path)
    tasks = [(str(tmp_path / name), times) for name, times in (("a", 0), ("b", 9), ("c", 1), ("d", 0))]
    found = dict(run_tasks(functions.killed, tasks, backend="ray", n_jobs=2, retries=2))
    assert sorted(found) == [0, 1, 2, 3]
    assert "WorkerCrashedError" in type(found[1]).__name__
    assert [found[position][0] for position in (0, 2, 3)] == [1, 2, 1]
    assert len((tmp_path / "b").read_text()) == 3


def workers(names: bytes) -> list[int]:
    """Processes in a sweep's tasks: those whose command line has ``names``."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if names in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
    return found


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_sweep_records_each_run_once_though_a_worker_is_killed(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    need_module({"dask": "distributed", "ray": "ray"}[backend], backend)
    engine = [f"hydra.launcher.backend={backend}", "hydra.launcher.n_jobs=2"]
    if backend == "dask":
        engine.append(f"hydra.launcher.address={request.getfixturevalue('dask')}")
    before = set(workers(b"ray::"))
    made_store(tmp_path)
    sweep = start(tmp_path, "-m", "seed=range(0,6)", "optimizer=random", *LONG, *engine, env=surroundings())
    wait_for(lambda: running(tmp_path))
    if backend == "dask":
        nannies = [
            pid for pid in workers(b"dask_worker") if str(tmp_path) in " ".join(psutil.Process(pid).cmdline())
        ]
        victim = psutil.Process(nannies[0]).children()[-1].pid
    else:
        victim = next(pid for pid in workers(b"ray::call") if pid not in before)
    os.kill(victim, signal.SIGKILL)
    out, err = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, out + err
    assert not psutil.pid_exists(victim)
    found = runs(tmp_path)
    assert sorted(run.data.params["seed"] for run in found) == list("012345")
    assert {run.info.status for run in found} == {"FINISHED"}


@pytest.mark.parametrize(
    ("backend", "module", "address"),
    [("dask", "distributed", "tcp://127.0.0.1:1"), ("ray", "ray", "127.0.0.1:1")],
)
def test_a_cluster_that_does_not_answer_is_refused_in_one_line(
    backend: str, module: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_module(module, backend)
    monkeypatch.setattr("nnexp.sweep.engines.clusters.ANSWER_SECONDS", 0.5)
    with pytest.raises(EngineError, match=rf"^address={address}: expected a .* that answers \(.*\)$"):
        check_engine(backend, 2, address)


def test_an_engine_that_cannot_be_is_one_line_of_the_command_and_no_run(tmp_path: Path) -> None:
    for setting, line in (
        ("backend=mpi", "hydra.launcher.backend=mpi: expected one of "),
        ("n_jobs=0", "hydra.launcher.n_jobs=0: expected 1 to 1024, or -1 for all cores"),
    ):
        done = here(tmp_path, "-m", "seed=0,1", *SMALL, f"hydra.launcher.{setting}")
        assert done.returncode == 2
        assert done.stderr.startswith(f"nnexp: {line}")
        assert done.stderr.count("\n") == 1
        assert not runs(tmp_path) if (tmp_path / "runs" / "mlflow.db").exists() else True


@pytest.mark.parametrize("address", ["tcp://10.0.0.7:41234", "tls://node-7.cluster:80", "10.0.0.7:1"])
def test_the_machine_of_an_address(address: str) -> None:
    assert host(address) in ("10.0.0.7", "node-7.cluster")
