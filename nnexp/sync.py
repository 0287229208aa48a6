"""``python -m nnexp.sync [FOLDER ...]``: what journals hold is delivered to their stores, each run once.

A sweep has a process of its own for this, which follows its journal while runs are trained: :func:`follow`.
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
"""How often a journal is looked at that nobody pointed to."""

PAUSES = (0.5, 1.0, 3.0, 8.0)
"""Seconds until a store that did not answer is tried again, on top of what MLflow's client does by itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 where something could not be delivered, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m nnexp.sync", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "folder", nargs="*", default=[RUNS], help="where journals are looked for; runs without"
    )
    parser.add_argument("--uri", help="MLflow store in place of the one that a journal names")
    given = parser.parse_args([conceal(text) for text in (sys.argv[1:] if arguments is None else arguments)])
    try:
        return sync(given.folder, given.uri)
    except StoreError as error:
        print(f"nnexp.sync: {conceal(str(error))}", file=sys.stderr)
        return 2


def sync(folders: Sequence[str], uri: str | None) -> int:
    """Deliver the journals below folders and say how many runs these were; the exit code.

    Raises:
        StoreError: no such folder, or a store cannot be opened.
    """
    from nnexp.tracking.bring_in import Stores, bring_in

    for place in folders:
        if place != RUNS and not Path(place).is_dir():
            raise StoreError(f"{place}: expected a folder that is there")
    code, stores = 0, Stores(uri)
    for place in folders:
        brought = bring_in(stores, Path(place))
        for problem in brought.problems:
            print(f"nnexp.sync: {problem}", file=sys.stderr)
            code = 1
        print(f"{place}: {brought.runs} brought in, {brought.there} were there already")
    return code


class _ToSweep(logging.Handler):
    """Sends what is logged to the sweep's process."""

    def emit(self, record: logging.LogRecord) -> None:
        tell("log", name=record.name, level=record.levelno, text=record.getMessage())


def tell(what: str, **said: Any) -> None:
    """A line to the sweep's process."""
    try:
        os.write(1, json.dumps({"what": what, **said}).encode() + b"\n")
    except OSError:
        # It is gone, and what it left may be taken over by another one.
        os._exit(1)


def follow() -> int:
    """Deliver a sweep's journal as it is written, until the sweep has ended.

    The first line of the input says where the journal is; any other calls for a look. At its end the sweep's process
    is gone, and this one ends at once. What happened goes to the output, a line of JSON each.
    """
    logging.getLogger().addHandler(_ToSweep())
    logging.getLogger("nnexp").setLevel(logging.INFO)
    # Loaded before anything is asked for.
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
    """Deliver the journals that a line of the input names, in the background; it ends with the process that asked."""
    said = json.loads(sys.stdin.buffer.readline())
    # Training goes first.
    os.nice(5)
    remember(said["credentials"])
    threading.Thread(target=_listen, args=(threading.Event(),), name="nnexp-listen", daemon=True).start()
    from nnexp.tracking.bring_in import Stores, bring_in_each

    bring_in_each(Stores(), map(Path, said["folders"]))
    return 0


def deliver_live(folder: Path, again: bool, tell: Callable[..., None], wait: Callable[[float], bool]) -> None:
    """Deliver a journal as it is written, until its sweep has ended or nothing may be recorded any more.

    Args:
        again: whether this was begun before.
        tell: takes what happened.
        wait: waits as many seconds or until there is news; true to end at once.
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
                    if isinstance(error, SweepTaken):
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
        LOG.warning("the store does not take what is recorded (%s); it is tried again", reason_of(error))
    return PAUSES[min(failures, len(PAUSES) - 1)]


def _listen(called: threading.Event) -> None:
    while os.read(0, 1 << 16):
        called.set()
    os._exit(1)


if __name__ == "__main__":
    leave(main)
