"""Where the record lives: from the ``tracking.uri`` setting to absolute places and pages."""

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
"""Where ``mlflow ui`` serves pages unless it is told otherwise."""

LOCAL_DISKS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "tmpfs")
"""File systems on which SQLite's write-ahead log works: its readers share memory."""

_SQLITE = "sqlite:///"
_HEADER = b"SQLite format 3\0"
_OPEN: dict[tuple[int, int], int] = {}
TRAINING = "workflowType=machine_learning"
"""What opens a page in MLflow's model training; without it the pages for traces open."""


class StoreError(Exception):
    """The store cannot be used; one line that names the setting, its value and what is allowed."""


class StoreFull(StoreError):
    """The store's disk takes no more; what it is given was right."""


class StoreLost(StoreError):
    """The store is no longer the one that was opened."""


class SweepTaken(StoreError):
    """Another process has gone on with the sweep."""


_CREDENTIALS: dict[str, str] = {}
"""User and password of addresses, in memory alone: whatever is stored, printed or sent has none."""

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
    """See that an address from a config file has no password: Hydra keeps a copy of what it composed.

    Raises:
        StoreError: it has one.
    """
    if uri and conceal(uri) != uri:
        raise StoreError(
            f"tracking.uri={conceal(uri)}: expected without a password in a config file; give it on the command line, "
            "or as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )


def credentials() -> dict[str, str]:
    """What was concealed, for another process that is to open the same stores."""
    return dict(_CREDENTIALS)


def remember(known: Mapping[str, str]) -> None:
    """Take what :func:`credentials` of another process gave."""
    _CREDENTIALS.update(known)


def reveal(uri: str) -> str:
    """The URI with the user and password that it was given with; for who opens a store, and for nobody else."""
    parts = urlsplit(uri)
    user = _CREDENTIALS.get(f"{parts.scheme}://{parts.netloc}")
    return uri if user is None else urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))


_folder: Path | None = None


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """A context in which files are named from ``folder``, wherever the process goes meanwhile."""
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
        # From where the command ran, whatever the working directory of a job is.
        return _SQLITE + str((_folder or Path.cwd()) / Path(name).expanduser())
    try:
        parts = urlsplit(given)
        # Asking for the port checks it.
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
    """See that the SQLite file of a resolved URI is one, or could be made; nothing for a server.

    Raises:
        StoreError: it is something else, or its folder is none.
    """
    file = database(uri)
    if file is None:
        return
    try:
        if file.exists():
            if not (file.is_file() or file.is_dir()):
                raise refused(uri, "it is no regular file")
            head = _head(file)
            if head and head != _HEADER:
                raise refused(uri, "it is a file of another kind")
            return
        place = next(place for place in file.parents if place.exists())
        # Root may write everywhere, and still not make a file in every folder.
        with tempfile.TemporaryFile(dir=place):
            pass
    except (OSError, ValueError) as error:
        raise refused(uri, f"{getattr(error, 'strerror', None) or error}") from error


def _head(file: Path) -> bytes:
    """The first bytes of a file, which stays open: to close it would take away the locks of SQLite in this process.

    Another process would then take the write-ahead log for one that nobody reads, and delete it. See
    https://www.sqlite.org/howtocorrupt.html, 2.2.
    """
    there = file.stat()
    key = there.st_dev, there.st_ino
    if key not in _OPEN:
        _OPEN[key] = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    return os.pread(_OPEN[key], len(_HEADER), 0)


def artifact_root(uri: str) -> Path | None:
    """The folder of artifacts: ``artifacts/`` beside an SQLite file, None where a server decides."""
    file = database(uri)
    return None if file is None else file.parent / "artifacts"


def local_folder(artifact_uri: str) -> Path | None:
    """The folder of a run's files on this machine, None where they are a server's."""
    where = urlsplit(artifact_uri)
    return Path(unquote(where.path)) if where.scheme in ("", "file") else None


def folders(uri: str, run_id: str, artifact_uri: str) -> list[Path]:
    """Where a run's files may be on this machine: beside an SQLite file first, which may have been moved with them.

    >>> [str(place) for place in folders("sqlite:////new/mlflow.db", "4f", "file:///old/artifacts/4f/artifacts")]
    ['/new/artifacts/4f/artifacts', '/old/artifacts/4f/artifacts']
    """
    root, recorded = artifact_root(uri), local_folder(artifact_uri)
    beside = None if root is None else root / run_id / "artifacts"
    return [place for place in (beside, recorded) if place is not None]


def on_local_disk(file: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether a file is known to be on a disk of this machine alone, not on a network's or another system's.

    Args:
        mounts: the table of mounts, in the form of proc(5).
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        # Not Linux: nothing is known.
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
    """The address at which the store's pages are found."""
    return UI if database(uri) else public(uri)


def experiment_url(uri: str, experiment_id: str) -> str:
    """The experiment's table of runs; without the workflow type MLflow opens its page for traces."""
    return f"{page(uri)}/#/experiments/{experiment_id}/runs?{TRAINING}"


def share_query(key: str) -> str:
    """What opens the shared view ``key``; with any filter or order beside it MLflow leaves the view out."""
    return f"viewStateShareKey={quote(key)}&compareRunsMode=CHART&{TRAINING}"


def sweep_url(uri: str, experiment_id: str, sweep_id: str) -> str:
    """The sweep's methods compared: the view that :mod:`nnexp.tracking.views` makes."""
    return f"{page(uri)}/#/experiments/{experiment_id}/runs?{share_query(sweep_id)}"


def run_url(uri: str, experiment_id: str, run_id: str) -> str:
    """One run's page."""
    return f"{page(uri)}/#/experiments/{experiment_id}/runs/{run_id}?{TRAINING}"


def ui_command(uri: str) -> str:
    """What to type to see the store's pages: a command, or for a server its address."""
    if database(uri) is None:
        return page(uri)
    file = Path(uri.removeprefix(_SQLITE))
    if needs_alias(file):
        return f"cd {shlex.quote(str(file.parent))} && mlflow ui --backend-store-uri {_SQLITE}{file.name}"
    return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"


def needs_alias(file: Path) -> bool:
    """Whether the file's name would be another one in an address, where ``?`` and ``%`` have meanings."""
    return any(sign in str(file) for sign in "?%")
