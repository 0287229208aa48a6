"""Where config files are: those of nnexp, and the folders that a command adds to them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from nnexp.config.error import ConfigError

_ADDED: list[Path] = []


@cache
def conf() -> Path:
    """The folder of nnexp's config groups: beside the package in a checkout, inside it once installed."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def folders() -> list[Path]:
    """All folders of config groups; what comes first is found first."""
    return [*_ADDED, conf()]


def add_folder(folder: Path) -> None:
    """Take a folder of config groups into account, and modules that are in or beside it, in this process.

    Its options are found before nnexp's own. Modules are also found in the folder where the command runs.
    """
    folder = folder.absolute()
    if folder not in _ADDED:
        _ADDED.insert(0, folder)
        option_values_in.cache_clear()
    add_module_folders([folder.parent, folder])


def add_module_folders(added: list[Path]) -> None:
    """Let modules be imported from these folders, behind all others."""
    for folder in (Path.cwd(), *added):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def groups() -> dict[str, list[str]]:
    """The options of each config group; a group within another is named as ``optimizer/schedule``."""
    options_by_group: dict[str, set[str]] = {}
    for place in folders():
        for file in place.rglob("*.yaml"):
            group = file.parent.relative_to(place).as_posix()
            if group != "." and not group.startswith("hydra"):
                options_by_group.setdefault(group, set()).add(file.stem)
    return {group: sorted(names) for group, names in sorted(options_by_group.items())}


def options(group: str) -> list[str]:
    """The names of a group's options; ``group`` may be nested, as ``optimizer/schedule``."""
    return sorted({file.stem for place in folders() for file in (place / group).glob("*.yaml")})


def has_option(group: str, name: str) -> bool:
    """Whether a group has an option of this name."""
    return any((place / group / f"{name}.yaml").is_file() for place in folders())


def option_values(group: str | Sequence[str], name: str, setting: str) -> dict[str, Any]:
    """The settings of an option's conf file, in the first of the groups that has it.

    Raises:
        ConfigError: there is no such option.
    """
    candidates = [group] if isinstance(group, str) else group
    for file in (place / candidate / f"{name}.yaml" for candidate in candidates for place in folders()):
        if file.is_file():
            return dict(option_values_in(file))
    known = sorted({option for candidate in candidates for option in options(candidate)})
    raise ConfigError(f"{setting}={name}: expected one of {', '.join(known)}{did_you_mean(name, known)}")


@cache
def option_values_in(file: Path) -> dict[str, Any]:
    """The settings of one conf file; what its defaults list names is left to the class.

    Raises:
        ConfigError: it has none, or cannot be read.
    """
    values = read_yaml(file)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: expected settings, as name: value")
    return {key: value for key, value in values.items() if key != "defaults"}


def read_yaml(file: Path) -> Any:
    """What a YAML file says.

    Raises:
        ConfigError: it cannot be read; the line names file and line.
    """
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        raise ConfigError(yaml_problem(file, error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{file}: expected a YAML file in UTF-8 ({reason})") from error
    except OSError as error:
        raise ConfigError(f"{file}: it cannot be read ({error.strerror})") from error


def yaml_problem(file: Path, error: Any) -> str:
    """What YAML's error says, with file and line."""
    mark = error.problem_mark
    where = f"{file}, line {mark.line + 1}" if mark is not None else str(file)
    reason = " ".join(f"{error.problem or error.context}".split())
    # The character comes as \\t, which few read.
    reason = reason.replace("'\\t'", "a tab")
    return f"{where}: expected YAML ({reason})"


def did_you_mean(word: str, words: list[str]) -> str:
    """A question after an unknown word, empty where no known one is near.

    >>> did_you_mean("adm", ["adam", "sgd"])
    '; did you mean adam?'
    """
    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {near[0]}?" if near else ""
