"""The jobs of a sweep, listed and checked before the first one starts."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nnexp.config.places import groups
from nnexp.config.schema import Config, ConfigError, from_mapping
from nnexp.config.settings import group_key, hints, shown
from nnexp.sweep.compose.axes import check_count
from nnexp.sweep.compose.input_errors import explained

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

    from nnexp.sweep.compose.job import Job


MAIN = "config"
"""The main config's name."""

_ONE_VALUE = re.compile(r"(?!null$)[\w.+-]+|\[[\w.,+-]*\]", re.IGNORECASE)
"""Numbers, words and lists of them; quoted texts and values that ``choice`` does not accept are not changed."""


class Plan(NamedTuple):
    """The jobs of a sweep.

    Attributes:
        jobs: the known ones, and for each search those at the ends of its intervals.
        most: how many there will be at most.
        lines: a description of the jobs.
        repeated: how many repeated jobs were left out.
    """

    jobs: list[Job]
    most: int
    lines: list[str]
    repeated: int


def search_path(folder: str) -> list[str]:
    """The override for ``--config-dir FOLDER``, none without it."""
    return [f"hydra.searchpath=['file://{Path(folder).absolute()}']"] if folder else []


def as_axes(arguments: Sequence[str]) -> list[str]:
    """A sweep's arguments with settings of config groups as axes of one value each.

    Hydra composes a config for the whole sweep with the groups' default options, in which a setting such as
    ``optimizer.scale`` of ``-m optimizer=random,perturb optimizer.scale=0.1`` is unknown; axes are left to the jobs.
    """
    made = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        group, dot, _ = key.partition(".")
        moved = dot and group in groups() and group != "sweep" and _ONE_VALUE.fullmatch(value)
        made.append(f"{key}=choice({value})" if moved else argument)
    return made


def composed_from(overrides: Sequence[str], search_path: Sequence[str], sweep: bool) -> list[str]:
    """The overrides that Hydra composes a command's config from.

    They include ``hydra.mode``, which Hydra's own command adds and the files of jobs contain.
    """
    made = [*search_path, *(as_axes(overrides) if sweep else overrides)]
    if not any(text.startswith("hydra.mode=") for text in overrides):
        made.append(f"hydra.mode={'MULTIRUN' if sweep else 'RUN'}")
    return made


def plan(overrides: Sequence[str], search_path: Sequence[str] = (), name: str = MAIN) -> Plan:
    """The jobs of a sweep, composed but not checked; see :func:`check`.

    Raises:
        HydraException: an override that cannot be read, or that no job can have.
        ConfigError: an invalid grid.
    """
    from omegaconf import OmegaConf

    from nnexp.sweep.compose.composer import Composer
    from nnexp.sweep.sweeper import expansion

    with _composed(composed_from(overrides, search_path, True), name=name) as (loader, config):
        _check_mode(config, "MULTIRUN")
        _check_folder(config, overrides, "sweep")
        _check_launcher(config)
        of_task: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
        sweeper = str(config.hydra.sweeper._target_).rpartition(".")[2]
        if sweeper != "GridSweeper":
            for name in ("grid", "trials"):
                if OmegaConf.select(config, f"sweep.{name}") is not None:
                    raise ConfigError(
                        f"sweep.{name}: can only be used with hydra/sweeper=grid, not with {sweeper}"
                    )
        if sweeper not in ("GridSweeper", "BasicSweeper"):
            # The jobs of another sweeper are not known; what they have in common can be checked.
            common = Composer(loader, config).jobs([_fixed(of_task)])
            return Plan(common, 0, [f"{' '.join(of_task)}: jobs that {sweeper} chooses"], 0)
        with explained(of_task):
            settings, expanded = expansion(config, loader, of_task)
        listed = list(expanded.jobs)
        lines = [" ".join(job) for job in listed]
        trials, count = settings.trials or 0, len(listed)
        if settings.until is not None:
            count *= settings.most_seeds
            check_count(count, f"sweep.most_seeds={settings.most_seeds}")
            lines = [f"{line}: at most {settings.most_seeds} seeds" for line in lines]
        for study in expanded.studies:
            for end in zip(*(axis.ends() for axis in study.axes), strict=True):
                listed += [[*study.fixed, *end, *more] for more in study.more]
            open_axes = [f"{axis.key}={axis.text}" for axis in study.axes]
            each = f" of {len(study.more)} jobs" if len(study.more) != 1 else ""
            lines.append(f"{' '.join([*study.fixed, *open_axes])}: {trials} trials{each}")
            count += trials * len(study.more)
        check_count(count, f"sweep.trials={trials}")
        return Plan(Composer(loader, config).jobs(listed), count, lines, expanded.repeated)


