"""A part from outside nnexp, as the README shows it: compared, grouped, recorded and told apart like nnexp's own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, nnexp, runs

from nnexp.config.schema import ConfigError, from_mapping
from nnexp.results import load_config
from nnexp.training import train

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README shows."""
    shown = re.findall(
        r"```(?:python|yaml)\n# ((?:my_lab|conf_of_mine)[\w./]*).*?\n(.*?)```", README, re.DOTALL
    )
    assert [name for name, _ in shown] == ["my_lab.py", "conf_of_mine/optimizer/sign_descent.yaml"]
    for name, text in shown:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_it_is_swept_and_executed_again_from_its_record(lab: Path) -> None:
    command = ("-m", "--config-dir", "conf_of_mine", "optimizer=sgd,sign_descent", "seed=range(0,3)", *SMALL)
    done = nnexp(lab, *command, "hydra.launcher.n_jobs=2")
    assert done.returncode == 0, done.stdout + done.stderr
    found = runs(lab)
    assert [run.data.params["optimizer.name"] for run in found] == ["sgd"] * 3 + ["sign_descent"] * 3
    codes = {(run.data.params["optimizer.name"], run.data.tags["nnexp.code_hash"]) for run in found}
    assert len(codes) == 2
    assert len({code for _, code in codes}) == 2
    for run in found[2:]:
        values = load_config(run.info.run_id, f"sqlite:///{lab}/runs/mlflow.db")
        if run.data.params["optimizer.name"] == "sign_descent":
            with pytest.raises(
                ConfigError, match=r"my_lab\.SignDescent: a module outside nnexp; name my_lab"
            ):
                from_mapping(values, ())
        config = from_mapping(values, ["my_lab"])
        (again,) = train(config, config.tracking.log_every)
        assert again.history.loss[-1] == run.data.metrics["loss"]
        assert np.isfinite(again.history.loss).all()


def test_its_code_counts_when_a_sweep_is_resumed(lab: Path) -> None:
    command = ("-m", "--config-dir", "conf_of_mine", "optimizer=sgd,sign_descent", "seed=0,1", *SMALL)
    assert nnexp(lab, *command).returncode == 0
    kept = nnexp(lab, *command, "sweep.resume=true")
    assert "4 runs are there and skipped" in kept.stdout, kept.stdout + kept.stderr
    with open(lab / "my_lab.py", "a", encoding="utf-8") as file:
        file.write("# An edit.\n")
    again = nnexp(lab, *command, "sweep.resume=true")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 runs are there and skipped; run again: 2 of other code" in again.stdout


def test_its_settings_are_checked_and_helped_with(lab: Path) -> None:
    own = ("--config-dir", "conf_of_mine", "optimizer=sign_descent")
    done = nnexp(lab, *own, "optimizer.least=-1")
    assert (done.returncode, done.stderr) == (2, "nnexp: optimizer.least=-1: expected a number 0 or more\n")
    done = nnexp(lab, "--config-dir", "conf_of_mine", "--help", "optimizer")
    assert re.search(r"optimizer.least=0.0 +smallest size that counts \(a number 0 or more\)", done.stdout)
