"""Help, written without loading Hydra, whose own takes longer than a short run."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from nnexp.config.places import conf, groups
from nnexp.config.schema import Config
from nnexp.config.settings import allowed, hints, options, shown

USAGE = """\
nnexp: train neural networks by any method, recorded in MLflow.

    python -m nnexp.run [group=option ...] [setting=value ...]        one run
    python -m nnexp.run -m optimizer=random,perturb,sgd               a sweep: a run for each combination
    python -m nnexp.run -m 'seed=range(0,20)' optimizer=perturb,sgd   the same with 20 seeds

  -m, --multirun    a sweep over comma-separated values, range(a,b), glob(*), choice(...)
  --dry-run         list the jobs and check them; train nothing
  --end-stale       mark runs as KILLED whose process is gone
  --import-unrecorded [FOLDER]   record what was trained while the store was away
  --cfg job         print the composed config
  --help [GROUP]    this text, or the settings of one group
  --version         the version
  -sc install=bash  tab completion: eval "$(nnexp -sc install=bash)"
"""


def general() -> str:
    """Usage, the config groups with their options, and the settings outside groups."""
    found = groups()
    width = max(map(len, found))
    lines = [USAGE, "Config groups (group=option; --help GROUP lists the settings):"]
    lines += [f"  {name:{width}}  {', '.join(names)}" for name, names in found.items()]
    return "\n".join([*lines, "", "Settings outside groups:", *_settings(Config, "")]) + "\n"


def of_group(name: str) -> str:
    """The options of a group, and the settings of each kind of option.

    Raises:
        KeyError: there is no such group.
    """
    lines = [f"{name}={'|'.join(groups()[name])}"]
    if name == "experiment":
        lines[0] = f"+{lines[0]}"
        for option in groups()[name]:
            text = (conf() / name / f"{option}.yaml").read_text(encoding="utf-8").splitlines()
            lines.append(
                f"  {option}: {next(line for line in text[1:] if line.startswith('#')).lstrip('# ')}"
            )
        return "\n".join(lines) + "\n"
    kinds: dict[type, list[str]] = {}
    for option, kind in options(hints(Config)[name]).items():
        kinds.setdefault(kind, []).append(option)
    for kind, names in kinds.items():
        title = ", ".join(filter(None, names))
        lines += [
            "",
            f"{title}: {kind.__doc__}" if title else str(kind.__doc__),
            *_settings(kind, f"{name}."),
        ]
    return "\n".join(lines) + "\n"


def _default(f: Any) -> str:
    return shown(f.default if f.default is not MISSING else f.default_factory())


def _settings(kind: type, prefix: str) -> list[str]:
    rows = [
        (f"{prefix}{f.name}={_default(f)}", f"{f.metadata['about']} ({allowed(kind, f.name)})")
        for f in fields(kind)
        if f.metadata and f.name != "name"
    ]
    width = max((len(left) for left, _ in rows), default=0)
    return [f"  {left:{width}}  {right}" for left, right in rows]
