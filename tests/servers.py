"""A real MLflow server on a real PostgreSQL, both on this machine's loopback address alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from conftest import surroundings
from required import lacking, need_module

OWNER = "postgres"
"""Who runs the database where the tests run as root, which PostgreSQL refuses to be run by."""


WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""A server evaluates no language models here: it spares five processes."""


def free_port() -> int:
    """A port of the loopback address that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def programs() -> Path:
    """The folder of PostgreSQL's programs, or the test is skipped."""
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: float(file.parts[-3]))
    if not on_path and not found:
        lacking("postgresql", "PostgreSQL is not installed")
    return Path(on_path or found[-1]).resolve().parent


@contextmanager
def postgresql() -> Iterator[str]:
    """The URI of a new database, whose data are in a temporary folder."""
    need_module("psycopg2", "postgresql")
    folder, port = programs(), free_port()
    place = Path(tempfile.mkdtemp(prefix="nnexp-postgresql-"))
    before: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(place, OWNER)
        before = ["runuser", "-u", OWNER, "--"]

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*before, str(folder / program), *arguments],
            cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (place / "log").read_text() if (place / "log").exists() else program

    data = str(place / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place} -c fsync=off"
    try:
        run("initdb", "-D", data, "-U", "nnexp", "-A", "trust", "--no-sync")
        run("pg_ctl", "-D", data, "-l", str(place / "log"), "-w", "-o", options, "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "nnexp", "mlflow")
            yield f"postgresql+psycopg2://nnexp@127.0.0.1:{port}/mlflow"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(place)


class Server:
    """A server's address, its processes and its folder."""

    def __init__(self, uri: str, process: subprocess.Popen[bytes], place: Path) -> None:
        self.uri, self.process, self.place = uri, process, place

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of the server's processes."""
        os.killpg(self.process.pid, number)

    def answers(self) -> bool:
        """Whether the server says that it is well."""
        try:
            with urllib.request.urlopen(self.uri + "/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def mlflow_server(place: Path, database: str, port: int = 0) -> Iterator[Server]:
    """An MLflow server that keeps artifacts in ``place`` and hands them out itself."""
    port = port or free_port()
    log = place / "server.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--backend-store-uri", database, "--workers", "1"),
                *("--serve-artifacts", "--artifacts-destination", str(place / "artifacts")),
            ],
            cwd=place, env=surroundings() | WITHOUT_JOBS, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", process, place)
    try:
        end = time.monotonic() + 90
        while not server.answers():
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.1)
        yield server
    finally:
        with suppress(ProcessLookupError):
            server.send(signal.SIGCONT)
            server.send(signal.SIGKILL)
        process.wait(20)


@contextmanager
def proxy(
    uri: str, instead: Callable[[str, bytes, Callable[[], tuple[int, str, bytes]]], Any]
) -> Iterator[str]:
    """The address of a proxy before a server.

    Args:
        instead: takes path, body and what asks the server; gives status, kind and content of the answer, None for none.
    """

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            own = {name: text for name, text in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(uri + self.path, body or None, own, method=self.command)

            def ask() -> tuple[int, str, bytes]:
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        return answer.status, answer.headers["Content-Type"], answer.read()
                except urllib.error.HTTPError as error:
                    return error.code, error.headers["Content-Type"], error.read()

            answer = instead(self.path, body, ask)
            if answer is None:
                return
            status, kind, content = answer
            self.send_response(status)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def losing_answers(uri: str, path: str, wanted: Callable[[bytes], bool], times: int) -> Iterator[str]:
    """The address of a proxy before a server, which loses its first answers to what is wanted of ``path``."""
    left = [times]

    def instead(asked: str, body: bytes, ask: Callable[[], Any]) -> Any:
        answer = ask()
        if left[0] and asked.endswith(path) and wanted(body):
            left[0] -= 1
            return None
        return answer

    with proxy(uri, instead) as address:
        yield address
    assert not left[0], "nothing was lost"


@contextmanager
def answering_500(uri: str) -> Iterator[tuple[str, threading.Event]]:
    """The address of a proxy before a server, and what makes it answer 500 to everything but ``/health``."""
    broken = threading.Event()

    def instead(asked: str, body: bytes, ask: Callable[[], Any]) -> Any:
        return (500, "text/plain", b"broken") if broken.is_set() and asked != "/health" else ask()

    with proxy(uri, instead) as address:
        yield address, broken
