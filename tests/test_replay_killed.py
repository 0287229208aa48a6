"""What SIGKILL leaves of a run is replayed with equal bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recorded import group, settings

from nnexp.replay.__main__ import main
from nnexp.tracking.environment import environment
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.outcome import files_so_far
from nnexp.tracking.plain import flatten

METHODS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer__batch_size": 16, "optimizer__schedule": "cosine"},
    "sgd": {"budget__patience": 10**8, "dtype": "float64"},
    "perturb": {},
    "sep_cma_es": {"budget__iterations": None, "budget__evaluations": 10**9},
}


def test_the_files_of_a_checkpoint_have_equal_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    store, ids = Store.open(uri, "nnexp"), []
    for optimizer, changes in METHODS.items():
        config = settings(optimizer, **{"budget__iterations": 10**9, **changes})
        alone = group(config)
        (trained,) = alone.runs
        # Until it is between two rows.
        next(None for _ in alone.train(0.0) if trained.iterations > max(trained.last_iteration, 50))
        tags = {"nnexp.kind": "run", "nnexp.status": "killed"}
        run = store.start("", flatten(config), tags, None, 1)
        run.log_files(files_so_far(trained, config, environment()))
        run.finish("KILLED")
        ids.append(run.run_id)
        assert trained.history.iteration[-1] < trained.iterations, (
            "training continues as if nothing had happened"
        )
    code, out = main([*ids, "--uri", uri]), capsys.readouterr().out
    assert (code, out.count("killed, equal, bit for bit (")) == (0, len(ids)), out
