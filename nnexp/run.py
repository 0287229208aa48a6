"""The entry point: compose, check, train, record.

``python -m nnexp.run -m optimizer=random,perturb,sgd``; exit codes: 0 all runs finished, 1 a run failed,
2 bad input, 130 and 143 ended by SIGINT and SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnexp import __version__
from nnexp.process import leave
from nnexp.tracking.locations import conceal, relative_to

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

    from nnexp.cli.arguments import Arguments
    from nnexp.config.schema import Config
    from nnexp.sweep.recording.process import Recorder
    from nnexp.sweep.work import Work

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    # NumPy reads these when it is imported; for small networks a second thread does not help.
    os.environ.setdefault(_name, "1")


RUNS = "runs"
"""The default folder of a command's outputs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from nnexp.cli.arguments import read
    from nnexp.config.error import ConfigError

    # A password is kept in this process's memory only.
    given = [conceal(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    try:
        sorted_out = read(given)
        _find_parts(sorted_out)
        if "--version" in sorted_out.flags:
            print(f"nnexp {__version__}")
            return 0
        if "--conf-file" in sorted_out.flags:
            return _conf_file(sorted_out.flags["--conf-file"])
        if "--help" in sorted_out.flags:
            return _help([*sorted_out.words, *sorted_out.settings])
    except ConfigError as error:
        return _refused(str(error))
    with relative_to(Path.cwd()):
        return _hydra(sorted_out)


def _conf_file(target: str) -> int:
    """Print the conf file of the part that ``--conf-file CLASS`` names."""
    from nnexp.config.conf_text import conf_text
    from nnexp.config.settings import Part, import_part

    print(conf_text(import_part(f"--conf-file {target}", target, Part)), end="")
    return 0


def _find_parts(given: Arguments) -> None:
    """Make parts importable from the working directory, and from a folder of config groups and its parent."""
    from nnexp.config.error import ConfigError
    from nnexp.config.places import add_folder, add_module_folders

    add_module_folders([])
    folder = given.flags.get("--config-dir")
    if folder is None:
        return
    if not Path(folder).is_dir():
        raise ConfigError(f"--config-dir {folder}: there is no such folder")
    add_folder(Path(folder))


def _help(words: list[str]) -> int:
    from nnexp.cli import help as text

    if not words:
        print(text.general(), end="")
        return 0
    group, _, option = words[0].lstrip("+").partition("=")
    print(text.of_group(group, option), end="")
    return 0


def _hydra(given: Arguments) -> int:
    from nnexp.sweep.recording.process import recorder

    # Started first, because the imports below are slow.
    process = None if given.command else recorder()
    try:
        return _guarded(given, process)
    finally:
        if process is not None:
            process.close()


def _guarded(given: Arguments, process: Recorder | None) -> int:
    full = os.environ.get("HYDRA_FULL_ERROR")
    wants_traceback = bool(os.environ.get("NNEXP_TRACEBACK") or full)
    # With this, Hydra raises errors instead of printing them and ending the process.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from nnexp.cli.errors import Stop, one_line
    from nnexp.config.schema import ConfigError
    from nnexp.sweep.interrupts import Terminated
    from nnexp.tracking.locations import StoreError, StoreFull, SweepTaken, refusal

    def terminate(number: int, frame: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        return _command(given, process)
    except (HydraException, OmegaConfBaseException, ConfigError, StoreError, Stop) as error:
        if wants_traceback:
            raise
        if code := _interrupted(error):
            return code
        cause = error.__cause__ if isinstance(error, Stop) and error.__cause__ else error
        code = _refused(one_line(cause, given.settings, given.sweep))
        return 1 if isinstance(cause, SweepTaken | StoreFull) else code
    except OSError as error:
        if wants_traceback:
            raise
        where = error.filename or f"the disk of {Path.cwd() / RUNS}"
        _refused(f"{where}: cannot be written ({error.strerror or error})")
        return 1
    except Exception as error:
        if wants_traceback or not (said := refusal(error)):
            raise
        _refused(said)
        return 1
    except SystemExit as error:
        # Hydra has printed an error about one of its flags.
        return 2 if error.code else 0
    except Terminated:
        return 143
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]


def _command(given: Arguments, process: Recorder | None) -> int:
    from nnexp.config.schema import ConfigError
    from nnexp.sweep.compose import jobs
    from nnexp.sweep.compose.loader import command_hydra

    overrides, path = given.settings, jobs.search_path(given.flags.get("--config-dir", ""))
    main = given.flags.get("--config-name", jobs.MAIN)
    if given.command == "--dry-run":
        return _list(overrides, path, main, given.sweep)
    if given.command == "--end-stale":
        return _end_stale(path + overrides)
    if given.command:
        if given.sweep:
            raise ConfigError(
                f"{given.command}: cannot be used together with -m; --dry-run lists a sweep's jobs"
            )
        _print(given)
        return 0
    # Configs that are composed for the check are reused for the launch.
    with command_hydra() as hydra:
        return _train(given, process, hydra)


def _train(given: Arguments, process: Recorder | None, hydra: Hydra) -> int:
    from nnexp.cli.errors import Stop
    from nnexp.cli.terminal import console
    from nnexp.cli.view import TerminalView
    from nnexp.config.schema import ConfigError
    from nnexp.sweep.compose import jobs
    from nnexp.sweep.plugins import register
    from nnexp.sweep.recording.left import LeftDelivery
    from nnexp.sweep.supervisor import SweepWork
    from nnexp.sweep.work import Work
    from nnexp.tracking.locations import SweepTaken

    overrides, path = given.settings, jobs.search_path(given.flags.get("--config-dir", ""))
    main = given.flags.get("--config-name", jobs.MAIN)
    view = TerminalView(console(), "--runs" in given.flags)
    if given.sweep:
        plan = jobs.plan(overrides, path, main)
        first = jobs.check(plan.jobs)
        if first.resume is not None:
            raise ConfigError(
                f"resume={first.resume}: continues a single run, not a sweep; use sweep.resume with -m"
            )
        _check_store(first)
        if plan.repeated:
            view.say(_left_out(plan.repeated))
        swept = SweepWork(view, overrides, plan.most, process, given.kept())
        swept.checked = {tuple(job.overrides): job for job in plan.jobs}
        work: Work = swept
    else:
        first = jobs.single(overrides, path, main)
        _check_store(first)
        work = Work(view, overrides, None, process, given.kept())
    with closing(work):
        work.find_earlier(first)
        if isinstance(work, SweepWork):
            register(work)
        with LeftDelivery(first.tracking.uri, work.goes_on_with) as left:
            try:
                launch = hydra.multirun if given.sweep else hydra.run
                launch(main, _job(work), jobs.composed_from(overrides, path, given.sweep))
            except BaseException as error:
                if not isinstance(error.__cause__ if isinstance(error, Stop) else error, SweepTaken):
                    work.end("KILLED" if not isinstance(error, Exception) else "FAILED")
                raise
            work.end()
            if said := left.end():
                view.say(said)
        return 1 if work.failed else 0


def _check_store(config: Config) -> None:
    """Refuse an invalid store before anything is written, and before MLflow is imported, which takes a second."""
    from nnexp.tracking.locations import database, look, refuse_password, resolve
    from nnexp.tracking.servers import ask_health

    refuse_password(config.tracking.uri)
    uri = resolve(config.tracking.uri)
    if database(uri) is None:
        ask_health(uri)
    look(uri)


def _list(overrides: list[str], search_path: list[str], main: str, sweep: bool) -> int:
    from nnexp.sweep.compose import jobs

    lines, count, repeated = [" ".join(overrides)], 1, 0
    if sweep:
        plan = jobs.plan(overrides, search_path, main)
        jobs.check(plan.jobs)
        lines, count, repeated = plan.lines, plan.most, plan.repeated
    else:
        jobs.single(overrides, search_path, main)
    for number, line in enumerate(lines):
        print(f"{number:4}  {line or '(defaults)'}")
    if repeated:
        print(_left_out(repeated))
    print(f"{count} job{'s' if count != 1 else ''}, nothing trained")
    return 0


def _left_out(repeated: int) -> str:
    return f"{repeated} repeated job{'s are' if repeated != 1 else ' is'} left out"


def _end_stale(overrides: list[str]) -> int:
    """Mark RUNNING runs whose process has ended as KILLED."""
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


def _job(work: Work) -> Callable[[DictConfig], float]:
    """The function that Hydra calls with the config of each job that its launcher does not pass to ``work``."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from nnexp.cli.errors import Stop
    from nnexp.config.schema import ConfigError, from_mapping
    from nnexp.sweep.identity import code_hash
    from nnexp.sweep.trial import Trial, objective
    from nnexp.tracking.locations import StoreError

    def run(composed: DictConfig) -> float:
        hydra_config = HydraConfig.get()
        log = Path(hydra_config.runtime.output_dir) / f"{hydra_config.job.name}.log"
        number = 0 if OmegaConf.is_missing(hydra_config.job, "num") else hydra_config.job.num
        try:
            plain: Any = OmegaConf.to_container(composed, resolve=True)
            config = from_mapping(plain)
            trial = Trial(number, config, list(hydra_config.overrides.task), log, code_hash(config))
            place = log.parent if work.jobs is None else Path(hydra_config.sweep.dir)
            return objective(config, work.run(trial, place))
        except (ConfigError, StoreError) as error:
            raise Stop(str(error)) from error

    return run


def _print(given: Arguments) -> None:
    """Let Hydra handle one of its own flags, which print something."""
    import hydra

    from nnexp.config.places import conf
    from nnexp.sweep.plugins import register

    register()
    before = sys.argv
    sys.argv = [before[0], *given.for_hydra(given.settings)]
    try:
        hydra.main(str(conf()), "config", version_base="1.3")(lambda config: None)()
    finally:
        sys.argv = before


def _interrupted(error: BaseException | None) -> int:
    """The exit code of the signal that an error comes from, else 0.

    OmegaConf restores flags of objects that a signal left half made, and that fails with an error of its own.
    """
    from nnexp.sweep.interrupts import Terminated

    seen = set[int]()
    # An error that is raised again while its consequence is handled is among its own contexts.
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return 143 if isinstance(error, Terminated) else 130
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return 0


def _refused(line: str) -> int:
    print(f"nnexp: {conceal(' '.join(line.splitlines()))}", file=sys.stderr)
    return 2


def command() -> None:
    """The console script."""
    leave(main)


if __name__ == "__main__":
    command()
