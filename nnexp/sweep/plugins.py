"""Hydra's plugins of this package: ``hydra/launcher=batched`` and ``hydra/sweeper=grid``.

Hydra instantiates only plugins whose module is below ``hydra_plugins``, a namespace that all installed plugins share.
Registering gives a class a name there without putting a file into it.
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
    """Make the launcher and the sweeper known to Hydra, and what works on their jobs. Repeating does no harm."""
    # Hydra's scan loads its own plugins' modules again; classes made of them before would be strangers.
    Plugins.instance()
    from nnexp.sweep.launcher import BatchedLauncher, BatchedLauncherConf
    from nnexp.sweep.sweeper import GridSweeper, GridSweeperConf

    BatchedLauncher.work = GridSweeper.work = work
    register_as("launcher", "batched", BatchedLauncher, BatchedLauncherConf)
    register_as("sweeper", "grid", GridSweeper, GridSweeperConf)


def register_as(kind: str, name: str, plugin: type[Plugin], settings: Any) -> None:
    """Make ``hydra/KIND=NAME`` known.

    Args:
        settings: dataclass of what the plugin's constructor takes, and ``_target_``.
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
