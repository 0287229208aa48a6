"""Ablations: effects of factors about a base, of which it is known what they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import SMALL, here
from made_sweeps import made_sweep, of

from nnexp.report.__main__ import main
from nnexp.results.records import Record, by_job
from nnexp.stats.ablation import ablation

SEEDS = 10


def factorial(together: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Momentum lowers the loss by 0.2, batches raise it by 0.1, and both do ``together`` more."""
    noise = np.random.default_rng(0).normal(0, 0.1, SEEDS)
    made = []
    for momentum, batch in ((0.0, None), (0.9, None), (0.0, 32), (0.9, 32)):
        both = momentum > 0 and batch is not None
        answers = 0.5 + noise - 0.2 * (momentum > 0) + 0.1 * (batch is not None) + together * both
        own = np.random.default_rng([int(10 * momentum), batch or 0]).normal(0, 0.01, SEEDS)
        runs, history = made_sweep((answers + own)[None, None], ["sgd"])
        name = f"{momentum} {batch} "
        settings = {
            "optimizer.momentum": momentum,
            "optimizer.batch_size": batch,
            "run_id": name + runs["run_id"],
        }
        started = runs["started"] + pd.Timedelta(minutes=len(made))
        made.append(
            (runs.assign(**settings, started=started), history.assign(run_id=name + history["run_id"]))
        )
    runs, histories = zip(*made, strict=True)
    return pd.concat(runs, ignore_index=True), pd.concat(histories, ignore_index=True)


def test_effects_are_those_that_were_made() -> None:
    found = ablation(*factorial())
    assert found.base == {"optimizer.momentum": "0", "optimizer.batch_size": "null"}
    for kind in ("alone", "average"):
        momentum = of(found.table, factor="optimizer.momentum", kind=kind)
        assert momentum["effect"] == pytest.approx(-0.2, abs=0.02)
        assert momentum["low"] < -0.2 < momentum["high"]
        assert momentum["p_holm"] < 0.05
        assert of(found.table, factor="optimizer.batch_size", kind=kind)["effect"] == pytest.approx(
            0.1, abs=0.02
        )
    both = of(found.table, kind="together")
    assert both["level"] == "0.9 x 32"
    assert both["low"] < 0 < both["high"]


def test_what_two_levels_do_together_is_told_from_what_each_does() -> None:
    both = of(ablation(*factorial(together=-0.3)).table, kind="together")
    assert both["effect"] == pytest.approx(-0.3, abs=0.03)
    assert both["p_holm"] < 0.05


def test_one_factor_at_a_time_has_no_combinations() -> None:
    runs, history = factorial()
    single = runs[runs["optimizer.momentum"].eq(0) | runs["optimizer.batch_size"].isna()]
    assert ablation(single, history).table["kind"].tolist() == ["alone", "alone"]
    with pytest.raises(ValueError, match="expected settings that vary"):
        ablation(runs[runs["optimizer.momentum"].eq(0) & runs["optimizer.batch_size"].isna()], history)


def test_the_base_is_the_first_job_whichever_run_a_worker_began_first() -> None:
    def record(name: str, started: int, **tags: str) -> Record:
        own = {f"nnexp.{key}": text for key, text in tags.items()}
        return Record(name, "", "FINISHED", started, 0, "", own, {}, {})

    records = [
        record("added", 90, sweep_id="s", job="0"), record("second", 10, sweep_id="s", job="1"),
        record("first", 11, sweep_id="s", job="0"), record("tenth", 12, sweep_id="s", job="10"),
        record("lone", 11), record("before", 9),
    ]  # fmt: skip
    assert [one.run_id for one in by_job(records)] == ["before", "first", "added", "second", "tenth", "lone"]


def test_the_command_gives_the_effects_of_the_conf_files_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(tmp_path, "-m", "sweep=ablation", "seed=range(0,2)", *SMALL, "hydra.launcher.n_jobs=1")
    assert done.returncode == 0, done.stderr
    assert main(["--uri", f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}", "--ablation"]) == 0
    said = capsys.readouterr().out
    assert "architecture.hidden=[16], optimizer.batch_size=null, optimizer.momentum=0" in said
    assert said.count("| alone |") == said.count("| average |") == said.count("| together |") == 3
