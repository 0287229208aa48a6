"""The command line's arguments, in any order: flags, settings, and other words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nnexp.config.error import ConfigError
from nnexp.config.places import did_you_mean

SHORT = {
    "-m": "--multirun",
    "-r": "--run",
    "-h": "--help",
    "-c": "--cfg",
    "-i": "--info",
    "-p": "--package",
    "-cd": "--config-dir",
    "-cn": "--config-name",
    "-sc": "--shell-completion",
}

PRINTING = ("--cfg", "--info", "--hydra-help", "--shell-completion")
"""Hydra's flags that print something and train nothing."""

COMMANDS = ("--dry-run", "--end-stale", *PRINTING)
"""Flags that replace training by another action; at most one may be given."""

PLAIN = ("--multirun", "--run", "--runs", "--help", "--version", "--resolve", *COMMANDS)

OURS = ("--runs",)
"""Flags that Hydra does not know."""

CHOICES = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}
"""Values that a flag takes."""

VALUED = ("--cfg", "--package", "--config-dir", "--config-name", "--conf-file")

FLAGS = tuple(dict.fromkeys((*PLAIN, *VALUED)))

WITH_WORDS = ("--help", "--shell-completion")
"""Flags that take further words, which are not settings."""


class Arguments(NamedTuple):
    """The sorted arguments.

    Attributes:
        flags: by their long names, each with its value, empty for a flag without one.
        settings: overrides in Hydra's grammar.
        words: all others.
    """

    flags: dict[str, str]
    settings: list[str]
    words: list[str]

    @property
    def sweep(self) -> bool:
        """Whether the command is a sweep."""
        return "--multirun" in self.flags

    @property
    def command(self) -> str:
        """The flag of an action other than training; empty for training."""
        return next((flag for flag in COMMANDS if flag in self.flags), "")

    def kept(self) -> list[str]:
        """The flags that change the meaning of settings."""
        names = [name for name in ("--config-dir", "--config-name") if name in self.flags]
        return [word for name in names for word in (name, self.flags[name])]

    def for_hydra(self, settings: Sequence[str]) -> list[str]:
        """The arguments for Hydra's parser, which accepts settings on one side of the flags only."""
        given = {name: value for name, value in self.flags.items() if name not in OURS}
        flags = [f"{name}={value}" if value else name for name, value in given.items()]
        return [*flags, *settings, *self.words]


def read(given: Sequence[str]) -> Arguments:
    """Sort arguments into flags, settings and words.

    Raises:
        ConfigError: an unknown flag, a flag without its value, or flags that do not go together.

    >>> read(["seed=1", "-m", "optimizer=sgd,random"])
    Arguments(flags={'--multirun': ''}, settings=['seed=1', 'optimizer=sgd,random'], words=[])
    """
    flags: dict[str, str] = {}
    settings: list[str] = []
    words: list[str] = []
    left = list(given)
    while left:
        argument = left.pop(0)
        if not argument.startswith("-"):
            (settings if "=" in argument or argument.startswith("~") else words).append(argument)
            continue
        name, equals, value = argument.partition("=")
        flag = SHORT.get(name, name)
        if flag not in FLAGS:
            raise ConfigError(
                f"{name}: unknown; expected one of {', '.join(FLAGS)}{did_you_mean(name, list(FLAGS))}"
            )
        allowed = CHOICES.get(flag, ())
        if flag in VALUED and not equals and left:
            value = left.pop(0)
        elif flag == "--info" and not equals:
            value = left.pop(0) if left and left[0] in allowed else "all"
        if flag in VALUED and not value:
            raise ConfigError(f"{name}: expected a value, such as {name} {_example(flag)}")
        if value and flag not in VALUED and not allowed:
            raise ConfigError(f"{argument}: {name} takes no value")
        if allowed and value not in allowed:
            raise ConfigError(
                f"{name} {value}: expected one of {', '.join(allowed)}{did_you_mean(value, list(allowed))}"
            )
        if flag in flags and flags[flag] != value:
            raise ConfigError(f"{name} {value}: given twice; the other value is {flags[flag]}")
        flags[flag] = value
    for text in settings:
        if not text.partition("=")[0].strip("+~ "):
            raise ConfigError(f"{text}: expected setting=value; the name of the setting is missing")
    _check(flags, words)
    return Arguments(flags, settings, words)


def _check(flags: dict[str, str], words: list[str]) -> None:
    commands = [flag for flag in COMMANDS if flag in flags]
    if len(commands) > 1:
        raise ConfigError(f"{commands[1]}: cannot be used together with {commands[0]}")
    if "--run" in flags and "--multirun" in flags:
        raise ConfigError("--run: cannot be used together with --multirun")
    if "--resolve" in flags and "--cfg" not in flags:
        raise ConfigError("--resolve: can only be used together with --cfg job")
    if words and not any(flag in flags for flag in WITH_WORDS):
        raise ConfigError(f"{words[0] or repr('')}: expected setting=value, or a flag such as --multirun")


def _example(flag: str) -> str:
    return CHOICES[flag][0] if flag in CHOICES else "NAME"
