"""Registration of the package's own launcher and sweeper with Hydra, without a ``hydra_plugins`` folder."""

from __future__ import annotations

import importlib
import sys
import types


def register() -> None:
    """Make ``hydra/launcher=batched`` known."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    plugins = Plugins.instance()
    from nnexp.sweep import launcher

    kind = launcher.BatchedLauncher
    kind.__module__ = "hydra_plugins.nnexp_launcher"
    try:
        parent = importlib.import_module("hydra_plugins")
    except ImportError:
        parent = sys.modules["hydra_plugins"] = types.ModuleType("hydra_plugins")
        parent.__path__ = []
    parent.nnexp_launcher = sys.modules["hydra_plugins.nnexp_launcher"] = launcher
    plugins.register(kind)
    ConfigStore.instance().store(
        group="hydra/launcher",
        name="batched",
        node=launcher.BatchedLauncherConf(_target_="hydra_plugins.nnexp_launcher.BatchedLauncher"),
        provider="nnexp",
    )
