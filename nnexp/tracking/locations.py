"""The store's location: from the ``tracking.uri`` setting to absolute paths and pages."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

DEFAULT = "sqlite:///runs/mlflow.db"
UI = "http://127.0.0.1:5000"
"""The default address of ``mlflow ui``."""

LOCAL_DISKS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "tmpfs")
"""File systems on which SQLite's write-ahead log works: its readers share memory."""

_SQLITE = "sqlite:///"
_HEADER = b"SQLite format 3\0"
_OPEN: dict[tuple[int, int], int] = {}
TRAINING = "workflowType=machine_learning"
"""The query that opens MLflow's pages for model training; without it those for traces open."""


class StoreError(Exception):
    """The store cannot be used; one line that names the setting, its value and what is allowed."""


class StoreFull(StoreError):
    """The store's disk is full; the setting is valid."""


class StoreLost(StoreError):
    """The store is no longer the one that was opened."""


class SweepTaken(StoreError):
    """Another process has continued the sweep."""


def refusal(error: Exception) -> str:
    """A line about an error of MLflow's client (a server fails, an SQLite file is locked); empty for other errors."""
    from nnexp.tracking.outcome import reason_of

    known = type(error).__module__.partition(".")[0] == "mlflow"
    return f"the store refused a request ({reason_of(error)})" if known else ""


_CREDENTIALS: dict[str, str] = {}
"""User and password of addresses, only in memory: nothing stored, printed or sent contains them."""

