"""Jobs as Hydra's own launcher makes them: what composing is measured against."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from nnexp.cli.errors import one_line
from nnexp.config.places import conf
from nnexp.sweep.plugins import register

FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")


@contextmanager
def hydra_sweep(*of_hydra: str) -> Iterator[tuple[Any, DictConfig]]:
    """Hydra's config loader and the config of a whole sweep, with overrides of Hydra's own settings."""
    register()
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf()), version_base="1.3", job_name="run"):
            loader = GlobalHydra.instance().config_loader()
            yield loader, loader.load_configuration("config", list(of_hydra), RunMode.MULTIRUN)
    finally:
        Singleton.set_state(before)


def hydra_by_launcher(
    loader: Any,
    sweep: DictConfig,
    overrides: Sequence[str],
    number: int = 0,
    task: Callable[[DictConfig], None] = OmegaConf.to_container,
) -> JobReturn:
    """One job as Hydra's basic launcher runs it."""
    config = loader.load_sweep_config(sweep, list(overrides))
    with open_dict(config):
        config.hydra.job.id = number
        config.hydra.job.num = number
    context = HydraContext(loader, Callbacks(sweep))
    return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context, False)


def by_hydra(loader: Any, sweep: DictConfig, overrides: Sequence[str], number: int) -> dict[str, Any]:
    """What Hydra's basic launcher makes of a job: its config, folder and files, or the line of its error."""
    made: dict[str, Any] = {}

    def task(config: DictConfig) -> None:
        made["task"] = OmegaConf.to_container(config, resolve=True)

    try:
        config = loader.load_sweep_config(sweep, list(overrides))
        with open_dict(config):
            config.hydra.job.id = number
            config.hydra.job.num = number
        done: JobReturn = run_job(
            task,
            config,
            "hydra.sweep.dir",
            "hydra.sweep.subdir",
            HydraContext(loader, Callbacks(sweep)),
            False,
        )
    except Exception as error:
        return {"error": one_line(error, list(overrides))}
    finally:
        # run_job forgets to, where a folder cannot be resolved.
        HydraConfig.instance().cfg = None
    assert done.hydra_cfg is not None
    made["output_dir"] = done.hydra_cfg.hydra.runtime.output_dir
    made["files"] = take(Path(made["output_dir"]))
    if done.status is JobStatus.FAILED:
        return {"error": one_line(done._return_value, list(overrides))}
    return made | {"task_config": done.cfg, "hydra_config": done.hydra_cfg}


def by_job(job: Any) -> dict[str, Any]:
    """The same of a job of a Composer's."""
    if job.error is not None:
        return {"error": one_line(job.error, job.overrides)}
    job.write()
    made = {"task": job.task, "output_dir": str(job.output_dir), "files": take(job.output_dir)}
    return made | {"task_config": job.task_config(), "hydra_config": job.hydra_config()}


def take(folder: Path) -> dict[str, Any]:
    """The values in the files of a job's folder, which is removed."""
    found = {
        path.name: yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for path in folder.rglob("*.yaml")
    }
    shutil.rmtree(folder)
    return found
