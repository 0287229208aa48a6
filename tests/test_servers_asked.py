"""Whether a server answers: any answer is one, asked with the certificates that MLflow's own client takes."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from required import lacking

from nnexp.tracking.locations import StoreError
from nnexp.tracking.servers import ask_health


@contextmanager
def answering(code: int, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers everything with ``code``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"{'http' if context is None else 'https'}://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INSECURE_TLS", "SERVER_CERT_PATH", "CLIENT_CERT_PATH"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.parametrize("code", [200, 302, 401, 403, 404, 500])
def test_any_answer_is_one(code: int) -> None:
    with answering(code) as address:
        ask_health(address)
        ask_health(f"{address}/below")


@pytest.mark.parametrize("code", [502, 503, 504])
def test_a_proxy_is_no_server(code: int) -> None:
    with answering(code) as address, pytest.raises(StoreError, match=f"expected an MLflow server .*{code}"):
        ask_health(address)


def test_certificates_are_looked_at_as_mlflow_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        lacking("openssl", "openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with answering(401, context) as address:
        with pytest.raises(StoreError, match="CERTIFICATE_VERIFY_FAILED"):
            ask_health(address)
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        ask_health(address)
        monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
        ask_health(address)
