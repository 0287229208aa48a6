"""Hydra's sweeper for grids and tuning: ``hydra/sweeper=grid``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from nnexp.config.schema import AUTO, ConfigError, Sweep, from_mapping
from nnexp.config.settings import build, load_part
from nnexp.losses.metrics import Metric
from nnexp.sweep.compose.composer import Composer
from nnexp.sweep.compose.grid import Expansion, expand
from nnexp.sweep.trial import direction
from nnexp.sweep.tuned import report
from nnexp.sweep.tuning import check_optuna, left_out, tune
from nnexp.tracking.locations import refuse_password
from nnexp.tracking.parent import DESIGN
from nnexp.tracking.recorder import RunResult

if TYPE_CHECKING:
    from nnexp.sweep.rounds import Rounds
    from nnexp.sweep.supervisor import SweepWork


@dataclass
class GridSweeperConf:
    """Settings of the sweeper, ``hydra.sweeper.*``: those of Hydra's basic one."""

    _target_: str = "nnexp.sweep.sweeper.GridSweeper"
    max_batch_size: int | None = None  # most jobs handed to the launcher at once
    params: dict[str, str] | None = None  # further axes


class GridSweeper(Sweeper):
    """Sweeps as Hydra's basic sweeper does, over ``sweep.grid`` too, and searches intervals with Optuna.

    The launcher composes the jobs.
    """

    work: ClassVar[SweepWork | None] = None
    """Trains and records the jobs; set by :func:`nnexp.sweep.plugins.register`."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None) -> None:
        super().__init__()
        self.max_batch_size = max_batch_size
        self.params = params or {}
        self.returns: list[Sequence[JobReturn]] = []
        self._begun = 0

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store Hydra's arguments, as for every sweeper, and set up the launcher."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch all jobs.

        Raises:
            HydraException, ConfigError: invalid axes; no job has started.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        settings, expanded = expansion(self.config, self.hydra_context.config_loader, arguments)
        refuse_password(OmegaConf.select(self.config, "tracking.uri"))
        place = Path(str(self.config.hydra.sweep.dir))
        rounds = self._rounds(expanded.jobs, place) if settings.until is not None else None
        place.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, place / "multirun.yaml")
        if rounds is not None:
            self._until_decided(rounds)
            return self.returns
        self._launch_all(expanded.jobs)
        if expanded.studies:
            made = tune(expanded.studies, settings, self._launch)
            found = place.absolute() / "tuned"
            lines = report(made, found, arguments, *self._judged_by(settings.measure))
            if self.work is None:
                print("\n".join(lines))
            elif self.work.jobs is not None:
                self.work.closing += lines
                # Pruned jobs are not missing.
                self.work.jobs -= left_out(made)
                self.work.attach(found)
        return self.returns

    def _rounds(self, jobs: list[list[str]], place: Path) -> Rounds:
        """The rounds of a sweep that chooses its seeds, with the earlier looks of its design.

        Raises:
            ConfigError: jobs that cannot be compared in this way, or a design that was changed after a look.
        """
        from nnexp.stats.design import DesignRecord
        from nnexp.sweep import design
        from nnexp.sweep.resume import text_of
        from nnexp.sweep.rounds import Rounds

        assert self.config is not None
        assert self.hydra_context is not None
        work = self.work
        if work is None or work.jobs is None:
            raise ConfigError(f"{design.UNTIL}: can only be used with python -m nnexp.run -m")
        composed = Composer(self.hydra_context.config_loader, self.config).jobs(jobs)
        configs = [from_mapping(job.task) for job in composed]
        cells = design.cells(configs)
        text = None if work.chosen is None else text_of(work.store(configs[0]), work.chosen, DESIGN)
        before = None if text is None else DesignRecord.read(text)
        keep = configs[0].sweep.stale_code == "keep"
        record = design.continued(before, design.make_design(configs, cells), keep)

        def save(now: DesignRecord) -> None:
            folder = place.absolute() / "design"
            folder.mkdir(exist_ok=True)
            (folder / DESIGN).write_text(now.text(), encoding="utf-8")
            work.attach(folder)

        without_seed = [[text for text in job if not text.startswith("seed=")] for job in jobs]
        return Rounds(record, dict(zip(cells, without_seed, strict=True)), save, work.view.say)

    def _until_decided(self, rounds: Rounds) -> None:
        """Launch rounds of seeds until methods are distinguished."""
        from nnexp.stats.sequential_verdict import sequential_verdict

        work = self.work
        assert work is not None

        def launch(jobs: list[list[str]]) -> list[RunResult | None]:
            first = self._begun
            self._launch_all(jobs)
            return [work.results.get(first + at) for at in range(len(jobs))]

        work.verdict = "Not decided: no look was taken."
        try:
            if rounds.run(launch):
                # Unused seeds are not missing.
                work.jobs = rounds.launched
        finally:
            if rounds.record.looks:
                work.verdict = sequential_verdict(rounds.record).headline

    def _launch_all(self, jobs: list[list[str]]) -> None:
        """Run jobs in batches of the requested size."""
        size = self.max_batch_size or max(len(jobs), 1)
        for first in range(0, len(jobs), size):
            self._launch(jobs[first : first + size])

    def _judged_by(self, measure: str) -> tuple[str, float]:
        """The measure by which trials are compared, and the sign of its values."""
        if measure == AUTO:
            return "loss", 1.0
        assert self.config is not None
        chosen: Any = OmegaConf.to_container(OmegaConf.select(self.config, "metrics"), resolve=True)
        return measure, direction(measure, [load_part("metrics", one, Metric) for one in chosen])

    def _launch(self, jobs: list[list[str]]) -> list[float]:
        """Run jobs and return their objectives."""
        assert self.launcher is not None
        returned = self.launcher.launch(jobs, initial_job_idx=self._begun)
        self._begun += len(jobs)
        self.returns.append(returned)
        # Reading a value raises the error of a failed job.
        values = [one.return_value for one in returned]
        return [float(value) if isinstance(value, int | float) else math.inf for value in values]


def expansion(config: DictConfig, loader: Any, arguments: Sequence[str]) -> tuple[Sweep, Expansion]:
    """The settings and the jobs of the sweep that ``config`` was composed for.

    Raises:
        HydraException, ConfigError: invalid axes.
    """
    size = OmegaConf.select(config, "hydra.sweeper.max_batch_size")
    if size is not None and size < 1:
        raise ConfigError(f"hydra.sweeper.max_batch_size={size}: expected an integer 1 or more, or null")
    params: Any = OmegaConf.select(config, "hydra.sweeper.params") or {}
    given: Any = OmegaConf.select(config, "sweep")
    values: Any = {} if given is None else OmegaConf.to_container(given, resolve=True)
    settings: Sweep = build(Sweep, values, "sweep.")
    axes = [*(f"{key}={value}" for key, value in params.items()), *arguments]
    expanded = expand(axes, settings.grid, loader, settings.trials is not None)
    if expanded.studies:
        check_optuna(settings)
    elif settings.trials is not None:
        raise ConfigError(
            f"sweep.trials={settings.trials}: expected an axis to search, such as "
            f"optimizer.learning_rate=interval(0.01,1)"
        )
    return settings, expanded
