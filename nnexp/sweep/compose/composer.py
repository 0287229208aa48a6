"""The jobs of a sweep, composed as by Hydra, but only once for each combination of config groups.

Hydra applies ``key=value`` overrides last, to a config that its groups and added keys alone determine. So a job is a
template, composed by Hydra from the overrides that are not plain values, and then its values. They are set

1. in a copy of the template's plain containers, if nothing there is typed or an interpolation: about 0.1 ms a job;
2. by ``OmegaConf.update`` in a copy of the template, as Hydra sets them, if there are interpolations;
3. by Hydra, in a template for this job only, in every other case: missing keys, deletions, nested keys, packages. A
   job that cannot be composed gets its error here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from nnexp.sweep.compose.job import Job
from nnexp.sweep.compose.template import Template, find

__all__ = ["Composer", "Job"]

_KEY = re.compile(r"[A-Za-z_]\w*(\.\w+)*", re.ASCII)


class Composer:
    """Composes the jobs of one sweep.

    Args:
        config_loader: Hydra's.
        sweep_config: the config that Hydra composed for the whole sweep, and sets up the launcher with.
    """

    def __init__(self, config_loader: ConfigLoader, sweep_config: DictConfig) -> None:
        self._loader, self._sweep = config_loader, sweep_config
        self._parser = OverridesParser.create(config_loader=config_loader)
        self._parsed: dict[str, Override] = {}
        self._apart: dict[tuple[str, ...], bool] = {}
        self._folders: dict[str, list[str]] = {}
        self._templates: dict[tuple[str, ...], Template | None] = {}
        # The time in the folder's name is resolved here once; templates copy it.
        resolved = str(sweep_config.hydra.sweep.dir)
        written: Any = OmegaConf.to_container(sweep_config.hydra.sweep, resolve=False)
        self._directory = (str(written["dir"]), resolved)
        self._of_hydra: Any = OmegaConf.to_container(sweep_config.hydra.overrides.hydra, resolve=False)

    def jobs(self, overrides: Sequence[Sequence[str]], first: int = 0) -> list[Job]:
        """The jobs with these overrides, numbered from ``first``."""
        return [self.job(first + at, own) for at, own in enumerate(overrides)]

    def job(self, number: int, overrides: Sequence[str]) -> Job:
        """One job; if it cannot be composed its ``error`` is Hydra's."""
        job = Job(number, overrides)
        try:
            if not self._from_values(job):
                template = self._compose(job.overrides)
                texts = self._of_task(job.overrides)
                # The template is for this job only, so no values are left to set.
                job.resolved(template, texts, {}, template.dirname)
        except Exception as error:
            job.error = error
        return job

    def _from_values(self, job: Job) -> bool:
        """Make the job from a shared template; False if only Hydra can compose it."""
        split = self._split(job.overrides)
        if split is None:
            return False
        fixed, values, added = split
        template = self._template(fixed)
        # Folder names with interpolations are left to Hydra.
        if template is None or not template.simple:
            return False
        texts = self._of_task(job.overrides)
        dirname = template.override_dirname([self._override(text).key_or_group for text in texts], texts)
        if template.plain and all(_settable(template.task, key, value) for key, value in values.items()):
            job.plainly(template, texts, values, dirname)
            return True
        if added and template.interpolated:
            # The key may have been added through an interpolation of another.
            return False
        try:
            job.resolved(template, texts, values, dirname)
        except Exception:
            # Hydra composes it then, and raises its own error.
            return False
        return True

    def _split(self, overrides: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any], bool] | None:
        """The overrides that make a template, the values to set in it, and whether the template has added keys.

        None if the order of the overrides may matter, or if only Hydra can interpret them.
        """
        fixed: list[str] = []
        keys: list[str] = []
        values: dict[str, Any] = {}
        for text in overrides:
            parsed = self._override(text)
            key, value = parsed.key_or_group, parsed.value()
            if parsed.is_hydra_override() or (self._is_group(key) and not isinstance(value, dict)):
                fixed.append(text)
                continue
            if parsed.is_delete() or parsed.package is not None or parsed.is_sweep_override():
                return None
            keys.append(key)
            if parsed.is_add() or parsed.is_force_add():
                fixed.append(text)
            elif self._is_group(key):
                return None
            else:
                values[key] = value
        return (tuple(fixed), values, len(values) < len(keys)) if self._are_apart(tuple(keys)) else None

    def _are_apart(self, keys: tuple[str, ...]) -> bool:
        """Whether no key is part of another, so that their order does not matter."""
        if keys not in self._apart:
            paths = sorted(key.split(".") for key in keys)
            self._apart[keys] = all(_KEY.fullmatch(key) for key in keys) and not any(
                after[: len(before)] == before for before, after in pairwise(paths)
            )
        return self._apart[keys]

    def _override(self, text: str) -> Override:
        if text not in self._parsed:
            (self._parsed[text],) = self._parser.parse_overrides([text])
        return self._parsed[text]

    def _of_task(self, overrides: Sequence[str]) -> list[str]:
        return [text for text in overrides if not self._override(text).is_hydra_override()]

    def _is_group(self, key: str) -> bool:
        """Whether a config source has a folder of this name, so that the key is a config group."""
        above, _, name = key.rpartition("/")
        if above not in self._folders:
            self._folders[above] = self._loader.get_group_options(
                above, ObjectType.GROUP, self._sweep.hydra.job.config_name, self._of_hydra
            )
        return name in self._folders[above]

    def _template(self, fixed: tuple[str, ...]) -> Template | None:
        """The template of these overrides; None if they cannot be composed."""
        if fixed not in self._templates:
            try:
                template = self._compose(fixed)
            except Exception:
                # Each of its jobs is composed separately, and raises its own error.
                template = None
            self._templates[fixed] = template
        return self._templates[fixed]

    def _compose(self, overrides: Sequence[str]) -> Template:
        return Template(self._loader.load_sweep_config(self._sweep, list(overrides)), self._directory)


def _settable(task: dict[str, Any], key: str, value: Any) -> bool:
    """Whether a plain value replaces an existing one which is not a group of settings."""
    parent, _, name = key.rpartition(".")
    holder = find(task, parent) if parent else task
    there = isinstance(holder, dict) and name in holder and not isinstance(holder[name], dict)
    return there and _plain(value)


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return "${" not in value and value != "???"
    if isinstance(value, list):
        return all(_plain(item) for item in value)
    return value is None or type(value) in (bool, int, float)