_ADDRESS = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/]*)@(?P<host>[^\s/?#'\",\]]*)")


def conceal(text: str) -> str:
    """The text without users and passwords in its addresses; this process remembers them for :func:`reveal`.

    >>> conceal("tracking.uri=https://me:secret@host.example:8080/mlflow")
    'tracking.uri=https://host.example:8080/mlflow'
    """

    def public(found: re.Match[str]) -> str:
        _CREDENTIALS[found["scheme"] + found["host"]] = found["user"]
        return found["scheme"] + found["host"]

    return _ADDRESS.sub(public, text)


def refuse_password(uri: str | None) -> None:
    """Check that an address from a config file has no password: Hydra stores a copy of the config.

    Raises:
        StoreError: it has one.
    """
    if uri and conceal(uri) != uri:
        raise StoreError(
            f"tracking.uri={conceal(uri)}: a config file must not contain the password; give it on the command line, "
            "or as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )


def credentials() -> dict[str, str]:
    """The concealed users and passwords, for another process that opens the same stores."""
    return dict(_CREDENTIALS)


def remember(known: Mapping[str, str]) -> None:
    """Remember the :func:`credentials` of another process."""
    _CREDENTIALS.update(known)


def reveal(uri: str) -> str:
    """The URI with its user and password; only for opening a store."""
    parts = urlsplit(uri)
    user = _CREDENTIALS.get(f"{parts.scheme}://{parts.netloc}")
    return uri if user is None else urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))


_folder: Path | None = None


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """A context in which relative paths start at ``folder``, whatever the working directory is."""
    global _folder
    before, _folder = _folder, folder.absolute()
    try:
        yield
    finally:
        _folder = before


def resolve(uri: str | None = None) -> str:
    """The absolute URI of the store: ``uri``, else ``MLFLOW_TRACKING_URI``, else ``runs/mlflow.db`` here.

    It has neither user nor password, see :func:`reveal`.

    >>> resolve("sqlite:////data/runs.db")
    'sqlite:////data/runs.db'

    Raises:
        StoreError: neither an SQLite file nor an http(s) server.
    """
    given = conceal(uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT)
    if given.startswith(_SQLITE):
        name = given.removeprefix(_SQLITE)
        if not name or name.startswith(":") or name.endswith("/") or "?" in Path(name).name:
            raise StoreError(f"tracking.uri={given}: expected a file, as in {DEFAULT}")
        # Relative to the command's working directory, whatever that of a job is.
        return _SQLITE + str((_folder or Path.cwd()) / Path(name).expanduser())
    try:
        parts = urlsplit(given)
        # Reading the port checks it.
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise StoreError(f"tracking.uri={given}: expected an address ({error})") from error
    if known:
        return given.rstrip("/")
    raise StoreError(f"tracking.uri={given}: expected {_SQLITE}FILE or an http(s):// address of a server")


def database(uri: str) -> Path | None:
    """The SQLite file of a resolved URI, None for a server."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def refused(uri: str, why: str) -> StoreError:
    """The error of an SQLite file that cannot be used."""
    return StoreError(f"tracking.uri={public(uri)}: expected an SQLite file that can be written ({why})")


def look(uri: str) -> None:
    """Check that the SQLite file of a resolved URI is one, or can be created; does nothing for a server.

    Raises:
        StoreError: it is something else, or its folder is not a folder.
    """
    file = database(uri)
    if file is None:
        return
    try:
        if file.exists():
            if not (file.is_file() or file.is_dir()):
                raise refused(uri, "it is not a regular file")
            head = _head(file)
            if head and head != _HEADER:
                raise refused(uri, "it is not an SQLite file")
            return
        place = next(place for place in file.parents if place.exists())
        # Root has every permission, but still cannot create a file in every folder.
        with tempfile.TemporaryFile(dir=place):
            pass
    except (OSError, ValueError) as error:
        raise refused(uri, f"{getattr(error, 'strerror', None) or error}") from error


def _head(file: Path) -> bytes:
    """The first bytes of a file, which stays open: to close it would release SQLite's locks in this process.

    Another process would then think that nobody reads the write-ahead log, and delete it. See
    https://www.sqlite.org/howtocorrupt.html, 2.2.
    """
    there = file.stat()
    key = there.st_dev, there.st_ino
    if key not in _OPEN:
        _OPEN[key] = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    return os.pread(_OPEN[key], len(_HEADER), 0)


def artifact_root(uri: str) -> Path | None:
    """The folder of artifacts: ``artifacts/`` next to an SQLite file, None for a server."""
    file = database(uri)
    return None if file is None else file.parent / "artifacts"


def local_folder(artifact_uri: str) -> Path | None:
    """The folder of a run's files on this machine, None if a server has them."""
    where = urlsplit(artifact_uri)
    return Path(unquote(where.path)) if where.scheme in ("", "file") else None


def folders(uri: str, run_id: str, artifact_uri: str) -> list[Path]:
    """Possible folders of a run's files on this machine: first next to the SQLite file, which may have been moved.

    >>> [str(place) for place in folders("sqlite:////new/mlflow.db", "4f", "file:///old/artifacts/4f/artifacts")]
    ['/new/artifacts/4f/artifacts', '/old/artifacts/4f/artifacts']
    """
    root, recorded = artifact_root(uri), local_folder(artifact_uri)
    beside = None if root is None else root / run_id / "artifacts"
    return [place for place in (beside, recorded) if place is not None]


def on_local_disk(file: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether a file is known to be on a local disk, not on a network's or another system's.

    Args:
        mounts: the table of mounts, in the form of proc(5).
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        # Not Linux: unknown.
        return False
    place, best, kind = file.resolve(), -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(before.split(" ")[4].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind in LOCAL_DISKS


def public(uri: str) -> str:
    """The URI without a user's name and password.

    >>> public("https://me:secret@host.example:8080/mlflow")
    'https://host.example:8080/mlflow'
    """
    return conceal(uri)


def page(uri: str) -> str:
    """The address of the store's pages."""
    return UI if database(uri) else public(uri)


def experiment_url(uri: str, experiment_id: str) -> str:
    """The experiment's table of runs; without the workflow type MLflow opens its page for traces."""
    return f"{page(uri)}/#/experiments/{experiment_id}/runs?{TRAINING}"


def share_query(key: str) -> str:
    """The query that opens the shared view ``key``; with any further filter or order MLflow ignores the view."""
    return f"viewStateShareKey={quote(key)}&compareRunsMode=CHART&{TRAINING}"


def sweep_url(uri: str, experiment_id: str, sweep_id: str) -> str:
    """The sweep's methods compared: the view that :mod:`nnexp.tracking.views` makes."""
    return f"{page(uri)}/#/experiments/{experiment_id}/runs?{share_query(sweep_id)}"


def run_url(uri: str, experiment_id: str, run_id: str) -> str:
    """One run's page."""
    return f"{page(uri)}/#/experiments/{experiment_id}/runs/{run_id}?{TRAINING}"


def ui_command(uri: str) -> str:
    """The command that shows the store's pages, or a server's address."""
    if database(uri) is None:
        return page(uri)
    file = Path(uri.removeprefix(_SQLITE))
    if needs_alias(file):
        return f"cd {shlex.quote(str(file.parent))} && mlflow ui --backend-store-uri {_SQLITE}{file.name}"
    return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"


def needs_alias(file: Path) -> bool:
    """Whether the file's name contains characters that are special in an address, such as ``?`` and ``%``."""
    return any(sign in str(file) for sign in "?%")
