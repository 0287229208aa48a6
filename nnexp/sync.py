"""``python -m nnexp.sync [FOLDER ...]``: record runs in their MLflow store that only a local journal has yet.

A command that trains has its own process for this, which follows its journal: :func:`follow`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnexp.process import leave
from nnexp.tracking.left import RUNS
from nnexp.tracking.locations import StoreError, StoreLost, SweepTaken, conceal, remember

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Time between two looks at a journal that nobody asked for."""

PAUSES = (0.5, 1.0, 3.0, 8.0)
"""Seconds before each retry of a store that did not answer, in addition to the retries of MLflow's client."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 if something could not be delivered, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m nnexp.sync", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "folder", nargs="*", default=[RUNS], help="folders to search for journals; default: runs"
    )
    parser.add_argument("--uri", help="MLflow store to record in, instead of the one named in the journal")
    given = parser.parse_args([conceal(text) for text in (sys.argv[1:] if arguments is None else arguments)])
    try:
        return sync(given.folder, given.uri)
    except StoreError as error:
        print(f"nnexp.sync: {conceal(str(error))}", file=sys.stderr)
        return 2


def sync(folders: Sequence[str], uri: str | None) -> int:
    """Deliver the journals below folders and print how many runs these were; return the exit code.

    Raises:
        StoreError: no such folder, or a store cannot be opened.
    """
    from nnexp.tracking.bring_in import Stores, bring_in

    for place in folders:
        if place != RUNS and not Path(place).is_dir():
            raise StoreError(f"{place}: there is no such folder")
    code, stores = 0, Stores(uri)
    for place in folders:
        brought = bring_in(stores, Path(place))
        for problem in brought.problems:
            print(f"nnexp.sync: {problem}", file=sys.stderr)
            code = 1
        print(f"{place}: {brought.runs} runs recorded, {brought.there} were recorded before")
    return code


class _ToCommand(logging.Handler):
    """Sends log records to the command's process."""

    def emit(self, record: logging.LogRecord) -> None:
        tell("log", name=record.name, level=record.levelno, text=record.getMessage())


def tell(what: str, **said: Any) -> None:
    """Write one JSON line to the command's process."""
    try:
        os.write(1, json.dumps({"what": what, **said}).encode() + b"\n")
    except OSError:
        # The command's process has ended, and another one may take over its journal.
        os._exit(1)


def follow() -> int:
    """Deliver a command's journal as it is written, until the command has ended.

    The first line of stdin says where the journal is; every further line asks for a look at it. At the end of stdin the
    command's process has ended, and this one ends at once. Events go to stdout, one JSON line each.
    """
    logging.getLogger().addHandler(_ToCommand())
    logging.getLogger("nnexp").setLevel(logging.INFO)
    # Imported before the first request.
    import nnexp.tracking.bring_in
    import nnexp.tracking.mlflow_store  # noqa: F401
    from nnexp.tracking.heartbeat import speak_for

    words = sys.stdin.buffer.readline()
    if not words:
        return 0
    said = json.loads(words)
    speak_for(said["pid"])
    remember(said["credentials"])
    called = threading.Event()
    threading.Thread(target=_listen, args=(called,), name="nnexp-listen", daemon=True).start()

    def wait(seconds: float) -> bool:
        called.wait(seconds)
        called.clear()
        return False

    deliver_live(Path(said["folder"]), said["again"], tell, wait)
    return 0


def bring() -> int:
    """Deliver the journals named in the first line of stdin, in the background; end with the process that asked."""
    said = json.loads(sys.stdin.buffer.readline())
    # Training has priority.
    os.nice(5)
    remember(said["credentials"])
    threading.Thread(target=_listen, args=(threading.Event(),), name="nnexp-listen", daemon=True).start()
    from nnexp.tracking.bring_in import Stores, bring_in_each

    bring_in_each(Stores(), map(Path, said["folders"]))
    return 0


def deliver_live(folder: Path, again: bool, tell: Callable[..., None], wait: Callable[[float], bool]) -> None:
    """Deliver a journal as it is written, until its command has ended or recording is no longer allowed.

    Args:
        again: whether an earlier process already delivered a part.
        tell: called with each event.
        wait: waits that many seconds or until there is news; returns true to end at once.
    """
    from nnexp.tracking.bring_in import Stores
    from nnexp.tracking.deliver import Delivery
    from nnexp.tracking.left import locked
    from nnexp.tracking.parent_file import NotEnded

    opened, failures = False, 0
    try:
        with locked(folder):
            delivery = Delivery(folder, Stores(), tell, live=True, again=again)
            while True:
                pause = LOOK_SECONDS
                try:
                    if not opened:
                        delivery.open()
                        opened = True
                    if delivery.look():
                        delivery.close()
                        tell("ended")
                        return
                    failures = 0
                except (SweepTaken, StoreLost, NotEnded) as error:
                    if isinstance(error, SweepTaken) and delivery.parent is not None:
                        delivery.forget()
                    raise
                except Exception as error:
                    if isinstance(error, StoreError) and not opened and not again:
                        raise
                    pause = _again(error, failures)
                    failures += 1
                if wait(pause):
                    return
    except StoreError as error:
        kinds = {SweepTaken: "taken", StoreLost: "lost"}
        tell(kinds.get(type(error), "refused"), why=str(error))


def _again(error: Exception, failures: int) -> float:
    from nnexp.tracking.outcome import reason_of

    if failures == 0:
        LOG.warning("recording in the store failed (%s); it is tried again", reason_of(error))
    return PAUSES[min(failures, len(PAUSES) - 1)]


def _listen(called: threading.Event) -> None:
    while os.read(0, 1 << 16):
        called.set()
    os._exit(1)


if __name__ == "__main__":
    leave(main)
