"""Errors in the user's input, each as one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nnexp.cli.catalogue import kinds, setting_names
from nnexp.config.places import conf, did_you_mean, groups, options, read_yaml
from nnexp.config.schema import Config
from nnexp.config.settings import hints


class Stop(BaseException):
    """Bad input found in a job, which ends the whole sweep. Not an Exception: Hydra would continue with other jobs."""


def one_line(error: BaseException, settings: Sequence[str], sweep: bool = False) -> str:
    """The messages of the error and its cause on one line; Hydra's messages are completed with what is allowed.

    Args:
        settings: as given on the command line.
        sweep: whether the command is a sweep.
    """
    # nnexp's own errors are complete; their causes are for the traceback.
    hydras = type(error).__module__.partition(".")[0] in ("hydra", "omegaconf")
    parts = [str(error)]
    if hydras and error.__cause__ is not None and str(error.__cause__) not in parts[0]:
        parts.append(str(error.__cause__))
    text = " ".join(" ".join(parts).split()) or type(error).__name__
    return _of_hydra(error, text, settings, sweep) if hydras else text


def _of_hydra(error: BaseException, text: str, settings: Sequence[str], sweep: bool) -> str:
    override = getattr(error, "override", None)
    if override is not None:
        message = str(getattr(error, "message", error)).splitlines()[0]
        return f"{override}: expected setting=value in Hydra's grammar ({message})"
    ambiguous = re.match(r"Ambiguous value for argument '(.*?)' 1\. To use it as a list", text)
    if ambiguous is not None:
        key, _, value = ambiguous[1].partition("=")
        return (
            f"{ambiguous[1]}: several values; add -m to sweep over them, or write {key}=[{value}] for a list"
        )
    swept = re.match(r"Sweep parameters '(.*?)' requires --multirun", text)
    if swept is not None:
        return f"{swept[1]}: several values; add -m to sweep over them"
    for pattern, words in PATTERNS.items():
        if (mistake := re.search(pattern, text)) is not None:
            return " ".join(mistake.expand(words).split())
    repeated = re.match(r"Could not append to config\. An item is already at '(\S+)'", text)
    if repeated is not None:
        override = _written(repeated[1], settings)
        return f"+{override}: expected {override} without +, because the setting exists"
    missing = re.search(r"Could not (?:find|load) '([\w/]+)/([^/\s]+?)'", text)
    if missing is not None:
        listed = re.search(r"Available options in '[\w/]+': (.*?) Config search path", text)
        known = options(missing[1]) if listed is None else listed[1].split()
        return (
            f"{_given(f'{missing[1]}={missing[2]}', settings)}: unknown; expected one of {', '.join(known)}"
            f"{did_you_mean(missing[2], known)}"
        )
    hydras = re.match(r"Could not override '(hydra[\w.]+)'", text)
    if hydras is not None:
        return f"{_written(hydras[1], settings)}: unknown; expected a setting that --cfg hydra lists"
    interpolated = re.match(r"(.*?) full_key: (\S+)", text)
    if interpolated is not None and "struct" not in text:
        return f"{_written(interpolated[2], settings)}: {interpolated[1]}"
    appended = re.match(r"Could not override '(\w+)'\. No match in the defaults list", text)
    if appended is not None and appended[1] in groups():
        override = _written(appended[1], settings)
        return f"{override}: expected +{override}, because the config has no {appended[1]} by default"
    unknown = re.search(
        r"Could not (?:override|append to config) '([\w.]+)'|Key '([\w.]+)' is not in struct", text
    )
    if unknown is None:
        return text
    key = unknown[1] or unknown[2]
    return f"{_written(key, settings)}: unknown; expected {_expected(key, settings, sweep)}"


PATTERNS = {
    r"Error merging override (\S+) (.*?) full_key:": r"\1: \2",
    r"Could not delete from (?:config|defaults list)\. '?(\S+?)'? does not exist": r"~\1: there is no such setting",
    r"Cannot find primary config '(.*?)'": r"--config-name \1: expected the name of a file in a config folder",
}
"""Messages of Hydra, and nnexp's messages in their place."""


def _written(key: str, settings: Sequence[str]) -> str:
    """A setting as the command line has it, else its key."""
    return next((a.lstrip("+") for a in settings if a.lstrip("+").startswith(f"{key}=")), key)


def _given(text: str, settings: Sequence[str]) -> str:
    return f"+{text}" if f"+{text}" in settings else text


def _expected(key: str, settings: Sequence[str], sweep: bool) -> str:
    *path, last = key.split(".")
    known = hints(Config)
    group = "/".join(path)
    offered = kinds(group) if path and path[0] in known else {}
    if not offered:
        return "one of " + ", ".join(known) + did_you_mean(key.split(".")[0], list(known))
    if len(offered) == 1:
        words = setting_names(next(iter(offered)))
        return "one of " + ", ".join(words) + did_you_mean(last, words)
    having = [name for kind, names in offered.items() if last in setting_names(kind) for name in names]
    chosen = _chosen(group, settings)
    those = [name for name in chosen if name in having]
    if sweep and those:
        value = _written(key, settings).partition("=")[2]
        blocks = [f"{{{group}:{name}{f',{key}:{value}' if name in having else ''}}}" for name in chosen]
        return (
            f"a setting of all of {', '.join(chosen)}; only {', '.join(those)} has it. A grid can set it for "
            f"each: -m 'sweep.grid=[{','.join(blocks)}]'"
        )
    shown = {kind: names for kind, names in offered.items() if set(names) & set(chosen)} or offered
    near = did_you_mean(last, sorted({name for kind in shown for name in setting_names(kind)}))
    elsewhere = f"; {last} is a setting of {', '.join(having)}" if having else ""
    lists = [
        f"for {group}={'|'.join(names)}: {', '.join(setting_names(kind)) or 'none'}"
        for kind, names in shown.items()
    ]
    return f"one of those {'; '.join(lists)}{elsewhere}{near}"


def _chosen(group: str, settings: Sequence[str]) -> list[str]:
    """The options of a group that the settings choose, else that of the main config."""
    known = options(group)
    for text in reversed(settings):
        name, _, value = text.lstrip("+").partition("=")
        if name == group:
            words = re.split(r"[,\s()]+", value)
            return [word for word in words if word in known]
    main: dict[str, Any] = read_yaml(conf() / "config.yaml")
    return [entry[group] for entry in main["defaults"] if isinstance(entry, dict) and group in entry]