def single(overrides: Sequence[str], search_path: Sequence[str] = (), name: str = MAIN) -> Config:
    """The checked config of a single run.

    Args:
        search_path: an override that adds folders of config groups.
        name: of the main config.

    Raises:
        HydraException, OmegaConfBaseException, ConfigError: the config is invalid.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf, open_dict, read_write

    from nnexp.training.prepare import prepare

    with (
        _composed(composed_from(overrides, search_path, False), sweep=False, name=name) as (_, config),
        explained(overrides),
    ):
        _check_mode(config, "RUN")
        _check_folder(config, overrides, "run")
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = str(Path(str(config.hydra.run.dir)).absolute())
        HydraConfig.instance().set_config(config)
        with read_write(config), open_dict(config):
            del config["hydra"]
        values: Any = OmegaConf.to_container(config, resolve=True)
    made = from_mapping(values)
    if made.sweep.resume is not False:
        raise ConfigError(
            f"sweep.resume={shown(made.sweep.resume)}: continues a sweep, so add -m; use resume for a single run"
        )
    if made.sweep.extend is not None:
        raise ConfigError(f"sweep.extend={made.sweep.extend}: adds jobs to a sweep, so add -m")
    if made.sweep.until is not None:
        raise ConfigError(f"sweep.until={made.sweep.until}: chooses the seeds of a sweep, so add -m")
    if made.sweep.grid is not None:
        raise ConfigError("sweep.grid: a grid is for a sweep, so add -m")
    prepare(made)
    return made


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of each job of a sweep; errors as in :func:`plan`."""
    return [job.overrides for job in plan(overrides).jobs]


def check(jobs: Sequence[Job]) -> Config:
    """Check every job's config, and that its parts fit each other; returns the config of the first.

    Preparing a run's data and network costs more than checking its config. It is done for the jobs of
    :func:`representatives`, and for one job of each combination of parts.

    Raises:
        HydraException, OmegaConfBaseException, ConfigError: the config of a job is invalid.
    """
    from nnexp.training.prepare import prepare

    configs = {tuple(job.overrides): _config(job) for job in jobs}
    if next(iter(configs.values())).sweep.until is not None:
        from nnexp.sweep.design import cells

        cells(list(configs.values()))
    chosen = [tuple(one) for one in representatives([job.overrides for job in jobs])]
    kinds = {_kind(configs[one]) for one in chosen}
    for one, config in configs.items():
        if (kind := _kind(config)) not in kinds:
            kinds.add(kind)
            chosen.append(one)
    for one in chosen:
        prepare(configs[one])
    return next(iter(configs.values()))


def _kind(config: Config) -> tuple[object, ...]:
    """All that decides whether a run's parts fit each other; it is equal for runs that are trained together."""
    try:
        sizes: object = config.dataset.sizes()
    except (ConfigError, ValueError, ArithmeticError):
        # Preparing the run raises the error.
        sizes = object()
    return (
        *(group_key(part) for part in (config.optimizer, config.architecture, config.loss)),
        *(type(config.dataset), sizes, config.dtype, config.accumulate, config.streams),
    )


