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
    """Add a folder of config groups in this process. Modules in it or beside it can then be imported.

    Its options are found before nnexp's own. Modules are also found in the working directory.
    """
    folder = folder.absolute()
    if folder not in _ADDED:
        _ADDED.insert(0, folder)
        option_values_in.cache_clear()
    add_module_folders([folder.parent, folder])


def add_module_folders(added: list[Path]) -> None:
    """Add the working directory and these folders to the end of ``sys.path``."""
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
    """The settings of one conf file, without its defaults list, whose values the class has too.

    Raises:
        ConfigError: the file cannot be read, or holds no settings.
    """
    values = read_yaml(file)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: expected lines of the form name: value")
    return {key: value for key, value in values.items() if key != "defaults"}


def read_yaml(file: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigError: it cannot be read; the message names the file and the line.
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
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error


def yaml_problem(file: Path, error: Any) -> str:
    """A YAML error as one line, with file and line number."""
    mark = error.problem_mark
    where = f"{file}, line {mark.line + 1}" if mark is not None else str(file)
    reason = " ".join(f"{error.problem or error.context}".split())
    # YAML's message shows a tab as \\t.
    reason = reason.replace("'\\t'", "a tab")
    return f"{where}: not valid YAML ({reason})"


def did_you_mean(word: str, words: list[str]) -> str:
    """A suggestion for an unknown word; empty where no known word is similar.

    >>> did_you_mean("adm", ["adam", "sgd"])
    '; did you mean adam?'
    """
    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {near[0]}?" if near else ""
