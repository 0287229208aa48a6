"""Errors of the user's input, each as one line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nnexp.cli.catalogue import kinds, setting_names
from nnexp.config.places import did_you_mean, groups, options
from nnexp.config.schema import Config
from nnexp.config.settings import hints


class Stop(BaseException):
    """Bad input found within a job: no other job of the sweep may start. Not an Exception, or Hydra goes on."""


def one_line(error: BaseException, settings: Sequence[str], sweep: bool = False) -> str:
    """The error's message and its cause's on one line, with what is allowed where Hydra does not say it.

    Args:
        settings: as they were given.
        sweep: whether they are a multirun's.
    """
    # Our own errors are complete; what caused them is for the traceback.
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
    missing = re.search(
        r"Could not find '([\w/]+)/([^/\s]+)' Available options in '[\w/]+': (.*?) Config search path", text
    )
    if missing is not None:
        known = missing[3].split()
        return (
            f"{_given(f'{missing[1]}={missing[2]}', settings)}: unknown; expected one of {', '.join(known)}"
            f"{did_you_mean(missing[2], known)}"
        )
    appended = re.match(r"Could not (?:append|override).*?'(\w+)'.*?(?:No match in the defaults list)", text)
    unknown = re.search(
        r"Could not (?:override|append to config) '([\w.]+)'|Key '([\w.]+)' is not in struct", text
    )
    if appended is not None and appended[1] in groups():
        given = next((a for a in settings if a.startswith(f"{appended[1]}=")), f"{appended[1]}=...")
        return f"{given}: expected +{given}, for no {appended[1]} is chosen yet"
    if unknown is None:
        return text
    key = unknown[1] or unknown[2]
    given = next((a.lstrip("+") for a in settings if a.lstrip("+").startswith(f"{key}=")), key)
    return f"{given}: unknown; expected {_expected(key, settings, sweep)}"


def _given(text: str, settings: Sequence[str]) -> str:
    return f"+{text}" if f"+{text}" in settings else text


def _expected(key: str, settings: Sequence[str], sweep: bool) -> str:
    *names, last = key.split(".")
    known = hints(Config)
    group = "/".join(names)
    offered = kinds(group) if names and names[0] in known else {}
    if not offered:
        words = ["hydra", *known]
        return "one of " + ", ".join(known) + did_you_mean(key.split(".")[0], words)
    if len(offered) == 1:
        words = setting_names(next(iter(offered)))
        return "one of " + ", ".join(words) + did_you_mean(last, words)
    chosen = _chosen(group, settings)
    if chosen:
        having = [name for kind, names in offered.items() if last in setting_names(kind) for name in names]
        of_chosen = [name for name in chosen if name in having]
        if sweep and of_chosen:
            grid = [
                "{" + f"{group}:{name}" + (f",{key}:..." if name in having else "") + "}" for name in chosen
            ]
            return (
                f"a setting of all of {', '.join(chosen)}, only {', '.join(of_chosen)} "
                f"{'has' if len(of_chosen) == 1 else 'have'} it; a grid gives each its own: "
                f"'sweep.grid=[{','.join(grid)}]'"
            )
        offered = {kind: names for kind, names in offered.items() if set(names) & set(chosen)} or offered
    near = did_you_mean(last, sorted({name for kind in offered for name in setting_names(kind)}))
    return (
        "; ".join(
            f"for {group}={'|'.join(names)}: {', '.join(setting_names(kind)) or 'none'}"
            for kind, names in offered.items()
        )
        + near
    )


def _chosen(group: str, settings: Sequence[str]) -> list[str]:
    """The options of a group that settings choose; empty where they choose none."""
    known = options(group)
    for text in reversed(settings):
        name, _, value = text.lstrip("+").partition("=")
        if name == group:
            words = re.split(r"[,\s()]+", value)
            return [word for word in words if word in known]
    return []
