"""What makes two runs the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from nnexp.config.schema import Config, Generated, Random, Sweep, Tracking
from nnexp.sweep.identity import CODE, code_hash, config_hash

NO_NUMBERS = {"nnexp", "config", "settings"}
"""Rooms that training loads and that have no part in its numbers beyond the config, which is hashed itself."""


def test_all_code_that_training_loads_is_hashed():
    code = "import sys, nnexp.training.group; print(*{n.split('.')[1] for n in sys.modules if n.startswith('nnexp.')})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(loaded.stdout.split()) - NO_NUMBERS == set(CODE)


def test_hashes_tell_configs_apart_and_leave_out_how_runs_are_tracked():
    one = Config()
    assert config_hash(one) == config_hash(
        replace(one, tracking=Tracking(snapshots=9), sweep=Sweep(retries=2))
    )
    others = [
        replace(one, seed=1),
        replace(one, optimizer=Random()),
        replace(one, dataset=Generated(samples=21)),
    ]
    assert len({config_hash(config) for config in (one, *others)}) == 4
    assert len(code_hash()) == 16
