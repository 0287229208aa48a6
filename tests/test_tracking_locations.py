"""Where records live, and what wrong places are called."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from nnexp.tracking import locations
from nnexp.tracking.locations import StoreError


def test_relative_files_become_absolute_and_artifacts_lie_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert locations.resolve() == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert locations.artifact_root(locations.resolve()) == tmp_path / "runs" / "artifacts"
    other = locations.resolve("sqlite:///deep/er/x.db")
    assert locations.artifact_root(other) == tmp_path / "deep" / "er" / "artifacts"


def test_the_setting_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000/")
    assert locations.resolve() == "http://tracker:5000"
    assert locations.artifact_root(locations.resolve()) is None
    assert locations.resolve("sqlite:////x/y.db") == "sqlite:////x/y.db"


@pytest.mark.parametrize(
    "uri",
    ["runs/mlflow.db", "sqlite://", "sqlite:///:memory:", "sqlite:///x/", "file:///x", "http://", "ftp://a"],
)
def test_other_addresses_are_refused_in_one_line(uri: str) -> None:
    with pytest.raises(StoreError) as caught:
        locations.resolve(uri)
    assert str(caught.value).startswith(f"tracking.uri={uri}: expected")
    assert "\n" not in str(caught.value)


def test_pages_never_show_a_password() -> None:
    uri = locations.resolve("https://me:secret@host:8443/base/")
    for text in (
        locations.run_url(uri, "1", "r"),
        locations.experiment_url(uri, "1"),
        locations.ui_command(uri),
    ):
        assert text.startswith("https://host:8443/base")
        assert "secret" not in text


def test_a_sweeps_page_is_a_view_and_nothing_that_switches_it_off() -> None:
    url = locations.sweep_url("http://host", "7", "s 1")
    page, _, query = url.partition("?")
    assert page == "http://host/#/experiments/7/runs"
    # With any of them MLflow leaves the view out, without a word.
    assert set(parse_qs(query)) == {"viewStateShareKey", "compareRunsMode", "workflowType"}
    assert " " not in url


def test_the_command_quotes_what_a_shell_would_split() -> None:
    assert locations.ui_command("sqlite:////a/b.db") == "mlflow ui --backend-store-uri sqlite:////a/b.db"
    assert locations.ui_command("sqlite:////a b.db").endswith("'sqlite:////a b.db'")


def test_to_look_at_a_store_leaves_the_log_of_those_who_read_it(tmp_path: Path) -> None:
    """A process that closes the file drops its own locks on it, and the last writer then deletes the log."""
    file = tmp_path / "store.db"
    with contextlib.closing(sqlite3.connect(file)) as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("CREATE TABLE runs (number)")
        reader.commit()
        for _ in range(2):
            locations.look(f"sqlite:///{file}")
        connect = f"import sqlite3; writer = sqlite3.connect({str(file)!r})"
        write = "writer.execute('INSERT INTO runs VALUES (1)'); writer.commit(); writer.close()"
        subprocess.run([sys.executable, "-c", f"{connect}; {write}"], check=True)
        assert (tmp_path / "store.db-wal").exists()
        assert reader.execute("SELECT * FROM runs").fetchall() == [(1,)]
