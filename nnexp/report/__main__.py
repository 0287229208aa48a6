"""``python -m nnexp.report SWEEP`` writes a sweep's page, or its table for a paper."""

from __future__ import annotations

import argparse
import re
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from nnexp.config.places import add_module_folders
from nnexp.process import blas, leave
from nnexp.tracking.locations import StoreError, database, resolve

FORMATS = ("html", "latex", "markdown", "csv")
LONGEST_NAME = 120
"""The most characters of settings in a file's name."""


AXES = ("iteration", "evaluations", "seconds")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = _Parser(
        prog="python -m nnexp.report", description="A sweep's page: verdict, curves, boundaries, tables."
    )
    made.add_argument(
        "sweep",
        nargs="*",
        default=["latest"],
        help="id of a sweep; default: latest; several sweeps are compared with the first",
    )
    made.add_argument(
        "--ablation",
        action="store_true",
        help="print the effect of each setting that varies, compared with the first job",
    )
    made.add_argument(
        "--by",
        metavar="sweep|code|git",
        help="what is compared: sweeps, states of the code, or git commits, each with the first",
    )
    made.add_argument("--uri", help="MLflow store; default: MLFLOW_TRACKING_URI, else runs/mlflow.db here")
    made.add_argument(
        "--experiment",
        action="append",
        help="MLflow experiment; default: nnexp; may be repeated to compare several",
    )
    made.add_argument(
        "--out",
        type=Path,
        help="the file to write; default: reports/SWEEP.html beside the store, with given settings in its name",
    )
    made.add_argument(
        "--format",
        default="html",
        metavar="|".join(FORMATS),
        help="html: the page; others: a table for a paper",
    )
    made.add_argument(
        "--measure", help="measure that methods are compared by; default: test_loss, else val_loss, else loss"
    )
    made.add_argument(
        "--axis",
        metavar="|".join(AXES),
        help="cost at which the table for a paper compares; default: that of the budget",
    )
    made.add_argument(
        "--method",
        help="setting whose values are compared; default: the optimizer with its settings that vary",
    )
    made.add_argument(
        "--task",
        action="append",
        help="setting whose values are tasks; may be repeated; default: all other settings that vary",
    )
    made.add_argument("--confidence", type=float, default=0.95, help="level of intervals and tests")
    made.add_argument(
        "--trust", action="append", default=[], metavar="MODULE",
        help="module outside nnexp that may be imported to show weights of its parts; may be repeated",
    )  # fmt: skip
    made.add_argument("--open", action="store_true", help="open the page in a browser")
    made.add_argument(
        "--no-record", action="store_true", help="do not record the page with the sweep in MLflow"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 2 for bad input."""
    try:
        return _command(parser().parse_args(arguments))
    except (StoreError, ValueError) as error:
        print(f"nnexp.report: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"nnexp.report: --out: expected a file that can be written ({error})", file=sys.stderr)
        return 2


def _command(options: argparse.Namespace) -> int:
    for name, allowed in (("format", FORMATS), ("axis", (None, *AXES))):
        if getattr(options, name) not in allowed:
            raise ValueError(
                f"--{name} {getattr(options, name)}: expected one of {', '.join(filter(None, allowed))}"
            )
    options.experiment = options.experiment or ["nnexp"]
    # A missing store is an error before pandas and MLflow are imported, which takes seconds.
    file = database(resolve(options.uri))
    if file is not None and not file.exists():
        raise StoreError(
            f"tracking.uri={options.uri or file}: there is no such file; the first run creates it"
        )
    from nnexp.tracking.bring_in import bring_in_left

    if said := bring_in_left(options.uri):
        print(f"nnexp.report: {said}", file=sys.stderr)

    # For small networks a second BLAS thread does not help.
    with blas().limit(limits=1):
        return _write_report(options)


def _write_report(options: argparse.Namespace) -> int:
    if options.ablation:
        return _ablation(options)
    if options.by is not None or len(options.sweep) > 1 or len(options.experiment) > 1:
        return _compare(options)
    from nnexp.report.material import load_material, record
    from nnexp.report.page import render
    from nnexp.report.paper import paper_table

    material = load_material(
        options.sweep[0], options.uri, options.experiment[0], options.measure, options.confidence,
        options.task, options.method,
    )  # fmt: skip
    material.trusted += options.trust
    add_module_folders([])
    if options.format != "html":
        if material.judgement is None:
            raise ValueError(f"sweep={material.sweep}: its methods cannot be compared ({material.why})")
        comparisons = material.judgement.comparisons
        text = paper_table(comparisons[options.axis or next(iter(comparisons))], options.format)
        return _give(options, text)
    page = render(material)
    said = material.judgement.headline if material.judgement else f"Methods are not compared: {material.why}."
    _give_page(options, material.sweep, page, said)
    if not options.no_record and material.parent is not None:
        name = f"report{_given(options)}.html"
        print(f"recorded as {name} of run {record(material, page, name)}")
    elif not options.no_record:
        print("not recorded: the sweep has no parent run")
    return 0


def _give_page(options: argparse.Namespace, name: str, page: str, said: str) -> None:
    """Write the page to ``--out``, else next to the store with the settings in its name; print verdict and file."""
    file = database(resolve(options.uri))
    folder = (Path("runs") if file is None else file.parent) / "reports"
    out = options.out or folder / f"{name}{_given(options)}.html"
    _write(out, page)
    print(said)
    print(f"{out} ({len(page.encode()) / 1e6:.1f} MB)")
    if options.open:
        webbrowser.open(out.absolute().as_uri())


def _given(options: argparse.Namespace) -> str:
    """The given settings as the end of a file's name, so that pages of one sweep differ; empty without one.

    >>> _given(parser().parse_args(["latest", "--measure", "loss", "--confidence", "0.99"]))
    '-measure-loss-confidence-0.99'
    """
    names = ("measure", "method", "task", "confidence")
    chosen = {name: getattr(options, name) for name in names}
    told = [
        f"-{name}-{'-'.join(value) if isinstance(value, list) else value}"
        for name, value in chosen.items()
        if value != parser().get_default(name)
    ]
    return re.sub(r"[^\w.-]", "_", "".join(told))[:LONGEST_NAME]


def _ablation(options: argparse.Namespace) -> int:
    from nnexp.report.material import read_runs
    from nnexp.results import load_history
    from nnexp.stats.ablation import ablation, text

    runs = read_runs(options.uri, options.experiment[0], options.sweep[0])
    found = ablation(runs, load_history(runs), None, options.measure, options.axis, options.confidence)
    return _give(options, text(found, options.confidence))


def _give(options: argparse.Namespace, said: str) -> int:
    if options.out is None:
        print(said, end="")
    else:
        _write(options.out, said)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from nnexp.report.side_by_side import load_side_by_side, text

    found = load_side_by_side(
        options.sweep, options.by or "sweep", options.uri, options.experiment,
        options.measure, options.axis, options.confidence,
    )  # fmt: skip
    if options.format == "markdown":
        return _give(options, text(found))
    if options.format != "html":
        raise ValueError(f"--format {options.format}: expected html or markdown where sweeps are compared")
    from nnexp.report.versions_page import render_versions

    page = render_versions(found)
    name = "-against-".join(reversed(found.versions.names))[:LONGEST_NAME]
    _give_page(options, name, page, found.versions.text)
    return 0


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    leave(main)
