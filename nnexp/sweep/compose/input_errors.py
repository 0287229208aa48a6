"""Exceptions of Hydra for invalid input that are not Hydra's own errors, as one line with file and line."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from nnexp.config.error import ConfigError
from nnexp.config.places import folders, groups, read_yaml, yaml_problem


@contextmanager
def explained(overrides: Sequence[str]) -> Iterator[None]:
    """A context in which Hydra reads input: any exception is raised as an error of the input, in one line.

    Args:
        overrides: the input, for exceptions that name neither setting nor file.

    Raises:
        HydraException, OmegaConfBaseException, ConfigError: unchanged, or in place of other exceptions.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with warnings.catch_warnings():
            # Hydra warns of missing folders in several lines.
            warnings.simplefilter("error", UserWarning)
            yield
    except (HydraException, OmegaConfBaseException, ConfigError):
        raise
    except Exception as error:
        raise ConfigError(explain(overrides, error)) from error


def explain(overrides: Sequence[str], error: Exception) -> str:
    """The message for ``overrides`` at which Hydra raised an exception."""
    words = " ".join(overrides)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return yaml_problem(Path(error.problem_mark.name), error)
    if isinstance(error, yaml.YAMLError | UnicodeError):
        return _unreadable() or f"{_short(words)}: not valid YAML ({_line(error)})"
    if isinstance(error, RecursionError):
        return _cycle() or f"{_short(words)}: a config file includes itself or refers to itself"
    if "Config group override must be" in str(error):
        known = groups()
        for text in overrides:
            group = text.lstrip("+").partition("=")[0]
            if group in known:
                return f"{text}: expected one of {', '.join(known[group])}"
    if isinstance(error, UserWarning):
        named = [text for text in overrides if text.lstrip("+").startswith("hydra.searchpath=")]
        return f"{' '.join(named) or _short(words)}: expected existing folders ({_line(error)})"
    return f"{_short(words)}: Hydra cannot compose these settings ({_line(error)})"


def _short(words: str) -> str:
    return words if len(words) <= 200 else f"{words[:200]}..."


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return _short(text) if text else type(error).__name__


def _files() -> list[Path]:
    return [file for place in folders() for file in sorted(place.rglob("*.yaml"))]


def _unreadable() -> str:
    """A message on the first config file that cannot be read; empty if all can."""
    for file in _files():
        try:
            read_yaml(file)
        except ConfigError as error:
            return str(error)
    return ""


def _cycle() -> str:
    """A message on the first config file that includes itself, directly or not; empty without one."""
    included = {
        (place, file): _included(place, file) for place in folders() for file in place.rglob("*.yaml")
    }
    names: dict[str, list[tuple[Path, Path]]] = {}
    for place, file in included:
        names.setdefault(file.relative_to(place).with_suffix("").as_posix(), []).append((place, file))
    for start in included:
        own = start[1].relative_to(start[0]).with_suffix("").as_posix()
        seen: set[str] = set()
        ahead = [(name, name) for name in included[start]]
        while ahead:
            name, first = ahead.pop()
            if name == own:
                return f"{_place(start[1], first)}: its defaults list includes the file itself"
            if name not in seen:
                seen.add(name)
                ahead += [(other, first) for key in names.get(name, []) for other in included[key]]
    return ""


def _included(place: Path, file: Path) -> list[str]:
    """The configs that a file's defaults list includes, by path in the folder of config groups."""
    try:
        values: Any = read_yaml(file)
    except ConfigError:
        # _unreadable reports it.
        return []
    group = file.parent.relative_to(place).as_posix()
    found = []
    for entry in values.get("defaults") or [] if isinstance(values, dict) else []:
        texts = [entry] if isinstance(entry, str) else []
        if isinstance(entry, dict):
            texts = [
                f"{key}/{value}"
                for key, value in entry.items()
                if isinstance(value, str) and not key.startswith("override")
            ]
        for text in texts:
            text = text.removeprefix("optional ")
            if text != "_self_":
                found.append(text.lstrip("/") if text.startswith("/") or group == "." else f"{group}/{text}")
    return found


def _place(file: Path, name: str) -> str:
    """The file and the line of its defaults list with ``name``."""
    lines = file.read_text(encoding="utf-8").splitlines()
    last = name.rpartition("/")[2]
    at = next((at for at, line in enumerate(lines, 1) if line.lstrip().startswith("-") and last in line), 1)
    return f"{file}, line {at}"