def compose(jobs: Sequence[Sequence[str]]) -> Iterator[Config]:
    """The checked config of each job. The only Hydra setting that they may have is the search path, equal for all.

    Raises:
        HydraException, ConfigError: the config of a job is invalid.
    """
    from nnexp.sweep.compose.composer import Composer

    path = [o for o in jobs[0] if o.startswith("hydra.searchpath=")] if jobs else []
    with _composed(path) as (loader, config):
        composer = Composer(loader, config)
        for number, job in enumerate(jobs):
            own = [o for o in job if not o.lstrip("+~").startswith(("hydra.", "hydra/"))]
            yield _config(composer.job(number, own))


def representatives(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Jobs that contain every override of the sweep; of seeds, which fit any other setting, only the first."""
    seen: set[str] = set()
    chosen: list[list[str]] = []
    for job in jobs:
        marks = {
            key if (key := override.split("=")[0]) == "seed" and override[5:].isdigit() else override
            for override in job
        }
        if marks - seen or not chosen:
            seen |= marks
            chosen.append(list(job))
    return chosen


def _fixed(overrides: Sequence[str]) -> list[str]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    return [text for text in overrides if not parser.parse_override(text).is_sweep_override()]


def _config(job: Job) -> Config:
    if job.error is not None:
        with explained(job.overrides):
            raise job.error
    job.checked = from_mapping(job.task)
    return job.checked


def _check_options(overrides: Sequence[str]) -> None:
    """Refuse a list of options where one is expected: Hydra would merge them."""
    for text in overrides:
        group, _, value = text.partition("=")
        if group in hints(Config) and group in groups() and value.lstrip().startswith("["):
            inner = value.strip().strip("[]")
            raise ConfigError(f"{text}: expected one option; -m {group}={inner} makes a sweep over several")


def _check_mode(config: DictConfig, expected: str) -> None:
    """Check that ``hydra.mode`` agrees with the flags, because checks and records depend on them."""
    mode = getattr(config.hydra.mode, "name", None)
    if mode not in (None, expected):
        words = "use -m to start a sweep" if mode == "MULTIRUN" else "cannot be used together with -m"
        raise ConfigError(f"hydra.mode={mode}: {words}")


def _check_folder(config: DictConfig, overrides: Sequence[str], kind: str) -> None:
    """Check that a folder that the command names can be created."""
    name = f"hydra.{kind}.dir"
    if not any(text.lstrip("+").startswith(f"{name}=") for text in overrides):
        return
    folder = Path(str(config.hydra[kind].dir)).absolute()
    try:
        place = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryDirectory(dir=place, prefix=".nnexp-"):
            pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{name}={folder}: expected a folder that can be written ({why})") from None


def _check_launcher(config: DictConfig) -> None:
    from omegaconf import OmegaConf

    from nnexp.sweep.batch import EngineChoice, check_choice

    if str(config.hydra.launcher._target_).rpartition(".")[2] == "BatchedLauncher":
        given: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
        check_choice(EngineChoice(*(given[name] for name in EngineChoice._fields)))


@contextmanager
def _composed(
    overrides: Sequence[str], sweep: bool = True, name: str = MAIN
) -> Iterator[tuple[ConfigLoader, DictConfig]]:
    """Hydra's config loader, and the config of these overrides; Hydra's global config is restored afterwards."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from nnexp.sweep.compose.loader import command_hydra
    from nnexp.sweep.plugins import register

    register()
    _check_options(overrides)
    before = HydraConfig.instance().cfg
    try:
        with command_hydra() as hydra:
            with explained(overrides):
                mode = RunMode.MULTIRUN if sweep else RunMode.RUN
                config = hydra.config_loader.load_configuration(name, list(overrides), mode)
            yield hydra.config_loader, config
    finally:
        HydraConfig.instance().cfg = before
