"""A sweep's jobs are composed as Hydra composes them: the same configs, files, folders and errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra_jobs import FILES, by_hydra, by_job, hydra_sweep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnexp.config.places import groups
from nnexp.sweep.compose.composer import Composer
from nnexp.sweep.compose.yaml_text import block

HEAD = "# @package _global_\n"
OWN = {
    # A folder of one's own: files that refer to other settings, to Hydra's job, to the environment.
    "own/seeded.yaml": f"{HEAD}seeds:\n  init: ${{seed}}\n  batches: ${{seeds.init}}\n",
    "own/numbered.yaml": f"{HEAD}seeds:\n  method: ${{hydra:job.num}}\n",
    "own/named.yaml": f"{HEAD}tracking:\n  experiment: ${{optimizer.name}}-${{dataset.samples}}-${{oc.env:PLACE}}\n",
    "own/relative.yaml": f"{HEAD}dataset:\n  test_samples: ${{.samples}}\nsame: ${{optimizer}}\n",
    "own/broken.yaml": f"{HEAD}seeds:\n  init: ${{nowhere}}\n",
    "own/texts.yaml": f"""{HEAD}
texts: ['yes', '1e3', '', ' a ', 'a: b', '#', "it's", "l\\nm", 'é', '12:30', '0x1', '~', '-', '<<', '=', 2020-01-02]
numbers: [1.0, 1e-7, -0.0, .inf, 1e22, 0, -3, 1_000, 0x1F]
empty: {{}}
none: []
many: [[[1], []], [{{a: [1, {{b: 2}}]}}, {{}}]]
missing: ???
unknown: null
1: one
true: two
""",
    "optimizer/slow.yaml": "defaults:\n  - sgd\n  - _self_\nlearning_rate: 0.001\n",
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for name, text in OWN.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("place"))
        patch.setenv("PLACE", "here")
        yield


@pytest.fixture(scope="module")
def sweep(own: Path) -> Iterator[tuple[Any, Any]]:
    with hydra_sweep(f"hydra.searchpath=[file://{own}]") as made:
        yield made


@pytest.fixture(scope="module")
def composer(sweep: tuple[Any, Any]) -> Composer:
    """One for all, as in a sweep: what jobs have in common is composed once."""
    return Composer(*sweep)


def assert_same(
    sweep: tuple[Any, Any], *jobs: list[str], composer: Composer | None = None
) -> list[dict[str, Any]]:
    """Each job is as Hydra makes it; what it made."""
    made = []
    for job in (composer or Composer(*sweep)).jobs(jobs, first=3):
        ours, theirs = by_job(job), by_hydra(*sweep, job.overrides, job.number)
        assert repr(ours) == repr(theirs)
        made.append(ours)
    assert not HydraConfig.initialized()
    return made


ADDED = ("experiment", "architecture/activation", "architecture/init", "architecture/layer", "metric")
"""Groups of which the default config names no option."""

OPTIONS = [
    f"{'+' if group in ADDED else ''}{group}={option}"
    for group, options in groups().items()
    # How a group is composed does not depend on which of its options; that each loads and trains is another test.
    for option in options[-1:]
]


@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_every_group(option: str, sweep: Any, composer: Composer) -> None:
    (made,) = assert_same(sweep, [option, "seed=7", "budget.iterations=null"], composer=composer)
    assert made["task"]["seed"] == 7
    assert set(made["files"]) == set(FILES)


VALUES = [
    ["optimizer.learning_rate=1e-3"], ["optimizer.learning_rate=1"], ["optimizer.learning_rate=null"],
    ["optimizer.learning_rate=nan"], ["optimizer.learning_rate=-inf"], ["architecture.hidden=[3,4]"],
    ["architecture.hidden=[]"], ["architecture.hidden=null"], ["architecture.hidden=5"],
    ["architecture.weights=[[[1.0,2],[a,'b c']]]"], ["architecture.hidden=[{a:1}]"],
    ["tracking.experiment='a b'"], ['tracking.experiment="1e3"'], ["tracking.experiment=yes"],
    ["tracking.experiment=''"], ["tracking.experiment=a\\,b"], ["tracking.experiment='é\n2'"],
    ["tracking.experiment=${optimizer.name}"], ["tracking.experiment='\\${seed}'"], ["seed=${hydra:job.num}"],
    ["tracking.experiment='${hydra:job.name}'"], ["tracking.experiment=???"],
    ["tracking.figures=false", "tracking.model=no", "dtype=float64"], ["seed=007"], ["seed=1_000"],
    ["seed=1", "seed=2"],
    ["budget={iterations:5}"], ["seeds={init:1}"], ["seeds={init:1}", "seeds.split=2"], ["seeds=3"],
    ["+budget.more=1"], ["++budget.iterations=2"], ["++budget.more={a:1}", "seed=2"], ["+seed=1"],
    ["+a.b.c=1", "+a.b.d=2", "seed=2"], ["+a=1", "+a.b=2"], ["~seed"], ["~seeds.init", "seed=4"],
    ["~seed=0"], ["~seed=1"],
    ["~budget"], ["~experiment"], ["+experiment=notebook", "seed=5"], ["architecture.hidden.0=9"],
    ["optimizer.learning_rate.x=9"], ["'seed'=1"], ["optimizer=slow", "optimizer.momentum=0.5"], ["optimizer=[sgd]"],
    ["optimizer@other=sgd"], ["+optimizer@other=sgd", "other.momentum=0.1"], ["+optimizer@other=sgd", "seed=3"],
    ["hydra.job.name=mine", "seed=1"], ["hydra/job_logging=default"], ["hydra.sweep.subdir=x${seed}", "seed=1"],
    ["optimizer=sgdd"], ["nonsense"], ["nonsense=1"], ["seed="], ["seed=["], ["optimizer.scale=1"], ["seed=1,2"],
    ["seed=range(1,3)"], ["optimizer=null"], ["optimizer=3"], ["optimizer.=3"], ["seed@x=3"], ["+hydra.zz=1"],
]  # fmt: skip


@pytest.mark.parametrize("overrides", VALUES, ids=" ".join)
def test_every_kind_of_override(overrides: list[str], sweep: Any, composer: Composer) -> None:
    assert_same(sweep, [*overrides, "dataset.samples=7"], composer=composer)


@pytest.mark.parametrize("name", sorted(name[4:-5] for name in OWN if name.startswith("own/")))
def test_interpolations_and_any_yaml(name: str, own: Path) -> None:
    further = ([], ["seeds.init=5", "dataset.samples=9"], ["optimizer=sgd", "+optimizer.more=1"])
    jobs = [[f"+own={name}", f"seed={seed}", *more] for seed, more in enumerate(further)]
    with hydra_sweep(f"hydra.searchpath=[file://{own}]", "+hydra.job.env_set={PLACE:there}") as sweep:
        assert_same(sweep, *jobs)


def test_a_reference_follows_what_the_job_sets(sweep: Any) -> None:
    made = assert_same(sweep, *(["+own=seeded", f"seed={seed}"] for seed in (3, 4)))
    assert [job["task"]["seeds"]["batches"] for job in made] == [3, 4]
    made = assert_same(sweep, *(["+own=numbered", f"seed={seed}"] for seed in (3, 4)))
    assert [job["task"]["seeds"]["method"] for job in made] == [3, 4]


@pytest.mark.parametrize(
    "of_hydra",
    [
        ["hydra.sweep.subdir='${optimizer.name}/${seed}'"],
        ["hydra.sweep.subdir='${hydra.job.override_dirname}'", "hydra.job.config.override_dirname.exclude_keys=[seed]"],
        ["hydra.sweep.subdir='${hydra.job.num}-${architecture.hidden}'"],
        ["hydra.sweep.subdir='${hydra:job.id}_${hydra.job.name}_${optimizer.learning_rate}_${seeds.init}'"],
        ["hydra.sweep.subdir='${nowhere}'"],
        ["hydra.sweep.dir='all/${optimizer.name}'", "hydra.job.config.override_dirname.item_sep=${hydra.job.name}"],
        ["hydra.sweep.dir='${oc.env:PLACE}/${now:%Y}'", "hydra.output_subdir=null"],
        ["hydra.output_subdir='${hydra.job.name}/x'"],
        ["hydra.job.config.override_dirname.kv_sep='-'", "hydra.job.config.override_dirname.item_sep=' '"],
        ["hydra.job.env_copy=[PLACE]", "hydra.job.name='${seed}'"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_folders_and_names(of_hydra: list[str], own: Path) -> None:
    jobs = [["optimizer=sgd", f"seed={seed}", "tracking.experiment='a b'", *more]
            for seed, more in enumerate(([], ["+own=seeded"], ["optimizer.learning_rate=1e-7"]))]  # fmt: skip
    with hydra_sweep(f"hydra.searchpath=[file://{own}]", *of_hydra) as sweep:
        assert_same(sweep, *jobs)


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Typed:
    number: int = 1
    rate: float = 0.5
    colour: Colour = Colour.RED
    text: str | None = None


@pytest.fixture
def typed() -> Iterator[None]:
    ConfigStore.instance().store(group="typed", name="one", node=Typed)
    yield
    del ConfigStore.instance().repo["typed"]


@pytest.mark.usefixtures("typed")
def test_typed_settings_are_converted_and_refused_as_by_hydra(sweep: Any) -> None:
    values = [
        "number=2",
        "number=2.5",
        "number=abc",
        "rate=3",
        "rate='4'",
        "colour=BLUE",
        "colour=2",
        "text=3",
        "zz=1",
    ]
    made = assert_same(sweep, *(["+typed=one", f"typed.{value}"] for value in values))
    assert ["error" in job for job in made] == [False, True, True, *[False] * 5, True]


NEXT_LINE = "\x85"
"""PyYAML writes it, as Hydra has it do, so that it is read as a space."""

SAMPLES = [
    st.sampled_from(["optimizer=random", "optimizer=perturb", "optimizer=slow", "~optimizer", "optimizer=none"]),
    st.sampled_from(["architecture=wide", "architecture=single_layer", "+experiment=notebook", "+own=seeded",
                     "+own=relative", "+own=numbered", "+own=texts", "+tracking@loss=lean"]),
    st.integers(-3, 2**33).map("seed={}".format),
    st.floats().map("{}".format).flatmap(lambda number: st.sampled_from([
        f"optimizer.learning_rate={number}", f"optimizer.scale={number}", f"+optimizer.scale={number}"])),
    st.lists(st.integers(0, 9), max_size=3).map("architecture.hidden={}".format),
    st.text(st.characters(codec="utf-8", exclude_characters=f"\\'{NEXT_LINE}"), max_size=8)
    .map("tracking.experiment='{}'".format),
    st.sampled_from(["seeds.init=${seed}", "seeds.init=null", "~seeds.init", "seeds={init:3}", "++seeds.init=4",
                     "same.scale=3", "budget.iterations=${seed}", "dataset.samples=12"]),
]  # fmt: skip


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(job=st.lists(st.one_of(SAMPLES), max_size=5), seed=st.integers(0, 9))
def test_any_combination(sweep: Any, composer: Composer, job: list[str], seed: int) -> None:
    assert_same(sweep, [*job, f"seed={seed}"], composer=composer)


@settings(max_examples=250, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_yaml_says_what_it_was_given(values: Any) -> None:
    assert repr(yaml.safe_load(block(values))) == repr(values)


def test_hydra_composes_once_for_each_combination_of_groups() -> None:
    with hydra_sweep() as (loader, sweep):
        composed, inner = [], loader.load_sweep_config
        loader.load_sweep_config = lambda *given: composed.append(given) or inner(*given)
        jobs = [[f"optimizer={method}", f"seed={seed}"] for method in ("random", "sgd") for seed in range(20)]
        made = Composer(loader, sweep).jobs(jobs)
        assert len(composed) == 2
        for job in made:
            job.write()
        assert len(composed) == 2
    made[0].task["seed"] = "changed"
    assert made[1].task["seed"] == 1


def test_a_file_keeps_what_hydras_own_loses(sweep: Any) -> None:
    loader, config = sweep
    (job,) = Composer(loader, config).jobs([[f"tracking.experiment='a{NEXT_LINE}b'"]], 0)
    job.write()
    written = yaml.safe_load((job.output_dir / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    assert written["tracking"]["experiment"] == job.task["tracking"]["experiment"] == f"a{NEXT_LINE}b"
    assert yaml.safe_load(yaml.safe_dump(f"a{NEXT_LINE}b", allow_unicode=True)) == "a b"
