"""The report's command, its tables and formats, and that its page stands alone."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import readme
from conftest import Command
from test_figures import grid_of_runs

from nnexp.report import tables
from nnexp.report.__main__ import main
from nnexp.report.insight import one_seed
from nnexp.report.material import Material, load_material
from nnexp.report.page import commands, hyperparameters, render, roles
from nnexp.tracking.mlflow_run import cut

PAGE = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def uri(swept: Path) -> str:
    return f"sqlite:///{swept / 'runs' / 'mlflow.db'}"


@pytest.fixture(scope="module")
def material(uri: str) -> Material:
    return load_material(uri=uri)


@pytest.fixture(scope="module")
def page(material: Material) -> str:
    return render(material)


def data(page: str) -> dict[str, Any]:
    found = PAGE.search(page)
    assert found is not None
    return dict(json.loads(found[1]))


def test_the_page_stands_alone_and_is_small(page: str) -> None:
    assert len(page.encode()) < 10_000_000
    assert not re.findall(r'(?:src|href|action)\s*=\s*["\'](?!#|data:)[^"\']+', page.split("<script")[0])
    assert not re.findall(
        r"url\((?!#)|@import|fetch\(|XMLHttpRequest|localStorage|sessionStorage|eval\(", page
    )
    assert set(re.findall(r"https?://[^\s\"'<)]+", page)) <= {"http://www.w3.org/2000/svg"}


def test_a_large_sweep_is_drawn_coarser(material: Material, page: str) -> None:
    small = render(material, limit=len(page) // 4)
    assert len(small) < len(page)
    assert len(data(small)["curves"]["spiral"]["iteration"]["x"]) < len(
        data(page)["curves"]["spiral"]["iteration"]["x"]
    )


def test_the_same_runs_give_the_same_page(material: Material, page: str) -> None:
    assert render(material) == page


def test_a_method_that_has_no_run_of_a_task_is_missing_once(material: Material) -> None:
    runs = material.runs
    other = runs[runs["variant"] == "sgd"].assign(task="other")
    both = pd.concat([runs, other], ignore_index=True)
    cells = pd.MultiIndex.from_product([["other"], ["random"], sorted(set(runs["replicate"]))])
    missing = pd.DataFrame(cells.to_list(), columns=["task", "variant", "replicate"])
    missing = missing.assign(status="missing", reason="", run_id="")
    found = tables.failures(dataclasses.replace(material, runs=both, missing=missing), {})
    assert [[cell.text for cell in row[:4]] for row in found.rows] == [["other", "random", "all", "missing"]]
    one_left = tables.failures(dataclasses.replace(material, runs=both, missing=missing[1:]), {})
    assert len(one_left.rows) == len(missing) - 1


def test_the_page_says_which_data_chose_and_which_compare(material: Material, page: str) -> None:
    assert "There is only one held-out dataset, called validation." in page
    both = dataclasses.replace(material, measure="test_loss", runs=material.runs.assign(test_loss=0.5))
    assert roles(both).startswith("Methods are compared on test data.")
    assert roles(dataclasses.replace(material, measure="loss")) == ""


def test_the_page_says_the_verdict_and_names_what_is_missing(material: Material, page: str) -> None:
    assert material.judgement is not None
    first = material.judgement.text.splitlines()[0]
    assert first.split(":")[0] in page
    assert material.missing["status"].tolist() == ["missing"]
    section = page.split('id="failures"')[1].split("</section>")[0]
    assert ">vertical<" in section
    assert "random" in section
    assert ">missing<" in section


def test_charts_hold_the_store_s_numbers(material: Material, page: str) -> None:
    shown = data(page)
    curve = shown["curves"]["spiral"]["iteration"]
    runs = material.runs[(material.runs["task"] == "spiral") & (material.runs["variant"] == "sgd")]
    assert curve["x"][0] == 0
    assert curve["x"][-1] == 60
    assert curve["of"]["loss"]["sgd"]["n"] == 3
    assert curve["of"]["loss"]["sgd"]["mean"][-1] == pytest.approx(runs["loss"].mean(), rel=1e-4)
    assert curve["of"]["val_loss"]["sgd"]["median"][-1] == pytest.approx(runs["val_loss"].median(), rel=1e-4)
    assert {run["seed"] for run in shown["finals"]["vertical"]["random"]} == {"0", "1"}
    assert list(shown["axes"]) == ["iteration", "evaluations", "seconds", "epochs"]


def test_the_page_and_the_paper_s_table_lead_with_the_cost_of_the_budget(
    nnexp: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("dataset.samples=10", "dataset.test_samples=5", "tracking=lean", "hydra.launcher.n_jobs=1")
    limit = ("budget=equal_evaluations", "budget.evaluations=60")
    done = nnexp("-m", "optimizer=random,sgd", "seed=0,1", *limit, *small)
    assert done.returncode == 0, done.stderr
    store = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    found = load_material(uri=store)
    assert found.judgement is not None
    assert found.judgement.headline.split(" at equal ")[1].startswith("evaluations")
    page = render(found)
    assert "runs at equal evaluations; bold" in page
    assert list(data(page)["axes"]) == ["evaluations", "iteration", "seconds", "epochs"]
    assert re.findall(r'class="equal" data-axis="(\w+)"', page) == ["evaluations", "iteration", "seconds"]
    assert main(["--uri", store, "--format", "markdown"]) == 0
    assert "at equal evaluations" in capsys.readouterr().out


def test_the_inside_shows_what_the_run_recorded(page: str) -> None:
    inside = data(page)["inside"]["spiral"]
    clock = inside["clocks"]["iteration"]
    assert clock["moments"][-1] == 60
    for name, plane in inside["plane"]["paths"].items():
        frames = len(inside["losses"][name])
        assert clock["at"][name][-1] == frames - 1 == len(plane["x"]) - 1
        assert inside["plane"]["true"][name] == pytest.approx(inside["losses"][name], rel=1e-3)
        assert all(0 <= v <= 1 for v in [*plane["x"], *plane["y"]])
    assert sum(inside["plane"]["explained"]) <= 1.001


def test_a_strip_has_a_frame_for_each_snapshot(page: str) -> None:
    import base64

    from PIL import Image

    inside = data(page)["inside"]["vertical"]
    for name, address in inside["boundary"]["strips"].items():
        picture = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
        size = inside["boundary"]["size"]
        assert picture.size == (size, size * len(inside["losses"][name]))


def test_text_from_runs_cannot_become_markup(material: Material) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    missing = material.missing.assign(reason=evil)
    page = render(
        dataclasses.replace(material, missing=missing, runs=material.runs.replace({"spiral": evil}))
    )
    assert evil not in page
    assert "&lt;/script&gt;&lt;img src=x" in page


def test_the_page_is_written_and_recorded_with_the_sweep(
    uri: str, swept: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--uri", uri]) == 0
    said = capsys.readouterr().out
    written = next((swept / "runs" / "reports").glob("*.html"))
    assert str(written) in said
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    recorded = client.download_artifacts(said.split()[-1], "report.html", str(tmp_path))
    assert Path(recorded).read_bytes() == written.read_bytes()
    assert client.get_run(said.split()[-1]).data.tags["nnexp.kind"] == "sweep"


def test_any_setting_can_be_what_is_compared(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--method", "dataset.name", "--task", "optimizer.name", "--format", "csv"]
    assert main(["--uri", uri, *asked]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["method"] for row in rows} == {"spiral", "vertical"}
    assert {row["task"] for row in rows} == {"random", "perturb", "sgd", "all tasks"}


def test_the_table_goes_to_the_terminal_or_a_file(
    uri: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["latest", "--uri", uri, "--format", "markdown", "--axis", "seconds"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("| method |")
    assert (
        main(
            ["--uri", uri, "--format", "markdown", "--axis", "seconds", "--out", str(tmp_path / "a" / "t.md")]
        )
        == 0
    )
    assert (tmp_path / "a" / "t.md").read_text("utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "sweep=nosuch"),
        (["--uri", "sqlite:////nowhere/at/all.db"], "no such file"),
        (["--uri", "ftp://x"], "tracking.uri=ftp://x"),
        (["--uri", "http://127.0.0.1:9"], "expected an MLflow server that answers"),
        (["--uri", f"sqlite:///{__file__}"], "it is not an SQLite file"),
        (["--experiment", "other"], "tracking.experiment=other"),
        (["--format", "pdf"], "expected one of html, latex, markdown, csv"),
        (["--axis", "epoch"], "expected one of iteration, evaluations, seconds"),
        (["--measure", "speed"], "measure=speed"),
        (["--method", "optimizer"], "optimizer: expected a column"),
        (["--confidence", "95"], "confidence=95"),
        (["--confidence", "much"], "--confidence"),
        (["--colour"], "--colour"),
        (["--out", "/proc/nowhere/page.html"], "--out"),
    ],
)
def test_bad_input_is_one_line(
    uri: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*([] if "--uri" in arguments else ["--uri", uri]), *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert said in shown.err


def test_the_commands_are_a_shell_s(material: Material) -> None:
    given = dict(commands(material))
    assert given["The sweep"].startswith("python -m nnexp.run -m optimizer=random,perturb,sgd")
    assert material.sweep in given["This page"]
    spaced = dataclasses.replace(material, tags={"nnexp.overrides": "optimizer=sgd seed=range(0,3)"})
    assert dict(commands(spaced))["The sweep"] == "python -m nnexp.run -m optimizer=sgd 'seed=range(0,3)'"
    words = ["optimizer=sgd", "tracking.experiment=my runs", "hydra.sweep.dir='it is'"]
    spaced = dataclasses.replace(material, tags={"nnexp.overrides": shlex.join(words)})
    assert shlex.split(dict(commands(spaced))["The sweep"])[4:] == words
    long = dataclasses.replace(
        material, tags={"nnexp.overrides": cut(f"dataset.inputs='{'1,' * 3000}'", 5000)}
    )
    assert "The sweep" not in dict(commands(long))


def test_one_method_alone_still_has_a_page(material: Material) -> None:
    alone = material.runs["variant"] == "sgd"
    runs = material.runs[alone]
    history = material.history[material.history["run_id"].isin(runs["run_id"])]
    page = render(dataclasses.replace(material, runs=runs, history=history, judgement=None, why="one method"))
    assert "Methods are not compared: one method" in page
    assert data(page)["profiles"] == {}


def test_a_sweep_without_finished_runs_has_a_page(material: Material) -> None:
    runs = material.runs.assign(
        status="failed", loss=np.nan, val_loss=np.nan, accuracy=np.nan, val_accuracy=np.nan
    )
    page = render(dataclasses.replace(material, runs=runs, judgement=None, why="no run finished"))
    assert data(page)["inside"]["spiral"]["why"] == "No run of this task finished."


def test_many_settings_of_a_method_get_their_pictures(material: Material, page: str) -> None:
    assert 'id="hyperparameters"' not in page
    runs = grid_of_runs()
    runs["method"] = "sgd"
    runs["variant"] = runs["optimizer.learning_rate"].map(str) + runs["optimizer.momentum"].map(str)
    (section,) = hyperparameters(dataclasses.replace(material, all_runs=runs, measure="loss")) or []
    assert [title for title, _ in section["pictures"]] == [
        "Every run across its settings", "How much each setting matters", "Means for the two that matter most",
    ]  # fmt: skip
    assert section["text"].startswith("optimizer.learning_rate: ")
    few = dataclasses.replace(material, all_runs=runs[runs["seed"] == 0].head(8), measure="loss")
    assert "10 or more" in (hyperparameters(few) or [])[0]["text"]


def test_the_seed_shown_is_one_that_all_methods_share() -> None:
    rows = [("a", 0), ("a", 1), ("b", 1), ("c", 1)]
    runs = pd.DataFrame(
        [{"variant": v, "replicate": s, "seed": s, "status": "finished", "loss": 1.0} for v, s in rows]
    )
    assert one_seed(runs, ["c", "b", "a"])["variant"].tolist() == ["c", "b", "a"]
    lonely = runs[runs["variant"] != "b"].assign(replicate=[0, 1, 5])
    assert len(one_seed(lonely, ["a", "b", "c"])) == 1


# A test opens no browser on somebody's screen.
COMMANDS = {
    given.replace(" --open", "")
    for given in re.findall(r"^python -m nnexp\.report( .*)?$", readme.TEXT, re.MULTILINE)
}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_of_the_readme_works(swept: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(swept)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(shlex.split(command)) == 0


def test_the_readme_s_analysis_works(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(swept)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code = "".join(re.findall(r"```python\n(.*?)```", readme.guide("analysis"), re.DOTALL))
    exec(compile(code, "analysis.md", "exec"), {})
    assert (swept / "plane.svg").exists()
