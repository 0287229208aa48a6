"""Sweeps that choose their seeds: rounds, looks, what is refused, and what goes on after an interruption."""

from __future__ import annotations

import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, here, made_store, runs, start, wait_for

from nnexp.config.schema import Config, ConfigError, Sweep
from nnexp.data import Moons
from nnexp.optim import SGD, Adam
from nnexp.results import label, load_history, load_runs, missing_cells
from nnexp.stats import judge
from nnexp.stats.design import DesignRecord
from nnexp.sweep.design import cells, continued, make_design
from nnexp.training import Budget
from nnexp.training.run_settings import Seeds

SWEEP = (
    *(
        "-m",
        "optimizer=sgd,adam,perturb",
        "sweep.until=decided",
        "sweep.most_seeds=20",
        "hydra.launcher.n_jobs=1",
    ),
    *SMALL,
)


def record(place: Path) -> DesignRecord:
    (parent,) = runs(place, "sweep")
    file = Path(parent.info.artifact_uri.removeprefix("file://")) / "design.json"
    return DesignRecord.read(file.read_text("utf-8"))


def table(place: Path, **settings: Any) -> Any:
    return load_runs(f"sqlite:///{place / 'runs' / 'mlflow.db'}", sweep="latest", **settings)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    place = tmp_path_factory.mktemp("decided")
    done = here(place, *SWEEP)
    assert done.returncode == 0, done.stderr
    return place, done.stdout


def test_methods_get_seeds_until_they_are_told_apart(swept: tuple[Path, str]) -> None:
    place, said = swept
    found = record(place)
    decision = found.decision()
    seeds = {name: len(scores) for name, scores in found.scores["spiral"].items()}
    assert min(seeds.values()) < 20 or all(decision.active)
    for at, name in enumerate(found.design.methods):
        own = [pair.seeds for pair in decision.pairs if at in (pair.one, pair.two)]
        assert seeds[name] == max(own)
    assert said.count("look ") >= len(found.looks)
    assert f"look 1 of 3, 10 seeds: {found.looks[0]['decided']} of 3 pairs decided" in said
    recorded = runs(place)
    assert len(recorded) == sum(seeds.values())
    assert len({run.data.tags["nnexp.sweep_id"] for run in recorded}) == 1
    assert len(runs(place, "sweep")) == 1


def test_the_record_has_the_design(swept: tuple[Path, str]) -> None:
    design = record(swept[0]).design
    assert (design.most, design.margin, design.measure, design.axis) == (20, None, "val_loss", "iteration")
    assert design.at == {"spiral": 60.0}
    # Untrained networks of three classes have a loss near log 3.
    assert design.worst["spiral"] == pytest.approx(1.1, abs=0.15)
    (parent,) = runs(swept[0], "sweep")
    assert parent.data.tags["nnexp.until"] == "decided"


def test_what_looks_saw_is_what_is_recorded(swept: tuple[Path, str]) -> None:
    table_of_runs = table(swept[0])
    for name, scores in record(swept[0]).scores["spiral"].items():
        own = table_of_runs[table_of_runs["method"] == name].sort_values("seed")
        assert own["seed"].tolist() == [*range(len(scores))]
        assert own["val_loss"].tolist() == pytest.approx(scores)


def test_the_verdict_is_the_designs(swept: tuple[Path, str]) -> None:
    place, said = swept
    table_of_runs = table(place)
    found = judge(table_of_runs, load_history(table_of_runs))
    assert found.sequential is not None
    assert found.headline in " ".join(said.split())
    assert found.text.startswith(found.headline)
    assert "Sequential: " in found.text
    pairs = found.comparisons["iteration"].overall
    outcomes = found.sequential.pairs.set_index(["a", "b"])["outcome"]
    assert [row.verdict == "a is better" for row in pairs.itertuples()] == [
        outcomes[row.a, row.b] == "different" for row in pairs.itertuples()
    ]
    assert pairs["p"].isna().all()
    assert "nan" not in found.text
    # A method that needed no more seeds has none missing.
    assert missing_cells(table_of_runs).empty
    assert "missing" not in found.text


