"""One job of a sweep: its config and its folder, as Hydra's ``run_job`` makes them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from nnexp.config.schema import Config
from nnexp.process import writing_to
from nnexp.sweep.compose.template import Template, changed, place, resolve
from nnexp.sweep.compose.yaml_text import block, items


class Job:
    """One job.

    Attributes:
        number: its position in the sweep, ``hydra.job.num``.
        overrides: of this job.
        error: why it cannot be composed, else None; with an error the attributes below do not exist.
        task: the task's config, plain and resolved; owned by the caller.
        output_dir: the output folder, absolute.
        override_dirname: ``hydra.job.override_dirname``.
        checked: the config of ``task`` once it was checked, else None.
    """

    checked: Config | None = None
    error: Exception | None = None
    task: dict[str, Any]
    output_dir: Path
    override_dirname: str

    def __init__(self, number: int, overrides: Sequence[str]) -> None:
        self.number, self.overrides = number, list(overrides)
        self._template: Template | None = None
        self._texts: list[str] = []
        self._values: dict[str, Any] = {}
        self._written: dict[str, Any] | None = None

    def write(self) -> None:
        """Make the output folder with ``.hydra/config.yaml``, ``hydra.yaml`` and ``overrides.yaml`` in it."""
        template = self._made()
        below = template.subfolder if template.simple else self.config.hydra.output_subdir
        folder = self.output_dir if below is None else self.output_dir / below
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if below is None:
            return
        written = self._written or changed(template.task, self._values)
        hydra = template.hydra_yaml(self.number, self.override_dirname, self._texts, str(self.output_dir))
        overrides = items(self._texts, "").lstrip() + "\n"
        with writing_to(folder):
            for name, text in (("config", block(written)), ("hydra", hydra), ("overrides", overrides)):
                (folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    @cached_property
    def config(self) -> DictConfig:
        """The whole config, for callbacks and ``HydraConfig.set_config``."""
        config = self._made().full(self.number, self.override_dirname, self._texts, self._values)
        with _hydra_config_kept():
            place(config)
        return config

    def task_config(self) -> DictConfig:
        """The task's config, as ``run_job`` passes it to the task function."""
        config = copy.deepcopy(self.config)
        with read_write(config), open_dict(config):
            del config["hydra"]
        return config

    def hydra_config(self) -> DictConfig:
        """Hydra's config below its node ``hydra``, as in ``JobReturn.hydra_cfg``."""
        with _hydra_config_kept():
            HydraConfig.instance().set_config(self.config)
            config: Any = copy.deepcopy(HydraConfig.instance().cfg)
        return config

    def plainly(self, template: Template, texts: list[str], values: dict[str, Any], dirname: str) -> None:
        """Set the config from a template and values without interpolations.

        Raises:
            OmegaConfBaseException: the output folder cannot be resolved.
        """
        self._begin(template, texts, values, dirname)
        self.task = changed(template.task, values)
        self._settle()

    def resolved(self, template: Template, texts: list[str], values: dict[str, Any], dirname: str) -> None:
        """Set the config from a template and values, by OmegaConf's own update and resolution.

        Raises:
            OmegaConfBaseException: a value cannot be set, or an interpolation not be resolved.
        """
        self._begin(template, texts, values, dirname)
        made = template.resolved(values)
        if made is None:
            self._exactly()
        else:
            self._written, self.task = made
            self._settle()

    def _begin(self, template: Template, texts: list[str], values: dict[str, Any], dirname: str) -> None:
        self.__dict__.pop("config", None)
        self._template, self._texts, self._values, self.override_dirname = template, texts, values, dirname

    def _settle(self) -> None:
        folder = self._made().folder(self.number, self.override_dirname, self.task)
        if folder is None:
            self._exactly()
        else:
            self.output_dir = Path(folder)

    def _exactly(self) -> None:
        """Resolve the config as in the job itself, with its own HydraConfig and environment."""
        with _hydra_config_kept():
            config = self._made().full(self.number, self.override_dirname, self._texts, self._values)
            self.output_dir = Path(place(config))
            self.config = config
            task = self.task_config()
            written: Any = OmegaConf.to_container(task, resolve=False, enum_to_str=True)
            with env_override(config.hydra.job.env_set):
                self._written, self.task = written, resolve(task)

    def _made(self) -> Template:
        if self.error is not None:
            raise self.error
        assert self._template is not None
        return self._template


@contextmanager
def _hydra_config_kept() -> Iterator[None]:
    """Restore Hydra's config, which is global in the process, at the end of this context."""
    instance = HydraConfig.instance()
    before = instance.cfg
    try:
        yield
    finally:
        instance.cfg = before
