"""A template: the common config of jobs with the same options of config groups, composed once by Hydra."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import AnyNode, DictConfig, ListConfig, OmegaConf, open_dict, read_write

from nnexp.sweep.compose.yaml_text import block, items, scalar

_TOKEN = re.compile(r"\$\{([^${}]*)\}")
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_TIME = re.compile(r"\$\{now:[^${}]*\}")
_NODE = re.compile(r"\.*[\w\[\].]+")


class Template:
    """The config of a combination of config groups, and the parts in which its jobs differ.

    Args:
        config: from ``ConfigLoader.load_sweep_config``; it is not changed.
        directory: ``hydra.sweep.dir`` of the sweep as written, and resolved.

    Attributes:
        task: the task's config as plain containers, interpolations unresolved.
        plain: whether nothing in the task's config is typed, read-only or an interpolation, so that setting a
            value in plain containers is equal to Hydra's own update.
        interpolated: whether there is an interpolation in the task's config.
    """

    def __init__(self, config: DictConfig, directory: tuple[str, str]) -> None:
        self.config, self._directory = config, directory
        self._task_config = copy.deepcopy(config)
        with read_write(self._task_config), open_dict(self._task_config):
            del self._task_config["hydra"]
        self.task: dict[str, Any] = _container(self._task_config)
        self._hydra: dict[str, Any] = _container(config.hydra)
        tokens = list(_strings(self.task))
        self.interpolated = any("${" in text for text in tokens)
        # The expression does not understand escaped braces; these are left to Hydra.
        self._resolves_alone = all(
            "\\" not in text
            and "${" not in _TOKEN.sub("", text)
            and all(_NODE.fullmatch(token) for token in _TOKEN.findall(text))
            for text in tokens
            if "${" in text
        )
        self.plain = not self.interpolated and _untyped(self._task_config)
        self.dirname: str = self._hydra["job"]["override_dirname"]
        self.subfolder: str | None = self._hydra["output_subdir"]
        job = self._hydra["job"]["config"]["override_dirname"]
        self._item_sep, self._kv_sep, self._excluded = job["item_sep"], job["kv_sep"], job["exclude_keys"]
        self.simple = not any("${" in text for text in _strings([self.subfolder, job]))
        self._pieces: list[str] | None = None
        self._holes: list[str] = []

    def override_dirname(self, keys: Sequence[str], texts: Sequence[str]) -> str:
        """``hydra.job.override_dirname`` for the task overrides ``texts`` of ``keys``."""
        excluded = self._excluded
        lines = sorted(text for key, text in zip(keys, texts, strict=True) if key not in excluded)
        return re.sub("=", self._kv_sep, self._item_sep.join(lines))

    def folder(self, number: int, dirname: str, task: Mapping[str, Any]) -> str | None:
        """The job's output folder; None where it needs a resolver.

        Args:
            task: the job's resolved task config.
        """
        sweep = self._hydra["sweep"]
        written, resolved = self._directory
        # The time is that of the sweep; all other interpolations may differ between jobs.
        same = sweep["dir"] == written and "${" not in _TIME.sub("", written)
        at = resolved if same else self._filled(sweep["dir"], number, dirname, task)
        below = self._filled(sweep["subdir"], number, dirname, task)
        return None if at is None or below is None else os.path.abspath(os.path.join(at, below))

    def hydra_yaml(self, number: int, dirname: str, texts: Sequence[str], folder: str) -> str:
        """The text of a job's ``hydra.yaml``: the template's text with this job's values."""
        if self._pieces is None:
            self._cut()
        assert self._pieces is not None
        parts = {
            "overrides": items(texts, "    "),
            "dirname": f" {scalar(dirname)}",
            "id": f" {scalar(str(number))}",
            "num": f" {number}",
            "output_dir": f" {scalar(folder)}",
        }
        filled = [self._pieces[0]]
        for name, piece in zip(self._holes, self._pieces[1:], strict=True):
            filled += (parts[name], piece)
        return "".join(filled)

    def full(self, number: int, dirname: str, texts: Sequence[str], values: Mapping[str, Any]) -> DictConfig:
        """The whole config of a job, as Hydra's launcher passes it to ``run_job``.

        Raises:
            OmegaConfBaseException: one of the ``values`` cannot be set.
        """
        config = copy.deepcopy(self.config)
        for key, value in values.items():
            OmegaConf.update(config, key, value, merge=True)
        config.hydra.overrides.task = list(texts)
        config.hydra.job.override_dirname = dirname
        with open_dict(config):
            config.hydra.job.id = number
            config.hydra.job.num = number
        return config

    def resolved(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The task's config with ``values``, as written and resolved; None where a resolver depends on the job.

        Raises:
            OmegaConfBaseException: one of the ``values`` cannot be set, or an interpolation not be resolved.
        """
        if not self._resolves_alone:
            return None
        config = copy.deepcopy(self._task_config)
        for key, value in values.items():
            if any("${" in text for text in _strings(value)):
                return None
            OmegaConf.update(config, key, value, merge=True)
        return _container(config), resolve(config)

    def _filled(self, text: str, number: int, dirname: str, task: Mapping[str, Any]) -> str | None:
        if "\\" in text or "${" in _TOKEN.sub("", text) or "${" in dirname:
            return None
        of_the_job = {
            "hydra.job.num": str(number),
            "hydra.job.id": str(number),
            "hydra.job.override_dirname": dirname,
        }
        parts: list[str] = []
        for at, part in enumerate(_TOKEN.split(text)):
            if at % 2 == 0:
                parts.append(part)
            elif part in of_the_job:
                parts.append(of_the_job[part])
            else:
                value = find(task, part) if _REFERENCE.fullmatch(part) else None
                if type(value) not in (int, float, bool, str) or value == "???":
                    return None
                parts.append(str(value))
        return "".join(parts)

    def _cut(self) -> None:
        hydra = copy.deepcopy(self._hydra)
        names = {name: token_hex(16) for name in ("overrides", "dirname", "id", "num", "output_dir")}
        marks = {name: f"mark_{code}" for name, code in names.items()}
        hydra["overrides"]["task"] = marks["overrides"]
        hydra["job"] |= {"override_dirname": marks["dirname"], "id": marks["id"], "num": marks["num"]}
        hydra["runtime"]["output_dir"] = marks["output_dir"]
        by_mark = {mark: name for name, mark in marks.items()}
        parts = re.split(" (" + "|".join(by_mark) + ")", block({"hydra": hydra}))
        self._pieces, self._holes = parts[::2], [by_mark[mark] for mark in parts[1::2]]


def resolve(config: DictConfig) -> dict[str, Any]:
    """A config's plain containers with its interpolations resolved."""
    values: Any = OmegaConf.to_container(config, resolve=True)
    return values


def find(values: Any, key: str) -> Any:
    """The value under a dotted key, None where there is none."""
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            return None
        values = values[part]
    return values


def changed(task: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of plain containers with values replaced under dotted keys."""
    copied = _copied(task)
    for key, value in values.items():
        *path, name = key.split(".")
        holder = copied
        for part in path:
            holder = holder[part]
        holder[name] = _copied(value)
    return copied


def place(config: DictConfig) -> str:
    """Set this config as Hydra's global one, with its output folder, as ``run_job`` does; returns the folder."""
    HydraConfig.instance().set_config(config)
    folder = os.path.join(
        str(OmegaConf.select(config, "hydra.sweep.dir")), str(OmegaConf.select(config, "hydra.sweep.subdir"))
    )
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = os.path.abspath(folder)
    HydraConfig.instance().set_config(config)
    return os.path.abspath(folder)


def _copied(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _copied(value) for key, value in values.items()}
    return [_copied(value) for value in values] if isinstance(values, list) else values


def _container(config: Any) -> Any:
    return OmegaConf.to_container(config, resolve=False, enum_to_str=True)


def _strings(values: Any) -> Any:
    """Every string in nested containers, without keys."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from _strings(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _strings(value)


def _untyped(config: Any) -> bool:
    """Whether every node may hold anything."""
    if OmegaConf.is_readonly(config):
        return False
    if config._is_none():
        return True
    if isinstance(config, ListConfig):
        # A list is replaced as a whole, whatever its items are.
        return OmegaConf.get_type(config) is list
    if OmegaConf.get_type(config) is not dict:
        return False
    nodes = [config._get_node(key) for key in config]
    return all(
        _untyped(node) if isinstance(node, DictConfig | ListConfig) else type(node) is AnyNode
        for node in nodes
    )
