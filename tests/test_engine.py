"""Each task's result comes once, whatever happens to workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import engine_tasks as functions
import joblib
import psutil
import pytest
from conftest import surroundings
from threadpoolctl import ThreadpoolController, threadpool_limits

from nnexp.sweep.engines.calls import pin
from nnexp.sweep.engines.engine import BACKENDS, EngineError, check_engine, run_tasks
from nnexp.tracking.environment import environment

LOCAL = ("loky", "threading", "sequential")


def soon(true: Callable[[], bool], seconds: float = 90.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.mark.parametrize("backend", LOCAL)
@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_each_result_comes_once_with_its_position(backend: str, n_jobs: int) -> None:
    results = sorted(run_tasks(functions.square, range(9), backend=backend, n_jobs=n_jobs))
    assert results == [(number, number * number) for number in range(9)]


@pytest.mark.parametrize("backend", LOCAL)
def test_no_tasks_no_results(backend: str) -> None:
    assert list(run_tasks(functions.square, [], backend=backend, n_jobs=2)) == []


@pytest.mark.parametrize(("backend", "n_jobs"), [("loky", 1), ("threading", 2), ("sequential", 2)])
def test_one_job_stays_in_this_process(backend: str, n_jobs: int) -> None:
    results = run_tasks(functions.process, range(3), backend=backend, n_jobs=n_jobs)
    assert {pid for _, pid in results} == {os.getpid()}


def test_workers_are_kept_from_task_to_task() -> None:
    pids = [pid for _, pid in run_tasks(functions.process, range(20), n_jobs=2)]
    assert 1 <= len(set(pids)) <= 2
    assert os.getpid() not in pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize("backend", LOCAL)
def test_an_error_of_the_function_is_its_tasks_result_and_no_other_suffers(backend: str) -> None:
    found = dict(run_tasks(functions.failing, range(4), backend=backend, n_jobs=2))
    assert (found[0], found[3]) == (0, 3)
    assert isinstance(found[1], KeyError)
    assert found[1].args == ("no such weight",)
    assert "Awkward" in f"{type(found[2]).__name__}: {found[2]}"
    assert "layer 3" in str(found[2])
    assert "in failing" in "".join(found[1].__notes__)
    assert "in failing" in "".join(found[2].__notes__)


def test_a_killed_worker_costs_nothing_and_its_neighbour_goes_on(tmp_path: Path) -> None:
    victim, neighbour = tmp_path / "victim", tmp_path / "neighbour"
    results = run_tasks(functions.wait_for, [str(victim), str(neighbour)], n_jobs=2)
    found: dict[int, object] = {}
    reader = threading.Thread(target=lambda: found.update(results))
    reader.start()
    assert soon(lambda: victim.exists() and neighbour.exists() and bool(victim.read_text()))
    beside = neighbour.read_text()
    first = victim.read_text()
    victim.unlink()
    os.kill(int(first), signal.SIGKILL)
    assert soon(lambda: victim.exists() and bool(victim.read_text()))
    assert victim.read_text() != first
    assert neighbour.read_text() == beside
    for file in (victim, neighbour):
        Path(f"{file}.go").touch()
    reader.join(90)
    assert found == {0: str(victim), 1: str(neighbour)}
    assert neighbour.read_text() == beside


def test_a_task_that_kills_every_worker_is_given_up_after_its_retries(tmp_path: Path) -> None:
    tasks = [(str(tmp_path / name), times) for name, times in (("a", 0), ("b", 9), ("c", 2), ("d", 0))]
    results = list(run_tasks(functions.killed, tasks, n_jobs=2, retries=2))
    assert sorted(position for position, _ in results) == [0, 1, 2, 3]
    found = dict(results)
    assert isinstance(found[1], BrokenExecutor)
    assert [found[position][0] for position in (0, 2, 3)] == [1, 3, 1]
    assert len((tmp_path / "b").read_text()) == 3


def test_closing_ends_the_workers_at_once(tmp_path: Path) -> None:
    tasks = [str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "c")]
    (tmp_path / "a.go").touch()
    results = run_tasks(functions.wait_for, tasks, n_jobs=2)
    assert next(results) == (0, tasks[0])
    assert soon(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in "bc"))
    pids = [int((tmp_path / name).read_text()) for name in "abc"]
    results.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize("backend", LOCAL)
def test_once_stopped_no_task_begins_and_those_that_run_end(backend: str) -> None:
    found = []
    for item in run_tasks(
        functions.slow, [0.2] * 40, backend=backend, n_jobs=2, stop=lambda: len(found) >= 1
    ):
        found.append(item)
    assert 1 <= len(found) <= 6
    assert {value for _, value in found} == {0.2}


def test_tasks_are_handed_on_while_the_caller_is_busy(tmp_path: Path) -> None:
    tasks = [str(tmp_path / str(number)) for number in range(4)]
    for task in tasks:
        Path(task + ".go").touch()
    results = run_tasks(functions.wait_for, tasks, n_jobs=2)
    next(results)
    assert soon(lambda: all(Path(task).exists() for task in tasks))
    assert len(list(results)) == 3


PROGRAM = """
import signal, sys
import engine_tasks
from nnexp.sweep.engines.engine import run_tasks
stopped = []
signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
folder = sys.argv[1]
tasks = [f"{folder}/{name}" for name in "abcd"]
for item in run_tasks(engine_tasks.wait_for, tasks, n_jobs=2, stop=lambda: bool(stopped)):
    print(*item, flush=True)
