"""What a person reads in the terminal, at 80 columns."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nnexp.cli import help as texts
from nnexp.cli.summary import print_summary
from nnexp.cli.sweep_progress import SweepProgress
from nnexp.command import SUBCOMMANDS, main, usage
from nnexp.config.schema import Config, from_mapping
from nnexp.sweep.recording.spool import Spool
from nnexp.sweep.trial import Ended, Trial
from nnexp.sweep.view import Live, Row
from nnexp.tracking.recorder import RunResult


def row(job: int, method: str, seed: int, value: float, status: str = "finished", **changes: Any) -> Row:
    config = from_mapping(
        {"optimizer": {"name": method}, "seed": seed, "budget": {"iterations": 100}} | changes
    )
    numbers = dict.fromkeys(("loss", "val_loss"), value) | dict.fromkeys(("accuracy", "val_accuracy"), 0.5)
    numbers |= dict.fromkeys(("test_loss", "test_accuracy"), math.nan)
    reason = "ValueError: no" if status == "failed" else ""
    return Row(
        job, method, seed, f"optimizer={method} seed={seed}", status, measures=numbers, iterations=100,
        evaluations=12_345_678, seconds=1234.5, run_id=f"{job:032x}", url="http://127.0.0.1:5000/#/a", reason=reason,
        log="/a/log", config=config,
    )  # fmt: skip


def printed(rows: list[Row], width: int = 80, terminal: bool = False, every: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    print_summary(console, rows, "mlflow ui", "http://127.0.0.1:5000/#/page", every)
    return out.getvalue()


def test_runs_without_held_out_data_show_their_training_measures() -> None:
    rows = [row(at, method, 0, 0.25) for at, method in enumerate(("sgd", "perturb"))]
    rows = [
        one._replace(
            overrides=f"{one.overrides} a_long_setting=and_its_value_{one.job} another_one={one.job}",
            measures={name: math.nan if "_" in name else value for name, value in one.measures.items()},
        )
        for one in rows
    ]
    text = printed(rows)
    assert "0.2500" in text
    assert "0.5000" in text
    assert "validation" not in text.split("Not enough")[0]


MANY = [
    row(10 * at + seed, method, seed, at + seed / 50)
    for at, method in enumerate(("sgd", "differential_evolution", "perturb"))
    for seed in range(10)
]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_no_word_and_no_number_is_broken(width: int, terminal: bool, every: bool) -> None:
    text = printed([*MANY, row(30, "perturb", 10, 1.0, "failed")], width, terminal, every)
    assert max(map(len, text.split("\nfailed:")[0].splitlines())) <= width
    for word in ("differential_evolution", "perturb", "0.090 [0.033, 0.147]", "validation loss", "failed"):
        assert word in text, word
    assert "…" not in text
    assert "http" not in text.split("Browse:")[0]
    # Where there is no room costs are left out whole.
    assert ("12,345,678" in text) == ("evaluations" in text)


def test_a_large_sweep_has_a_row_a_method_and_its_verdict() -> None:
    text = printed(MANY)
    rows = [line.split()[0] for line in text.splitlines() if line[:1].isalpha()][:5]
    assert rows == ["method", "sgd", "differential_evolution", "perturb", "Medians"]
    said = " ".join(text.split())
    assert (
        "sgd is better than differential_evolution and perturb by validation loss at 100 iterations (1 task, 10 common"
        in said
    )
    assert "Seeds:" not in text


def test_a_small_one_has_a_row_a_run_and_says_how_many_seeds_are_needed() -> None:
    text = printed([row(0, "sgd", 0, 0.1), row(1, "random", 0, 1.0), row(2, "perturb", 0, 0.5)])
    assert text.count("finished") == 3
    assert "Seeds: at least 7 are needed to show a difference; add 'seed=range(0,10)'\n" in text
    assert "Medians" not in text


def test_failures_of_one_reason_are_one_line() -> None:
    text = printed([*MANY, *(row(30 + at, "perturb", 10 + at, 1.0, "failed") for at in range(5))])
    assert text.count("failed: ") == 1
    assert "and 4 more: ValueError: no" in text


def test_of_very_many_variants_the_best_of_each_method_is_shown() -> None:
    rows = [
        row(at, "sgd", 0, 1.0 - at / 100, optimizer={"name": "sgd", "learning_rate": 0.01 * (at + 1)})
        for at in range(40)
    ]
    text = printed([*rows, row(40, "random", 0, 2.0)])
    assert "The best settings of each method; 39 more are in the report:" in text
    assert "sgd learning_rate=0.4" in text
    assert "41 settings: the report compares the best of each method," in text


def test_tasks_stand_apart() -> None:
    rows = [
        row(at, "sgd", at, 0.1, dataset={"name": name}) for name in ("spiral", "moons") for at in range(8)
    ]
    text = printed(rows)
    assert "spiral:\n" in text
    assert "moons:\n" in text


def ended(job: int, method: str, loss: float) -> Ended:
    trial = Trial(
        job, Config(optimizer=from_mapping({"optimizer": {"name": method}}).optimizer), [], Path("log"), ""
    )
    return Ended(trial, RunResult("id", "", "finished", {"loss": loss, "val_loss": loss}, 1, 1, 0.1, ""))


def test_lines_tell_of_the_whole_command_and_of_groups_that_take_long(tmp_path: Path) -> None:
    out = io.StringIO()
    spool = Spool(tmp_path / "spool")
    spool.make()
    spool.tell(7, Live("sgd", 18, 2, 3400, 10_000, 0.31234))
    with SweepProgress(Console(file=out, width=80), 30, 28) as progress:
        progress.live, progress.running = spool.told, lambda: 2
        progress.ended(ended(28, "sgd", 0.5))
        progress._say(live=True)
        spool.over(7)
        progress.ended(ended(29, "random", 1.25))
    text = out.getvalue()
    assert "29 of 30 done, 0 failed, 1 running" in text
    assert "sgd, 18 runs together (2 done): iteration 3,400 of 10,000, loss 0.3123" in text
    assert "30 of 30 done" in text
    assert "best validation loss so far: sgd 0.5, random 1.25" in text
    assert spool.told() == []


def test_a_terminal_draws_the_same(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    progress = SweepProgress(console, 30)
    progress.live = lambda: [Live("sgd", 18, 0, 10, None, 0.5)] * 6
    for number in range(3):
        progress.ended(ended(number, "sgd", 0.5))
    console.print(progress._drawing())
    text = out.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    for words in (
        "3/30",
        "0 failed",
        "left",
        "sgd, 18 runs together: iteration 10, loss 0.5",
        "and 2 more groups",
    ):
        assert words in text


def test_help_fits_a_terminal() -> None:
    from nnexp.config.places import groups

    pages = [usage(), texts.general(), *(texts.of_group(group) for group in groups())]
    long = [line for page in pages for line in page.splitlines() if len(line) > 80]
    assert long == []
    assert "nnexp report" in usage()


@pytest.mark.parametrize("name", [name for name in SUBCOMMANDS if f"nnexp {name} " in usage()])
def test_every_subcommand_has_help(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    try:
        code = main([name, "--help"])
    except SystemExit as left:
        code = int(left.code or 0)
    text = capsys.readouterr().out
    assert code == 0
    assert text
    assert all(len(line) <= 80 for line in text.splitlines())
