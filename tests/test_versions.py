"""Versions of the same methods side by side: regressions are found, equal numbers are said, what differs is listed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import SMALL, here
from made_sweeps import METHODS, made_sweep, spread

from nnexp.report.__main__ import main
from nnexp.results import load_runs
from nnexp.stats.versions import compare_versions


def version(
    name: str, answers: np.ndarray, seconds: Any = 1.0, **settings: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs, history = made_sweep(answers, METHODS)
    noise = np.random.default_rng(len(name)).lognormal(0, 0.05, len(runs))
    runs = runs.assign(
        sweep_id=name, code=f"code of {name}", seconds=runs["seconds"] * seconds * noise, **settings
    )
    own = {run_id: f"{name} {run_id}" for run_id in runs["run_id"]}
    return runs.assign(run_id=runs["run_id"].map(own)), history.assign(run_id=history["run_id"].map(own))


def joined(*versions: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs, histories = zip(*versions, strict=True)
    return pd.concat(runs, ignore_index=True), pd.concat(histories, ignore_index=True)


ANSWERS = spread(seeds=12)


def test_a_version_that_is_worse_for_one_method_is_a_regression() -> None:
    worse = ANSWERS.copy()
    worse[:, 1] += 0.05 + np.random.default_rng(3).normal(0, 0.01, 12)
    found = compare_versions(*joined(version("old", ANSWERS), version("new", worse)))
    verdicts = found.answers.set_index("method")["verdict"]
    assert verdicts.to_dict() == {
        "random": "the same numbers",
        "sgd": "worse",
        "sgd momentum=0.9": "the same numbers",
    }
    assert found.text.startswith("Regression: validation loss at 100 iterations got worse for sgd (new).")
    row = found.answers.set_index("method").loc["sgd"]
    assert row["low"] < row["difference"] < row["high"]
    assert row["after"] - row["before"] == pytest.approx(row["difference"])
    turned = compare_versions(*joined(version("new", worse), version("old", ANSWERS)))
    assert turned.text.startswith(
        "No regression is shown in validation loss at 100 iterations or in seconds a step. Better: sgd"
    )


def test_a_version_that_takes_longer_is_a_regression() -> None:
    found = compare_versions(*joined(version("old", ANSWERS), version("new", ANSWERS, seconds=1.5)))
    assert (found.answers["verdict"] == "the same numbers").all()
    assert (found.speed["verdict"] == "worse").all()
    assert found.speed["ratio"].tolist() == pytest.approx([1.5] * 3, rel=0.1)
    assert "a step takes longer for sgd (new), sgd momentum=0.9 (new), random (new)." in found.text


def test_versions_that_compute_the_same_are_said_to() -> None:
    found = compare_versions(*joined(version("old", ANSWERS), version("other", ANSWERS)), by="code")
    assert found.names == ["code of old", "code of othe"]
    assert found.text.startswith(
        "No regression: validation loss at 100 iterations is the same to the last digit"
    )


def test_runs_that_were_timed_together_are_one_timing() -> None:
    together = [
        version(name, ANSWERS, seconds, group=f"g of {name}") for name, seconds in (("old", 1), ("new", 2))
    ]
    found = compare_versions(*joined(*together))
    assert (found.speed["timings"] == 1).all()
    assert (found.speed["verdict"] == "not enough evidence").all()
    assert "hydra.launcher.group=1 times each run" in found.text


def test_a_setting_in_which_versions_differ_does_not_part_their_methods() -> None:
    rate = "optimizer.learning_rate"
    one, other = version("old", ANSWERS), version("new", ANSWERS + 0.1)
    one = (one[0].assign(**{rate: 0.1}), one[1])
    other = (other[0].assign(**{rate: 0.2}), other[1])
    found = compare_versions(*joined(one, other))
    # The best of the old ones first.
    assert found.answers["method"].tolist() == ["sgd", "sgd momentum=0.9", "random"]
    assert (found.answers["verdict"] == "worse").all()


def test_what_only_one_version_has_is_named() -> None:
    runs, history = version("new", ANSWERS)
    found = compare_versions(*joined(version("old", ANSWERS), (runs[runs["method"] != "random"], history)))
    assert found.remarks == ["Not compared: method random is not in new."]
    with pytest.raises(ValueError, match="by=sweep: expected runs of two or more versions, there is"):
        compare_versions(*version("old", ANSWERS))


def test_the_command_compares_two_sweeps_and_lists_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for samples in (20, 30):
        settings = [text for text in SMALL if not text.startswith("dataset.samples")]
        done = here(
            tmp_path, "-m", "optimizer=sgd,adam", "seed=range(0,2)", "hydra.launcher.n_jobs=1", *settings,
            f"dataset.samples={samples}", f"tracking.experiment=of_{samples}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    store = ["--uri", f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"]
    both = [*store, "--experiment", "of_20", "--experiment", "of_30"]
    assert main([*both, "--format", "markdown"]) == 0
    said = capsys.readouterr().out
    first, second = (load_runs(store[1], f"of_{n}", sweep="latest")["sweep_id"].iloc[0] for n in (20, 30))
    assert f"{second} against {first} (by sweep), validation loss at 60 iterations:" in said
    assert "- sgd: not enough evidence: " in said
    assert "| dataset.samples | 20 | 30 |" in said
    assert "| optimizer." not in said
    assert "measuring_seconds" not in said
    assert main(both) == 0
    verdict, *_, line = capsys.readouterr().out.splitlines()
    page = tmp_path / "runs" / "reports" / f"{second}-against-{first}.html"
    assert line.startswith(f"{page} (")
    text = page.read_text()
    assert f'<p class="lead">{verdict}</p>' in text
    curves = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert {one["name"] for one in curves["methods"]} == {
        f"{method} ({sweep})" for method in ("sgd", "adam") for sweep in (first, second)
    }
    assert all(curves["curves"]["spiral"]["iteration"]["of"]["val_loss"].values())
    again = text.partition('<code tabindex="0">')[2].partition("</code>")[0]
    assert main([*shlex.split(again)[3:], "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text() == text
    assert main([*both, "--format", "latex"]) == 2
    assert "--format latex: expected html or markdown" in capsys.readouterr().err
    assert main([*store, "--experiment", "of_20", "--by", "code"]) == 2
    assert "by=code: expected runs of two or more versions" in capsys.readouterr().err
    assert main([*store, "--experiment", "of_20", "--by", "day"]) == 2
    assert "--by day: expected one of sweep, code, git" in capsys.readouterr().err
