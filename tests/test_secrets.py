"""A password in an address is nowhere but in memory: not in files, the store, or what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import SMALL, here
from conftest import surroundings
from servers import Server, mlflow_server

from nnexp.report.__main__ import main as report

PASSWORD = "s3cret-W0rd"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    with mlflow_server(place, f"sqlite:///{place}/server.db") as started:
        yield started


def with_password(uri: str) -> str:
    return uri.replace("://", f"://me:{PASSWORD}@")


def holds(place: Path) -> list[Path]:
    """Files below a folder, its databases among them, that hold the password."""
    return [file for file in place.rglob("*") if file.is_file() and PASSWORD.encode() in file.read_bytes()]


@pytest.mark.parametrize("given", ["command", "variable"])
def test_what_a_command_leaves_has_no_password(
    server: Server,
    tmp_path: Path,
    given: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    uri = with_password(server.uri)
    where = [f"tracking.uri={uri}"] if given == "command" else []
    own = {"env": surroundings() | ({} if where else {"MLFLOW_TRACKING_URI": uri})}
    commands = [
        ["-m", "optimizer=random,sgd", *where],
        ["-m", "seed=0", "hydra/launcher=basic", *where],
        ["-m", "seed=0,1", "hydra/launcher=basic", "sweep.resume=latest", *where],
        ["seed=5", *where],
    ]
    # Where a process of its own records, the password is handed to it.
    said = [here(tmp_path, *command, *SMALL, recorder=command is commands[0], **own) for command in commands]
    assert [done.returncode for done in said] == [0, 0, 0, 0], said
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert report(["latest", "--uri", uri]) == 0
    reported = capfd.readouterr()
    assert not holds(tmp_path)
    assert not holds(server.place)
    lines = "\n".join(
        [reported.out, reported.err, *(text for done in said for text in (done.stdout, done.stderr))]
    )
    assert [line for line in lines.splitlines() if PASSWORD in line] == []
    assert any(tmp_path.rglob("*.html"))


@pytest.mark.parametrize(
    "uri",
    ["postgresql://db.invalid/x", "mysql+pymysql://db.invalid/x", "ftp://db.invalid/x", "http://127.0.0.1:9"],
)
@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_an_error_line_has_no_password(tmp_path: Path, uri: str, sweep: list[str]) -> None:
    done = here(tmp_path, *sweep, *SMALL, f"tracking.uri={with_password(uri)}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert uri in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert not holds(tmp_path)


@pytest.mark.parametrize("sweep", [[], ["-m"], ["-m", "hydra/launcher=basic"]])
def test_a_password_in_a_config_file_is_refused_and_not_copied(tmp_path: Path, sweep: list[str]) -> None:
    own = tmp_path / "own" / "tracking"
    own.mkdir(parents=True)
    text = f"defaults: [default]\nuri: {with_password('http://127.0.0.1:9')}\n"
    (own / "mine.yaml").write_text(text)
    done = here(tmp_path, "--config-dir", "own", *sweep, *SMALL[:-1], "tracking=mine")
    assert done.returncode == 2
    assert "tracking.uri=http://127.0.0.1:9: a config file must not contain the password" in done.stderr
    assert holds(tmp_path) == [own / "mine.yaml"]
