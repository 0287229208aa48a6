"""A whole sweep and its verdict: five methods, three datasets, 20 seeds, 2,000 iterations.

    python tests/benchmarks/verdict.py FOLDER [--tune]

Runs are recorded in FOLDER/runs, once: what is there is read again. With ``--tune`` each method has three settings, of
which ten more seeds choose one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pandas as pd

from nnexp.results import load_history, load_runs
from nnexp.stats import judge, select_best

ROOT = Path(__file__).resolve().parents[2]
TASKS = {"dataset": "spiral,vertical,spiral", "dataset.classes": "3,3,5"}
METHODS: list[dict[str, object]] = [
    {"optimizer": "random"},
    {"optimizer": "perturb"},
    {"optimizer": "sgd"},
    {"optimizer": "sgd", "optimizer.batch_size": 32},
    {"optimizer": "sgd", "optimizer.momentum": 0.9},
]
TUNED: dict[object, dict[str, object]] = {
    "random": {"optimizer.scale": "0.05,0.5,1.5"},
    "perturb": {"optimizer.scale": "0.02,0.05,0.2"},
    "sgd": {"optimizer.learning_rate": "0.1,0.5,1.0"},
}
APART = ["optimizer.momentum", "optimizer.batch_size"]
COMPARED, CHOOSING = 20, 10


def sweep(folder: Path, experiment: str, tune: bool) -> None:
    """Record one multirun, whose grid has the tasks side by side and each variant's own settings."""
    blocks = [method | (TUNED[method["optimizer"]] if tune else {}) | {"zip": TASKS} for method in METHODS]
    grid = folder / "conf" / "sweep" / f"{experiment}.yaml"
    grid.parent.mkdir(parents=True, exist_ok=True)
    grid.write_text(json.dumps({"defaults": ["default", "_self_"], "grid": blocks}))
    command = [
        sys.executable,
        "-m",
        "nnexp.run",
        "-m",
        "--config-dir",
        str(folder / "conf"),
        f"sweep={experiment}",
    ]
    command += [f"seed=range(0,{COMPARED + CHOOSING * tune})", "budget.iterations=2000", "architecture=wide"]
    command += ["tracking=lean", f"tracking.experiment={experiment}"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {name: text for name, text in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    subprocess.run(
        command, cwd=folder, env=environment | {"PYTHONPATH": path}, check=True, stdout=subprocess.DEVNULL
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tune", action="store_true")
    given = parser.parse_args()
    folder = given.folder.resolve()
    done = folder / ("five_methods_tuned" if given.tune else "five_methods")
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        start = perf_counter()
        sweep(folder, done.name, given.tune)
        done.write_text(f"{perf_counter() - start:.0f} s\n")
    start = perf_counter()
    runs = load_runs(f"sqlite:///{folder / 'runs' / 'mlflow.db'}", done.name)
    history = load_history(runs)
    read = perf_counter() - start
    if given.tune:
        chosen = select_best(runs, seeds=range(COMPARED, COMPARED + CHOOSING), apart=APART)
        print(chosen.costs.to_string(index=False), *chosen.warnings, "", sep="\n")
        runs = chosen.runs
    start = perf_counter()
    found = judge(runs, history)
    judged = perf_counter() - start
    with pd.option_context(
        "display.width", 200, "display.max_columns", 30, "display.float_format", "{:.4g}".format
    ):
        for name in ("summary", "overall", "time_to_target"):
            print(f"{name}, at equal iterations", getattr(found.comparisons["iteration"], name), "", sep="\n")
    print(found.text)
    print(
        f"\n{len(runs)} runs swept in {done.read_text().strip()}, read in {read:.1f} s, judged in {judged:.1f} s"
    )


if __name__ == "__main__":
    main()
