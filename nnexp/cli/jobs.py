"""The jobs of a sweep: listed, and checked before the first one starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nnexp.cli.places import conf
from nnexp.config import Config, from_mapping


def overrides_in(arguments: Sequence[str]) -> list[str]:
    """The arguments that are overrides rather than flags."""
    return [a for a in arguments if not a.startswith("-") and ("=" in a or a.startswith("~"))]


def search_path(arguments: Sequence[str]) -> list[str]:
    """The override that stands for ``--config-dir FOLDER``, none without it."""
    for at, argument in enumerate(arguments):
        name, _, folder = argument.partition("=")
        if name in ("--config-dir", "-cd") and (folder or at + 1 < len(arguments)):
            return [f"hydra.searchpath=['file://{Path(folder or arguments[at + 1]).absolute()}']"]
    return []


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of each job of a sweep, in the order of Hydra's own sweeper.

    Raises:
        HydraException: an override that cannot be read.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    with _hydra():
        loader = GlobalHydra.instance().config_loader()
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
        batches = BasicSweeper.split_arguments(parsed, None)
    return [list(job) for batch in batches for job in batch]


def compose(jobs: Sequence[Sequence[str]]) -> Iterator[Config]:
    """The checked config of each job.

    Raises:
        HydraException, ConfigError: a job whose config cannot be.
    """
    import hydra
    from omegaconf import OmegaConf

    with _hydra():
        for job in jobs:
            own = [
                o for o in job if not o.lstrip("+~").startswith("hydra") or o.startswith("hydra.searchpath=")
            ]
            composed: Any = OmegaConf.to_container(hydra.compose("config", own), resolve=True)
            yield from_mapping(composed)


def representatives(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Jobs in which every override of the sweep occurs; of seeds, whose values cannot clash, only the first.

    Composing takes a tenth of a second, so checking these in place of a large grid's product saves minutes.
    """
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


def _hydra() -> Any:
    import hydra

    from nnexp.sweep.plugins import register

    register()
    return hydra.initialize_config_dir(str(conf()), version_base="1.3", job_name="run")
