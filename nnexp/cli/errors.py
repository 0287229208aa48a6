"""Errors of the user's input, each as one line."""

from __future__ import annotations

import re

from nnexp.cli.catalogue import kinds, setting_names
from nnexp.config.places import did_you_mean
from nnexp.config.schema import Config
from nnexp.config.settings import hints


class Stop(BaseException):
    """Bad input found within a job: no other job of the sweep may start. Not an Exception, or Hydra goes on."""


def one_line(error: BaseException, arguments: list[str]) -> str:
    """The error's message and its cause's on one line, with what is allowed where Hydra does not say it."""
    parts = [str(error)]
    if error.__cause__ is not None and str(error.__cause__) not in parts[0]:
        parts.append(str(error.__cause__))
    text = " ".join(" ".join(parts).split()) or type(error).__name__
    override = getattr(error, "override", None)
    if override is not None:
        message = str(getattr(error, "message", error)).splitlines()[0]
        return f"{override}: expected setting=value in Hydra's grammar ({message})"
    missing = re.search(
        r"Could not find '([\w/]+)/([^/\s]+)' Available options in '[\w/]+': (.*?) Config search path", text
    )
    if missing is not None:
        options = missing[3].split()
        return (
            f"{missing[1]}={missing[2]}: unknown; expected one of {', '.join(options)}"
            f"{did_you_mean(missing[2], options)}"
        )
    unknown = re.search(
        r"Could not (?:override|append to config) '([\w.]+)'|Key '([\w.]+)' is not in struct", text
    )
    if unknown is None:
        return text
    key = unknown[1] or unknown[2]
    given = next((a.lstrip("+") for a in arguments if a.lstrip("+").startswith(f"{key}=")), key)
    return f"{given}: unknown; expected {_expected(key)}"


def _expected(key: str) -> str:
    *groups, _ = key.split(".")
    known = hints(Config)
    offered = kinds("/".join(groups)) if groups and groups[0] in known else {}
    if not offered:
        return "one of " + ", ".join(known)
    if len(offered) == 1:
        return "one of " + ", ".join(setting_names(next(iter(offered))))
    group = "/".join(groups)
    return "; ".join(
        f"for {group}={'|'.join(names)}: {', '.join(setting_names(kind)) or 'none'}"
        for kind, names in offered.items()
    )
