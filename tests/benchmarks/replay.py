"""One run or more of every method and preset recorded and replayed: a table of how many are equal bit for bit.

``python tests/benchmarks/replay.py [FOLDER [KIND ...]]``; the runs are recorded in ``FOLDER/runs``. Sweeps are trained
in groups on all cores; some of their runs one after another, some killed with SIGKILL and gone on with. Exit code 1
where a run differs.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from data_files import images, table

from nnexp.config.places import options

SMALL = ("architecture.hidden=[8]", "budget.iterations=100", "tracking=lean", "tracking.experiment=replay")
NUMBERS = ("architecture.output=linear", *SMALL)
ALONE = "hydra/launcher=basic"


def every(group: str, *but: str) -> str:
    """An axis over all options of a group."""
    return f"{group}={','.join(name for name in options(group.replace('.', '/')) if name not in but)}"


def sweeps(place: Path) -> dict[str, tuple[str, ...]]:
    """Each kind of runs with the overrides of its sweep."""
    rows = [f"dataset.{name}={value}".replace("'", "") for name, value in table(place).items()]
    pictures = [f"dataset.{name}={value}" for name, value in images(place).items()]
    both = ("optimizer=adam,perturb", "optimizer.learning_rate=0.01")[:1]
    return {
        "every method": (every("optimizer"), "seed=0,1", *SMALL),
        "every method, alone": (every("optimizer"), ALONE, *SMALL),
        "mini-batches": ("optimizer=sgd,adam,lion,sam,nadam", "optimizer.batch_size=32", "seed=0,1", *SMALL),
        "every schedule": (every("optimizer/schedule", "chain", "sequence"), "optimizer=adam", *SMALL),
        "losses of classes": ("loss=cross_entropy", "loss.label_smoothing=0,0.1", *both, *SMALL),
        "losses of two": ("loss=binary_cross_entropy", "dataset=moons", "architecture.output=sigmoid", *both, *SMALL),
        "losses of numbers": (every("loss", "cross_entropy", "binary_cross_entropy"), "dataset=sine", *both, *NUMBERS),
        "datasets": (every("dataset", *OTHERS), *both, *SMALL),
        "datasets of numbers": ("dataset=sine,diabetes", "loss=squared_error", *both, *NUMBERS),
        "table": ("dataset=table", *both, *rows, *SMALL),
        "images of files": ("dataset=mnist", "seed=0,1", *both, *pictures, *SMALL),
        "architectures": (every("architecture", "cnn", "layers", "single_layer"), *both, *SMALL[1:]),
        "activations": (every("architecture.activation", "softmax"), *both, *SMALL),
        "initializers": (every("architecture.init"), *both, *SMALL),
        "convolutions": ("architecture=cnn", "dataset=digits", "seed=0,1", *SMALL[1:]),
        "layers": ("+experiment=digits_cnn", "seed=0,1", *SMALL[1:]),
        "notebook": ("+experiment=notebook", "optimizer=random,perturb", "tracking.experiment=replay"),
        "notebook's layer": ("+experiment=notebook_layer,notebook_neuron", "tracking.experiment=replay"),
        "float64": ("dtype=float64", "optimizer=sgd,cma_es,lbfgs", "seed=0,1", *SMALL),
        "seconds": ("budget.seconds=0.5", "budget.iterations=null", "optimizer=sgd,perturb,es", *SMALL[:1], *SMALL[2:]),
        "target, patience": ("budget.target=null,1.05", "budget.patience=50", *both, *SMALL),
        "diverging": ("optimizer=sgd", "optimizer.learning_rate=0.1,1e9", "seed=0,1", *SMALL),
    }  # fmt: skip


OTHERS = ("sine", "diabetes", "points", "table", "mnist", "fashion_mnist")

LONG = ("optimizer=sgd,adam,perturb", "seed=0,1", "budget.iterations=30000", "tracking.checkpoint_seconds=0.2",
        "hydra.launcher.group=2", *SMALL[:1], *SMALL[2:])  # fmt: skip


def command(place: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=place, env=ENVIRONMENT, capture_output=True, text=True
    )  # fmt: skip


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def killed_and_resumed(place: Path) -> None:
    """A sweep that is killed three times, each time after two seconds of training, and gone on with."""
    more: tuple[str, ...] = ()
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "nnexp.run", "-m", *LONG, *more],
            cwd=place, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        # At random moments of its life; where it had no time to begin the next start begins it.
        time.sleep(6)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        more = ("sweep.resume=auto",)
    done = command(place, "nnexp.run", "-m", *LONG, "sweep.resume=auto")
    assert done.returncode == 0, done.stdout + done.stderr


def continued(place: Path) -> None:
    """A sweep of a longer budget that goes on where a shorter one ended."""
    sweep = ("optimizer=sgd,adam,lbfgs,annealing,perturb,es", "seed=0,1", *SMALL, "tracking.keep_state=true")
    for more in ((), ("budget.iterations=300", "sweep.resume=latest")):
        done = command(place, "nnexp.run", "-m", *sweep, *more)
        assert done.returncode == 0, done.stdout + done.stderr


OTHER_WAYS = {"killed and resumed": killed_and_resumed, "continued": continued}


def main() -> int:
    """Record, replay, and print the table."""
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="nnexp-")).absolute()
    place.mkdir(parents=True, exist_ok=True)
    print(f"{'runs':24} {'equal':>7} {'numbers':>10} {'different':>10} {'not replayed':>13}", flush=True)
    total = [0, 0, 0, 0]
    for name, overrides in (OTHER_WAYS | sweeps(place)).items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        if callable(overrides):
            overrides(place)
        else:
            done = command(place, "nnexp.run", "-m", *overrides)
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr}")
        again = command(place, "nnexp.replay", "latest", "--experiment", "replay")
        lines = [line for line in again.stdout.splitlines() if re.match(r" *\d+  [0-9a-f]{32} ", line)]
        equal = [line for line in lines if "equal, bit for bit (" in line]
        different = [line for line in lines if " different: " in line]
        numbers = sum(int(re.search(r"\(([\d,]+) numbers", line)[1].replace(",", "")) for line in equal)
        counts = [len(equal), numbers, len(different), len(lines) - len(equal) - len(different)]
        print("{:24} {:7,} {:10,} {:10,} {:13,}".format(name, *counts), flush=True)
        for line in [line for line in lines if line not in equal] or again.stderr.splitlines()[-1:]:
            print(f"  {line}", flush=True)
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
    print("{:24} {:7,} {:10,} {:10,} {:13,}".format("all", *total))
    return 1 if total[2] or total[3] else 0


if __name__ == "__main__":
    sys.exit(main())
