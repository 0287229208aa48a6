"""Help, written without loading Hydra, whose own takes longer than a short run."""

from __future__ import annotations

import inspect

from nnexp.cli.catalogue import kinds
from nnexp.config.conf_text import default_of
from nnexp.config.error import ConfigError
from nnexp.config.places import did_you_mean, folders, groups
from nnexp.config.schema import Config
from nnexp.config.settings import Part, allowed, settings_of, shown

USAGE = """\
nnexp: train neural networks by any method, recorded in MLflow.

    python -m nnexp.run [group=option ...] [setting=value ...]        one run
    python -m nnexp.run -m optimizer=random,perturb,sgd               a sweep: a run for each combination
    python -m nnexp.run -m 'seed=range(0,20)' optimizer=perturb,sgd   the same with 20 seeds

  -m, --multirun    a sweep over comma-separated values, range(a,b), glob(*), choice(...)
  --dry-run         list the jobs and check them; train nothing
  --end-stale       mark runs as KILLED whose process is gone
  --import-unrecorded [FOLDER]   the same as python -m nnexp.sync: record what was trained while the store was away
  --cfg job         print the composed config
  --help [GROUP]    this text, or the settings of one group or option, as --help optimizer=sgd
  --conf-file CLASS print the conf file of a part of your own, as my_lab.annealing.Annealing
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


def of_group(name: str, option: str = "") -> str:
    """The options of a group, and the settings of each kind of option.

    Args:
        option: the only one to tell of; empty for all.

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
    lines = [f"{name}={option or '|'.join(known[name])}"]
    if name == "experiment":
        lines[0] = f"+{lines[0]}"
        for one in [option] if option else known[name]:
            places = (place / name / f"{one}.yaml" for place in folders())
            text = next(file for file in places if file.is_file()).read_text(encoding="utf-8").splitlines()
            about = next((line for line in text[1:] if line.startswith("#")), "")
            lines.append(f"  {one}: {about.lstrip('# ')}")
        return "\n".join(lines) + "\n"
    for kind, names in kinds(name).items():
        if option and option not in names:
            continue
        title = ", ".join(names)
        summary = " ".join(str(inspect.getdoc(kind)).split("\n\n")[0].split())
        prefix = f"{name.replace('/', '.')}."
        lines += ["", f"{title}: {summary}" if issubclass(kind, Part) else summary, *_settings(kind, prefix)]
    return "\n".join(lines) + "\n"


def _settings(kind: type, prefix: str) -> list[str]:
    rows = [
        (f"{prefix}{f.name}={shown(default_of(f))}", f"{f.metadata['about']} ({allowed(kind, f.name)})")
        for f in settings_of(kind)
        if f.metadata
    ]
    width = max((len(left) for left, _ in rows), default=0)
    return [f"  {left:{width}}  {right}" for left, right in rows]
