"""Hydra's plugins of this package: ``hydra/launcher=batched`` and ``hydra/sweeper=grid``.

Hydra instantiates only plugins whose module is below ``hydra_plugins``, a namespace that all installed plugins share.
Registering gives a class a name there without a file.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

if TYPE_CHECKING:
    from nnexp.sweep.supervisor import SweepWork


def register(work: SweepWork | None = None) -> None:
    """Register the launcher and the sweeper with Hydra, and the object that trains their jobs. It can be repeated."""
    # Hydra's scan reloads the modules of its plugins, so subclasses must be created after it.
    Plugins.instance()
    from nnexp.sweep.launcher import BatchedLauncher, BatchedLauncherConf
    from nnexp.sweep.sweeper import GridSweeper, GridSweeperConf

    BatchedLauncher.work = GridSweeper.work = work
    register_as("launcher", "batched", BatchedLauncher, BatchedLauncherConf)
    register_as("sweeper", "grid", GridSweeper, GridSweeperConf)


def register_as(kind: str, name: str, plugin: type[Plugin], settings: Any) -> None:
    """Register ``hydra/KIND=NAME``.

    Args:
        settings: dataclass of the constructor's arguments and ``_target_``.
    """
    module = f"hydra_plugins.nnexp_{name}"
    if plugin.__module__ != module:
        shared = sys.modules.get("hydra_plugins")
        if shared is None:
            shared = sys.modules["hydra_plugins"] = ModuleType("hydra_plugins")
            shared.__path__ = []
        sys.modules[module] = sys.modules[plugin.__module__]
        setattr(shared, f"nnexp_{name}", sys.modules[module])
        plugin.__module__ = module
    Plugins.instance().register(plugin)
    node = settings(_target_=f"{module}.{plugin.__name__}")
    ConfigStore.instance().store(group=f"hydra/{kind}", name=name, node=node, provider="nnexp")