print("stopped", len(stopped), flush=True)
"""


def program(place: Path) -> subprocess.Popen[str]:
    variables = surroundings()
    variables["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(place)],
        env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def begun(place: Path) -> list[int]:
    return [int(file.read_text()) for file in place.iterdir() if file.suffix != ".go" and file.read_text()]


def test_ctrl_c_reaches_the_workers_and_ends_no_task(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        assert soon(lambda: len(begun(tmp_path)) == 2)
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.3)
        assert all(psutil.pid_exists(pid) for pid in begun(tmp_path))
        for name in "abcd":
            (tmp_path / f"{name}.go").touch()
        out, _ = running.communicate(timeout=90)
    assert sorted(out.splitlines()) == [f"0 {tmp_path}/a", f"1 {tmp_path}/b", "stopped 1"]


def test_workers_do_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        assert soon(lambda: len(begun(tmp_path)) == 2)
        running.kill()
        running.wait(90)
    assert soon(lambda: not any(psutil.pid_exists(pid) for pid in begun(tmp_path)))


@pytest.mark.parametrize("most", [1, 64])
def test_blas_threads_are_cores_by_jobs_and_no_more_than_here(most: int) -> None:
    with threadpool_limits(most, user_api="blas"):
        expected = max(1, min(most, joblib.cpu_count() // 2))
        assert pin(2).threads == expected
        for _, (counts, variable) in run_tasks(functions.threads, range(2), n_jobs=2):
            assert set(counts) == {expected}
            assert variable == str(expected)
        for _, (counts, _) in run_tasks(functions.threads, range(2), backend="threading", n_jobs=2):
            assert set(counts) == {expected}


def test_libraries_are_looked_through_once_and_not_while_threads_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # threadpoolctl before 3.7 hangs for ever where another thread imports an extension meanwhile.
    def look(*_: Any, **__: Any) -> None:
        raise AssertionError("the loaded libraries were looked through again")

    monkeypatch.setattr(ThreadpoolController, "__init__", look)
    assert environment()["threads"] == pin(1).threads
    assert dict(run_tasks(functions.square, [2, 3], backend="threading", n_jobs=2)) == {0: 4, 1: 9}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"backend": "mpi"}, f"backend=mpi: expected one of {', '.join(BACKENDS)}"),
        ({"n_jobs": 0}, "n_jobs=0: expected 1 to 1024, or -1 for all cores"),
        ({"n_jobs": -2}, "n_jobs=-2: expected 1 to 1024, or -1 for all cores"),
        (
            {"backend": "loky", "address": "tcp://a:1"},
            "address=tcp://a:1: only used with backend=dask or ray, not with backend=loky",
        ),
        ({"retries": -1}, "retries=-1: expected 0 or more"),
    ],
)
def test_bad_settings_are_refused_in_one_line_before_anything_begins(settings, line: str) -> None:
    with pytest.raises(EngineError) as refused:
        run_tasks(functions.square, [1], **settings)
    assert str(refused.value) == line


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_package_is_named_with_its_extra(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, {"dask": "distributed", "ray": "ray"}[backend], None)
    with pytest.raises(EngineError, match=f"backend={backend}: its package is not installed"):
        check_engine(backend)
