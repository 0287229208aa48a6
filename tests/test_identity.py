"""What makes two runs the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from nnexp.config import Config, Generated, Random, Sweep, Tracking
from nnexp.sweep.identity import CODE, code_hash, config_hash, sweep_key

NO_NUMBERS = {"nnexp", "config", "settings"}
"""Rooms that training loads and that have no part in its numbers beyond the config, which is hashed itself."""


def test_all_code_that_training_loads_is_hashed():
    code = "import sys, nnexp.group; print(*{n.split('.')[1] for n in sys.modules if n.startswith('nnexp.')})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(loaded.stdout.split()) - NO_NUMBERS == set(CODE)


def test_a_sweep_is_its_overrides_its_grid_and_its_search():
    one = sweep_key(["seed=0,1", "optimizer=sgd"], Sweep())
    assert one == sweep_key(
        ["optimizer=sgd", "seed=0", "seed=0,1", "hydra.sweep.dir=x"], Sweep(retries=2, at_once=2)
    )
    others = [
        sweep_key(["seed=0", "1 optimizer=sgd"], Sweep()),
        sweep_key(["seed=0,1 optimizer=sgd"], Sweep()),
        sweep_key(["seed=0,1"], Sweep()),
        sweep_key(["seed=0,1", "optimizer=sgd"], Sweep(grid=[{"optimizer": "sgd"}])),
        sweep_key(["seed=0,1", "optimizer=sgd"], Sweep(trials=3)),
        sweep_key(["seed=0,1", "optimizer=sgd"], Sweep(trials=3, at_once=2)),
    ]
    assert len({one, *others}) == 7


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
