"""The experiments whose files state a result: one sweep of five seeds, stated beside measured.

``python tests/benchmarks/presets.py [FOLDER]``; the runs are recorded in ``FOLDER/runs``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from nnexp.config.places import conf
from nnexp.results import load_runs

STATED = re.compile(r"# Mean (.+) of seeds 0 to 4: ([\d.e-]+)\. A run takes ([\d.]+) seconds of one core\.")
COLUMNS = {
    "test accuracy": "test_accuracy",
    "held-out accuracy": "val_accuracy",
    "test loss": "test_loss",
}


def stated() -> dict[str, tuple[str, float, float]]:
    """What each experiment's file says: the measure, its mean, and seconds of a run."""
    found = {}
    for file in sorted((conf() / "experiment").glob("*.yaml")):
        if match := STATED.search(file.read_text(encoding="utf-8")):
            found[file.stem] = (match[1], float(match[2]), float(match[3]))
    return found


def main() -> None:
    """Sweep, and print the table."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="nnexp-"))
    place.mkdir(parents=True, exist_ok=True)
    names = stated()
    subprocess.run(
        [sys.executable, "-m", "nnexp.run", "-m", f"+experiment={','.join(names)}", "seed=range(0,5)",
         "tracking=lean", "tracking.experiment=presets"],
        cwd=place, check=True, stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    runs = load_runs(f"sqlite:///{place.absolute()}/runs/mlflow.db", experiment="presets", sweep="latest")
    of = runs["name"].str.extract(r"\+experiment=(\w+)", expand=False)
    print(f"{'experiment':14} {'measure':18} {'stated':>8} {'measured':>8} {'seconds':>8}")
    for name, (measure, value, _) in names.items():
        own = runs[of == name]
        assert len(own) == 5, name
        measured, seconds = own[COLUMNS[measure]].mean(), own["seconds"].mean()
        print(f"{name:14} {measure:18} {value:8.3g} {measured:8.3g} {seconds:8.2f}")
    print(f"runs are in {place}/runs")


if __name__ == "__main__":
    main()
