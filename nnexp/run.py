"""The entry point: compose, check, train, record.

``python -m nnexp.run -m optimizer=random,perturb,sgd``; exit codes: 0 all runs finished, 1 a run failed,
2 bad input, 130 and 143 ended by SIGINT and SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnexp import __version__
from nnexp.process import leave
from nnexp.tracking.locations import conceal, relative_to

if TYPE_CHECKING:
    from nnexp.sweep.recording.process import RecordingProcess

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    # NumPy reads these when it loads; on networks this small a second thread only waits.
    os.environ.setdefault(_name, "1")


SWEEP = ("--multirun", "-m")

PRINTING = ("--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc")
"""Flags of Hydra's that print something and train nothing."""

FLAGS = (
    *(
        *SWEEP,
        "--run",
        "-r",
        "--dry-run",
        "--end-stale",
        "--import-unrecorded",
        "--help",
        "-h",
        "--version",
        "--conf-file",
        *PRINTING,
    ),
    *("--resolve", "--package", "-p", "--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    # A password goes no further than this process's memory.
    given = [conceal(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    _find_parts(given)
    if "--version" in given:
        print(f"nnexp {__version__}")
        return 0
    if any(argument.partition("=")[0] == "--conf-file" for argument in given):
        return _conf_file(given)
    if "--help" in given or "-h" in given:
        return _help([a for a in given if not a.startswith("-") and a not in _config_dirs(given)])
    with relative_to(Path.cwd()):
        return _hydra(given)


def _conf_file(given: list[str]) -> int:
    """Print the conf file of the part that ``--conf-file CLASS`` names."""
    from nnexp.config.conf_text import conf_text
    from nnexp.config.settings import ConfigError, Part, import_part

    targets = _values_of(given, ("--conf-file",))
    if len(targets) != 1:
        return _refused(
            "--conf-file: expected a class's full name, as --conf-file my_lab.annealing.Annealing"
        )
    try:
        print(conf_text(import_part(f"--conf-file {targets[0]}", targets[0], Part)), end="")
    except ConfigError as error:
        return _refused(str(error))
    return 0


def _config_dirs(given: list[str]) -> list[str]:
    return _values_of(given, ("--config-dir", "-cd"))


def _values_of(given: list[str], flags: tuple[str, ...]) -> list[str]:
    """What is given with a flag, as ``--flag VALUE`` or ``--flag=VALUE``."""
    found = []
    for at, argument in enumerate(given):
        name, equals, value = argument.partition("=")
        if name in flags and (equals or at + 1 < len(given)):
            found.append(value if equals else given[at + 1])
    return found


def _find_parts(given: list[str]) -> None:
    """Let parts be found in the folder where the command runs, and in and beside a folder of config groups."""
    from nnexp.config.places import add_folder, add_module_folders

    add_module_folders([])
    for folder in _config_dirs(given):
        add_folder(Path(folder))


def _help(words: list[str]) -> int:
    from nnexp.cli import help as text
    from nnexp.config.places import groups

    if not words:
        print(text.general(), end="")
    elif words[0] in groups():
        print(text.of_group(words[0]), end="")
    else:
        return _refused(f"--help {words[0]}: unknown group; expected one of {', '.join(groups())}")
    return 0


def _hydra(given: list[str]) -> int:
    from nnexp.sweep.recording.process import begun

    flags = {argument.split("=")[0] for argument in given}
    trains = flags & set(SWEEP) and not flags & {"--dry-run", "--end-stale", "--import-unrecorded", *PRINTING}
    # Before all that is slow here.
    process = begun(given) if trains else None
    try:
        return _guarded(given, process)
    finally:
        if process is not None:
            process.close()


def _guarded(given: list[str], process: RecordingProcess | None) -> int:
    wants_traceback = bool(os.environ.get("NNEXP_TRACEBACK") or os.environ.get("HYDRA_FULL_ERROR"))
    # Hydra then raises what goes wrong instead of printing it and ending the process.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from nnexp.cli.errors import Stop, one_line
    from nnexp.config.schema import ConfigError
    from nnexp.sweep.interrupts import Terminated
    from nnexp.tracking.locations import StoreError, SweepTaken

    def terminate(number: int, frame: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        return _command(given, process)
    except (HydraException, OmegaConfBaseException, ConfigError, StoreError, Stop) as error:
        if wants_traceback:
            raise
        cause = error.__cause__ if isinstance(error, Stop) and error.__cause__ else error
        code = _refused(one_line(cause, given))
        return 1 if isinstance(cause, SweepTaken) else code
    except OSError as error:
        if wants_traceback:
            raise
        where = error.filename or "the disk"
        _refused(f"{where}: it cannot be written ({error.strerror or error})")
        return 1
    except Terminated:
        return 143
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _command(given: list[str], process: RecordingProcess | None) -> int:
    from nnexp.cli.errors import Stop
    from nnexp.cli.summary import console
    from nnexp.cli.view import TerminalView
    from nnexp.config.schema import ConfigError
    from nnexp.sweep.compose import jobs
    from nnexp.sweep.supervisor import SweepWork
    from nnexp.sweep.work import Work
    from nnexp.tracking.locations import SweepTaken

    _known_flags(given)
    overrides = jobs.overrides_in(given)
    sweep = any(flag in given for flag in SWEEP)
    if "--dry-run" in given:
        return _list(overrides, jobs.search_path(given), sweep)
    if "--end-stale" in given:
        return _end_stale(jobs.search_path(given) + overrides)
    if "--import-unrecorded" in given:
        return _import_unrecorded(given)
    shown = [flag for flag in given if flag.split("=")[0] in PRINTING]
    if shown and sweep:
        raise ConfigError(f"{shown[0]}: expected without -m; --dry-run lists a sweep's jobs")
    if shown:
        _launch(given, None)
        return 0
    view = TerminalView(console())
    work = Work(view, overrides, None)
    if sweep:
        plan = jobs.plan(overrides, jobs.search_path(given))
        jobs.check(plan.jobs)
        if plan.repeated:
            view.say(_left_out(plan.repeated))
        work = SweepWork(view, overrides, plan.most, process)
    try:
        _launch(jobs.as_axes(given) if sweep else given, work)
    except BaseException as error:
        if not isinstance(error.__cause__ if isinstance(error, Stop) else error, SweepTaken):
            work.end("KILLED" if not isinstance(error, Exception) else "FAILED")
        raise
    work.end()
    return 1 if work.failed else 0


def _known_flags(given: list[str]) -> None:
    from nnexp.config.schema import ConfigError

    for flag in given:
        if flag.startswith("-") and flag.split("=")[0] not in FLAGS:
            raise ConfigError(f"{flag}: unknown; expected one of {', '.join(FLAGS)}")


def _list(overrides: list[str], search_path: list[str], sweep: bool) -> int:
    from nnexp.sweep.compose import jobs
    from nnexp.training.prepare import prepare

    lines, count, repeated = [" ".join(overrides)], 1, 0
    if sweep:
        plan = jobs.plan(overrides, search_path)
        jobs.check(plan.jobs)
        lines, count, repeated = plan.lines, plan.most, plan.repeated
    else:
        for config in jobs.compose([search_path + overrides]):
            prepare(config)
    for number, line in enumerate(lines):
        print(f"{number:4}  {line or '(defaults)'}")
    if repeated:
        print(_left_out(repeated))
    print(f"{count} job{'s' if count != 1 else ''}, nothing trained")
    return 0


def _left_out(repeated: int) -> str:
    return f"{repeated} job{'s that repeat others are' if repeated != 1 else ' that repeats another is'} left out"


def _end_stale(overrides: list[str]) -> int:
    """Mark runs that were left RUNNING by a process that is gone."""
    from nnexp.sweep.compose import jobs
    from nnexp.sweep.resume import end_stale
    from nnexp.tracking.mlflow_store import Store

    (config,) = jobs.compose([overrides])
    store = Store.open(config.tracking.uri, config.tracking.experiment)
    ended = end_stale(store)
    for name, why in ended:
        print(f"{name}: KILLED, {why}")
    print(f"{len(ended)} stale run{'s' if len(ended) != 1 else ''} in experiment {store.experiment}")
    return 0


def _import_unrecorded(given: list[str]) -> int:
    """Record what journals below a folder hold, each run once."""
    from nnexp.sweep.compose import jobs
    from nnexp.tracking.bring_in import bring_in
    from nnexp.tracking.mlflow_store import Store

    places = [a for a in given if not a.startswith(("-", "~")) and "=" not in a] or ["runs"]
    (config,) = jobs.compose([jobs.search_path(given) + jobs.overrides_in(given)])
    uri = config.tracking.uri
    stores: dict[str, Store] = {}

    def store(experiment: str) -> Store:
        if experiment not in stores:
            stores[experiment] = Store.open(uri, experiment)
        return stores[experiment]

    code = 0
    for place in places:
        brought = bring_in(store, Path(place))
        for problem in brought.problems:
            print(f"nnexp: {problem}", file=sys.stderr)
            code = 1
        print(f"{place}: {brought.runs} brought in, {brought.there} were there already")
    return code


def _launch(given: list[str], work: Any) -> None:
    """Hand the command to Hydra, whose launcher calls the job for each composed config."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig, OmegaConf

    from nnexp.cli.errors import Stop
    from nnexp.config.places import conf
    from nnexp.config.schema import ConfigError, from_mapping
    from nnexp.sweep.identity import code_hash
    from nnexp.sweep.plugins import register
    from nnexp.sweep.trial import Trial, objective
    from nnexp.tracking.locations import StoreError

    def run(composed: DictConfig) -> float:
        hydra_config = HydraConfig.get()
        log = Path(hydra_config.runtime.output_dir) / f"{hydra_config.job.name}.log"
        number = 0 if OmegaConf.is_missing(hydra_config.job, "num") else hydra_config.job.num
        try:
            plain: Any = OmegaConf.to_container(composed, resolve=True)
            config = from_mapping(plain)
            _refuse_password(config.tracking.uri, log.parent)
            if work.jobs is None and config.sweep.grid is not None:
                raise ConfigError("sweep.grid: expected with -m, a grid is for a sweep")
            trial = Trial(number, config, list(hydra_config.overrides.task), log, code_hash(config))
            return objective(work.run(trial))
        except (ConfigError, StoreError) as error:
            raise Stop(str(error)) from error

    register(work)
    before = sys.argv
    sys.argv = [before[0], *given]
    try:
        hydra.main(str(conf()), "config", version_base="1.3")(run)()
    finally:
        sys.argv = before


def _refuse_password(uri: str | None, folder: Path) -> None:
    """Refuse a password in a config file, of which Hydra has left copies already."""
    from nnexp.tracking.locations import StoreError, refuse_password

    try:
        refuse_password(uri)
    except StoreError:
        for file in folder.glob(".hydra/*.yaml"):
            file.write_text(conceal(file.read_text(encoding="utf-8")), encoding="utf-8")
        raise


def _refused(line: str) -> int:
    print(f"nnexp: {conceal(line)}", file=sys.stderr)
    return 2


def command() -> None:
    """The console script."""
    leave(main)


if __name__ == "__main__":
    command()
