"""What makes two runs the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from nnexp.config.schema import Config, Sweep, Tracking
from nnexp.data import Spiral
from nnexp.optim import RandomSearch
from nnexp.sweep.identity import CODE, code_hash, config_hash, sweep_key

PACKAGE = Path(__file__).resolve().parents[1] / "nnexp"

LOADED = """
import sys, nnexp
from nnexp.config.schema import Config, from_mapping
from nnexp.config.settings import plain
from nnexp.training import Budget, train
for optimizer in ("random", "perturb", "sgd"):
    for streams in ("independent", "notebook"):
        values = {"optimizer": optimizer, "streams": streams, "budget": {"iterations": 2}}
        train(from_mapping(plain(from_mapping(values))))
print(*(module.__file__ for name, module in list(sys.modules.items()) if name.partition(".")[0] == "nnexp"))
"""


def hashed():
    """The files of the rooms that are hashed, by their place in the package."""
    for name in CODE:
        place = PACKAGE / name
        yield from sorted(place.rglob("*.py")) if place.is_dir() else [place]


def test_all_code_that_training_loads_is_hashed():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = {Path(file).resolve() for file in done.stdout.split()}
    # The package's own file holds its version, which is recorded beside the hash.
    assert loaded - {PACKAGE / "__init__.py"} <= set(hashed())


def test_every_hashed_room_is_loaded_by_training():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    rooms = {Path(file).resolve().relative_to(PACKAGE).parts[0] for file in done.stdout.split()}
    assert rooms - {"__init__.py"} == set(CODE)


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
        replace(one, optimizer=RandomSearch()),
        replace(one, dataset=Spiral(samples=21)),
    ]
    assert len({config_hash(config) for config in (one, *others)}) == 4
    assert len(code_hash(one)) == 16
