"""The command line's arguments, in any order: flags, settings, and words that some flags take."""

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
"""Flags of Hydra's that print something and train nothing."""

COMMANDS = ("--dry-run", "--end-stale", *PRINTING)
"""What a command does other than to train; one of them at most."""

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
"""Flags beside which words may stand that are no settings."""


class Arguments(NamedTuple):
    """What was given.

    Attributes:
        flags: by their long names, each with its value, empty for one without.
        settings: overrides in Hydra's grammar.
        words: what is neither.
    """

    flags: dict[str, str]
    settings: list[str]
    words: list[str]

    @property
    def sweep(self) -> bool:
        """Whether it is a multirun."""
        return "--multirun" in self.flags

    @property
    def command(self) -> str:
        """What is to be done other than to train, by its flag; empty to train."""
        return next((flag for flag in COMMANDS if flag in self.flags), "")

    def kept(self) -> list[str]:
        """The flags without which the settings mean something else."""
        names = [name for name in ("--config-dir", "--config-name") if name in self.flags]
        return [word for name in names for word in (name, self.flags[name])]

    def for_hydra(self, settings: Sequence[str]) -> list[str]:
        """The arguments for Hydra's parser, which takes settings on one side of the flags alone."""
        given = {name: value for name, value in self.flags.items() if name not in OURS}
        flags = [f"{name}={value}" if value else name for name, value in given.items()]
        return [*flags, *settings, *self.words]


def read(given: Sequence[str]) -> Arguments:
    """Sort arguments.

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
            raise ConfigError(f"{name}: expected a value, as {name} {_example(flag)}")
        if value and flag not in VALUED and not allowed:
            raise ConfigError(f"{argument}: expected {name} without a value")
        if allowed and value not in allowed:
            raise ConfigError(
                f"{name} {value}: expected one of {', '.join(allowed)}{did_you_mean(value, list(allowed))}"
            )
        if flag in flags and flags[flag] != value:
            raise ConfigError(f"{name} {value}: expected once; {name} {flags[flag]} is given too")
        flags[flag] = value
    for text in settings:
        if not text.partition("=")[0].strip("+~ "):
            raise ConfigError(f"{text}: expected the name of a setting before the equals sign")
    _check(flags, words)
    return Arguments(flags, settings, words)


def _check(flags: dict[str, str], words: list[str]) -> None:
    commands = [flag for flag in COMMANDS if flag in flags]
    if len(commands) > 1:
        raise ConfigError(f"{commands[1]}: expected without {commands[0]}")
    if "--run" in flags and "--multirun" in flags:
        raise ConfigError("--run: expected without --multirun")
    if "--resolve" in flags and "--cfg" not in flags:
        raise ConfigError("--resolve: expected with --cfg job")
    if words and not any(flag in flags for flag in WITH_WORDS):
        raise ConfigError(f"{words[0] or repr('')}: expected setting=value, or a flag such as --multirun")


def _example(flag: str) -> str:
    return CHOICES[flag][0] if flag in CHOICES else "NAME"
