"""Hydra's sweeper that knows grids: ``hydra/sweeper=grid``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from nnexp.config import ConfigError
from nnexp.sweep.grid import Expansion, expand


@dataclass
class GridSweeperConf:
    """Settings of the sweeper, ``hydra.sweeper.*``: those of Hydra's basic one."""

    _target_: str = "nnexp.sweep.sweeper.GridSweeper"
    max_batch_size: int | None = None  # most jobs handed to the launcher at once
    params: dict[str, str] | None = None  # further axes


class GridSweeper(Sweeper):
    """Sweeps as Hydra's basic sweeper does, and over ``sweep.grid``; leaves composing to the launcher alone."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None) -> None:
        super().__init__()
        self.max_batch_size = max_batch_size
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives every sweeper, and set up the launcher."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch all jobs.

        Raises:
            HydraException, ConfigError: axes that cannot be; then none has begun.
        """
        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        jobs = expansion(self.config, self.hydra_context.config_loader, arguments).jobs
        place = Path(str(self.config.hydra.sweep.dir))
        place.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, place / "multirun.yaml")
        size = self.max_batch_size or max(len(jobs), 1)
        returns: list[Sequence[JobReturn]] = []
        for first in range(0, len(jobs), size):
            returns.append(self.launcher.launch(jobs[first : first + size], initial_job_idx=first))
            for returned in returns[-1]:
                # Reading it raises what ended the job.
                _ = returned.return_value
        return returns


def expansion(config: DictConfig, loader: Any, arguments: Sequence[str]) -> Expansion:
    """The jobs of the sweep that ``config`` was composed for.

    Raises:
        HydraException, ConfigError: axes that cannot be.
    """
    size = OmegaConf.select(config, "hydra.sweeper.max_batch_size")
    if size is not None and size < 1:
        raise ConfigError(f"hydra.sweeper.max_batch_size={size}: expected 1 or more or null")
    params: Any = OmegaConf.select(config, "hydra.sweeper.params") or {}
    blocks: Any = OmegaConf.select(config, "sweep.grid")
    if blocks is not None:
        blocks = OmegaConf.to_container(blocks, resolve=True) if OmegaConf.is_config(blocks) else blocks
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise ConfigError(
                f"sweep.grid={blocks}: expected a list of blocks, each axes with their values, or null"
            )
    return expand([*(f"{key}={value}" for key, value in params.items()), *arguments], blocks, loader)
