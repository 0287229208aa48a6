"""Help texts, printed without loading Hydra, which would take longer than a short run."""

from __future__ import annotations

import inspect
import textwrap

from nnexp.cli.catalogue import kinds
from nnexp.config.conf_text import default_of
from nnexp.config.error import ConfigError
from nnexp.config.places import did_you_mean, folders, groups
from nnexp.config.schema import Config
from nnexp.config.settings import Part, allowed, settings_of, shown

WIDTH = 80
"""Width of the text in characters."""

WIDEST = 36
"""Largest width of the column of names; the description of a longer name is below it."""

USAGE = """\
nnexp: train neural networks by any method, recorded in MLflow.

  one run:   python -m nnexp.run [group=option ...] [setting=value ...]
  a sweep:   python -m nnexp.run -m optimizer=random,perturb,sgd
  its seeds: python -m nnexp.run -m optimizer=perturb,sgd 'seed=range(0,20)'

  -m, --multirun    a sweep over comma-separated values, range(a,b), glob(*),
                    choice(...)
  --runs            print a row for each run at the end, also of a large sweep
  --dry-run         list the jobs and check them; train nothing
  --end-stale       mark runs whose process has ended as KILLED
  --cfg job         print the composed config
  --help [GROUP]    this text, or the settings of one group or option, such as
                    --help optimizer=sgd
  --conf-file CLASS print a conf file for your own class, such as
                    my_lab.annealing.Annealing
  --version         the version
  -sc install=bash  tab completion: eval "$(nnexp -sc install=bash)"
"""


def general() -> str:
    """Usage, the config groups with their options, and the settings outside groups."""
    found = groups()
    lines = [USAGE, "Config groups (group=option; --help GROUP lists the settings):"]
    lines += [line for name, names in found.items() for line in _row(name, ", ".join(names), 22)]
    return "\n".join([*lines, "", "Settings outside groups:", *_settings(Config, "")]) + "\n"


def of_group(name: str, option: str = "") -> str:
    """The options of a group, and the settings of each kind of option.

    Args:
        option: a single option; empty for all.

    Raises:
        ConfigError: there is no such group, or no such option in it.
    """
    known = groups()
    if name not in known:
        raise ConfigError(
            f"--help {name}: unknown group; expected one of {', '.join(known)}{did_you_mean(name, list(known))}"
        )
    if option and option not in known[name]:
        raise ConfigError(
            f"--help {name}={option}: unknown; expected one of {', '.join(known[name])}"
            f"{did_you_mean(option, known[name])}"
        )
    sign = "+" if name == "experiment" else ""
    lines = _wrapped(f"{sign}{name}={option or ' | '.join(known[name])}", "  ")
    if name == "experiment":
        for one in [option] if option else known[name]:
            places = (place / name / f"{one}.yaml" for place in folders())
            text = next(file for file in places if file.is_file()).read_text(encoding="utf-8").splitlines()
            about = next((line for line in text[1:] if line.startswith("#")), "")
            lines += _wrapped(f"  {one}: {about.lstrip('# ')}", "    ")
        return "\n".join(lines) + "\n"
    for kind, names in kinds(name).items():
        if option and option not in names:
            continue
        title = ", ".join(names)
        summary = " ".join(str(inspect.getdoc(kind)).split("\n\n")[0].replace("``", "").split())
        prefix = f"{name.replace('/', '.')}."
        about = f"{title}: {summary}" if issubclass(kind, Part) else summary
        lines += ["", *_wrapped(about), *_settings(kind, prefix)]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, further: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )


def _settings(kind: type, prefix: str) -> list[str]:
    rows = [
        (f"{prefix}{f.name}={shown(default_of(f))}", f"{f.metadata['about']} ({allowed(kind, f.name)})")
        for f in settings_of(kind)
        if f.metadata
    ]
    width = min(WIDEST, max((len(left) for left, _ in rows), default=0))
    return [line for left, right in rows for line in _row(left, right, width)]


def _row(left: str, right: str, width: int) -> list[str]:
    """A name, in a column of ``width``, and its description, in lines that fit into a terminal."""
    lines = textwrap.wrap(
        right, WIDTH - width - 4, break_long_words=False, break_on_hyphens=False
    ) or [""]  # fmt: skip
    if len(left) > width:
        return [f"  {left}", *(f"  {'':{width}}  {line}" for line in lines)]
    return [
        f"  {name:{width}}  {line}" for name, line in zip([left, *[""] * len(lines)], lines, strict=False)
    ]