def test_going_on_with_a_decided_sweep_trains_nothing(swept: tuple[Path, str]) -> None:
    place, _ = swept
    before, count = record(place), len(runs(place))
    again = here(place, *SWEEP, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert f"{count} runs are recorded and skipped" in again.stdout
    assert record(place) == before
    assert len(runs(place)) == count


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("sweep.most_seeds=25",), "sweep.most_seeds=25: cannot be changed after"),
        (("budget.iterations=70",), "at cannot be changed after"),
        (("sweep.until=null",), "sweep.until=null: sweep"),
    ],
)
def test_a_design_that_was_looked_at_is_not_changed(
    swept: tuple[Path, str], changed: tuple[str, ...], said: str
) -> None:
    place, _ = swept
    before = len(runs(place))
    done = here(place, *SWEEP, *changed, "sweep.resume=latest")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(runs(place)) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("seed=0,1",), "seed=0,1: expected one seed, the first"),
        (("optimizer=sgd",), "expected two or more methods"),
        (("sweep.measure=test_loss",), "expected one of auto"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    own = [text for text in SWEEP if text.split("=")[0] not in {one.split("=")[0] for one in given}]
    done = here(tmp_path, *own, *given)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def configs(*changed: Config, **sweep: Any) -> list[Config]:
    """Jobs of two methods, which may be changed, with settings of the sweep."""
    base = Config(budget=Budget(iterations=10), sweep=Sweep(until="decided", **sweep))
    return [*(changed or (base, replace(base, optimizer=Adam())))]


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        (configs(trials=3), "sweep.trials: expected null"),
        (
            [replace(one, budget=Budget(10, 100)) for one in configs()],
            "budget.iterations=10, budget.evaluations=100",
        ),
        ([*configs(), replace(configs()[0], seeds=Seeds(init=3))], "sgd on spiral has several jobs"),
        ([*configs(), replace(configs()[0], dataset=Moons())], "expected every method on every task"),
        (
            [configs()[0], replace(configs()[1], budget=Budget(20))],
            "expected the same budget for each method",
        ),
        (
            [replace(configs(most_seeds=10)[0], optimizer=SGD(rate)) for rate in range(1, 10)],
            "sweep.most_seeds=10: too few seeds to distinguish 9 methods",
        ),
    ],
)
def test_jobs_that_cannot_be_compared_are_refused(jobs: list[Config], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        cells(jobs)


def test_a_design_is_changed_before_a_look_and_not_after() -> None:
    first, second = (make_design(jobs, cells(jobs)) for jobs in (configs(), configs(most_seeds=60)))
    before = DesignRecord(first)
    assert continued(before, second, keep=False).design == second
    before.looks.append({"seeds": 10, "decided": 0})
    with pytest.raises(
        ConfigError, match=r"sweep\.most_seeds=60: cannot be changed after 1 look; expected 40"
    ):
        continued(before, second, keep=False)
    with pytest.raises(ConfigError, match=r"sweep\.worst="):
        continued(before, replace(first, worst={"spiral": 9.0}), keep=False)
    other = replace(first, code="other")
    with pytest.raises(ConfigError, match="the code was changed after 1 look"):
        continued(before, other, keep=False)
    assert continued(before, other, keep=True).changes == ["the code, at 10 seeds"]


def test_two_tasks_are_one_observation_a_seed(tmp_path: Path) -> None:
    done = here(
        tmp_path, "-m", "optimizer=sgd,perturb", "dataset=spiral,moons", "sweep.until=decided", "sweep.most_seeds=10",
        "hydra.launcher.n_jobs=1", "sweep.worst=2.5", "sweep.margin=0.01",
        "sweep.measure=loss", *SMALL, "budget.iterations=30",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = record(tmp_path)
    assert [task.split()[0] for task in found.design.tasks] == ["spiral", "moons"]
    assert set(found.design.worst.values()) == {2.5}
    # By the names that reports give them.
    assert set(label(table(tmp_path))["task"]) == set(found.design.tasks)
    assert found.means().shape == (2, 10)


def test_a_killed_sweep_goes_on_to_the_same_verdict_with_the_same_runs(
    swept: tuple[Path, str], tmp_path: Path
) -> None:
    made_store(tmp_path)
    begun = start(tmp_path, *SWEEP)
    design = tmp_path / "runs"
    wait_for(lambda: any("looks" in text and '"seeds": 10' in text for text in texts(design)))
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    begun.stdout.close(), begun.stderr.close()
    again = here(tmp_path, *SWEEP, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert "continues after look" in again.stdout
    first, second = record(swept[0]), record(tmp_path)
    assert second.scores == first.scores
    assert second.looks == first.looks
    assert [(run.data.tags["nnexp.method"], run.data.params["seed"]) for run in runs(tmp_path)] == [
        (run.data.tags["nnexp.method"], run.data.params["seed"]) for run in runs(swept[0])
    ]


def texts(folder: Path) -> list[str]:
    """What the store has of designs."""
    return [file.read_text("utf-8") for file in folder.glob("artifacts/**/design.json")]
