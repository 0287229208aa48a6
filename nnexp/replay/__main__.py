"""``python -m nnexp.replay RUN`` trains a recorded run again from its record and compares every number.

Exit codes: 0 all are equal bit for bit, 1 one is different, 2 bad input, 130 ended by SIGINT.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from nnexp.config.error import ConfigError
from nnexp.process import leave
from nnexp.tracking.locations import StoreError, conceal, database, refusal, resolve

if TYPE_CHECKING:
    from nnexp.replay.again import Replayed
    from nnexp.replay.recorded import Recorded
    from nnexp.results.client import Source

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    # As in nnexp.run; a run that was trained with more threads is replayed with the same number.
    os.environ.setdefault(_name, "1")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


class Result(NamedTuple):
    """A run with the result of its replay, or why it could not be replayed, or which given data have changed."""

    run_id: str
    title: str
    status: str
    replayed: Replayed | None
    problem: str = ""
    changed: str = ""

    @property
    def code(self) -> int:
        """The exit code of this result."""
        if self.problem:
            return 2
        return 0 if self.replayed is not None and self.replayed.equal else 1

    @property
    def verdict(self) -> str:
        """The answer in a few words."""
        if self.problem or self.changed:
            return self.problem or f"not trained again; {self.changed}"
        assert self.replayed is not None
        return "equal, bit for bit" if self.replayed.equal else f"different: {self.replayed.difference}"


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = _Parser(
        prog="python -m nnexp.replay",
        description="Train recorded runs again from their records alone and compare every number, bit for bit.",
    )
    made.add_argument(
        "runs", nargs="*", metavar="RUN", default=["latest"],
        help="id of a run, or of a sweep for all its runs; default: latest, the run or sweep that began last",
    )  # fmt: skip
    made.add_argument("--uri", help="MLflow store; default: MLFLOW_TRACKING_URI, else runs/mlflow.db here")
    made.add_argument("--experiment", default="nnexp", help="MLflow experiment; default: nnexp")
    made.add_argument(
        "--trust", action="append", default=[], metavar="MODULE",
        help="module outside nnexp that may be imported for parts of the run; may be repeated",
    )  # fmt: skip
    made.add_argument(
        "--checkout",
        type=Path,
        metavar="FOLDER",
        help="write the source code of a run to a new folder, and train nothing",
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        return _command(parser().parse_args(arguments))
    except KeyboardInterrupt:
        return 130
    except (StoreError, ConfigError) as error:
        print(f"nnexp.replay: {conceal(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"nnexp.replay: {error.filename or 'the disk'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except Exception as error:
        if not (said := refusal(error)):
            raise
        print(f"nnexp.replay: {said}", file=sys.stderr)
        return 1


def _command(options: argparse.Namespace) -> int:
    # A missing store is an error before MLflow is imported, which takes seconds.
    file = database(resolve(options.uri))
    if file is not None and not file.exists():
        raise StoreError(
            f"tracking.uri={options.uri or file}: there is no such file; the first run creates it"
        )
    from nnexp.config.places import add_module_folders
    from nnexp.replay.recorded import find
    from nnexp.results.client import connect

    if file is None:
        from nnexp.tracking.servers import ask_health

        ask_health(resolve(options.uri))
    from nnexp.tracking.bring_in import bring_in_left

    if said := bring_in_left(options.uri):
        print(f"nnexp.replay: {said}", file=sys.stderr)
    add_module_folders([])
    source = connect(options.uri)
    runs = [run for wanted in options.runs for run in find(source, options.experiment, wanted)]
    if options.checkout is not None:
        from nnexp.replay.checkout import checkout

        print("\n".join(checkout(source, runs[0], options.checkout)))
        return 0
    return _replay(source, runs, options.trust)


def _replay(source: Source, runs: list[Any], trusted: Sequence[str]) -> int:
    from nnexp.cli.terminal import console
    from nnexp.cli.view import TerminalView
    from nnexp.replay.again import changed_data, config_of, replay
    from nnexp.replay.recorded import read

    view, results = TerminalView(console()), []
    for number, run in enumerate(runs, 1):
        tags, recorded = run.data.tags, None
        title = run.info.run_name or str(tags.get("nnexp.method"))
        about = run.info.run_id, title, tags.get("nnexp.status", run.info.status.lower())
        try:
            recorded = read(source, run)
            config = config_of(recorded, trusted)
            if changed := changed_data(recorded, config):
                result = Result(*about, None, changed=changed)
            else:
                of = f"[{number}/{len(runs)}] " if len(runs) > 1 else ""
                replayed = replay(recorded, config, partial(view.run, title=of + title))
                result = Result(*about, replayed)
        except (StoreError, ConfigError) as error:
            result = Result(*about, None, problem=" ".join(str(error).split()))
        results.append(result)
        for line in lines(result, number, len(runs), recorded):
            view.say(line)
    if len(results) > 1:
        view.say(sum_of(results))
    if len(results) == 1 and results[0].problem:
        raise ConfigError(f"run {results[0].run_id}: {results[0].problem}")
    return next((code for code in (1, 2) if any(result.code == code for result in results)), 0)


def lines(result: Result, number: int, of: int, recorded: Recorded | None) -> list[str]:
    """The printed lines about one run."""
    if of == 1 and result.problem:
        return []
    head = f"{f'{number:4}  ' if of > 1 else ''}{result.run_id}  {result.title}: {result.status},"
    replayed = result.replayed
    if replayed is None:
        return [f"{head} {result.verdict}"]
    until = (
        ""
        if recorded is None or recorded.until is None
        else ", where it was interrupted or its budget of seconds ended"
    )
    until += f", {replayed.left_out}" if replayed.left_out else ""
    told = [f"{head} {result.verdict} ({replayed.numbers:,} numbers, {replayed.rows:,} rows to iteration "
            f"{replayed.last:,}{until})"]  # fmt: skip
    # For several runs this is printed once, at the end.
    told += [f"      {what}" for what in replayed.differs if of == 1]
    if not replayed.equal and not replayed.differs:
        told.append("      code, versions, BLAS, processor and data are the recorded ones")
    return told


def sum_of(results: Sequence[Result]) -> str:
    """The numbers of equal and of different runs, and what differs in their environments."""
    counts = [sum(result.code == code for result in results) for code in (0, 1, 2)]
    said = [f"{len(results):,} run{'s' * (len(results) != 1)}: {counts[0]:,} equal, bit for bit"]
    said += [f"{counts[1]:,} different"] * bool(counts[1]) + [f"{counts[2]:,} not replayed"] * bool(counts[2])
    others = {what for result in results if result.replayed is not None for what in result.replayed.differs}
    text = ", ".join(said)
    return f"{text}; {'; '.join(sorted(others))}" if others else text


if __name__ == "__main__":
    leave(main)
