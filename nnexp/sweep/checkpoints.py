"""Checkpoints of earlier starts: their folder, the jobs that continue from them, and messages about it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnexp.sweep.identity import run_key
from nnexp.sweep.longer import continue_longer
from nnexp.sweep.trial import Trial
from nnexp.tracking.claim import CHECKPOINTS
from nnexp.training.checkpoint import find

if TYPE_CHECKING:
    from nnexp.sweep.resume import Found

OTHER = "of other code or of another tracking.log_every"


def carry(job: Trial, claim: Found | None, store: Any, folder: Path) -> list[str]:
    """Copy the checkpoints of the runs that a run outside sweeps continues to its folder; return messages about it."""
    if claim is None:
        return []
    for place in (run.data.tags.get(CHECKPOINTS, "") for run in claim.before):
        if place and Path(place) != folder and Path(place).is_dir():
            _copy(Path(place), folder)
    key = run_key(job.config, job.code)
    states, said = find(folder)
    if key not in states and claim.shorter is not None:
        said += continue_longer(store, [claim.shorter], [job], folder)
        states |= find(folder)[0]
    saved = states.get(key)
    if saved is not None:
        said.append(f"the run continues from iteration {saved['iteration']:,}")
    elif claim.shorter is not None:
        other = (
            f": run {claim.shorter.info.run_id} was not recorded by this code with tracking.keep_state=true"
        )
        why = "" if said else other
        said.append(f"the run starts from the beginning{why}")
    else:
        said.append(
            f"the run starts from the beginning: there is no checkpoint{f' but one {OTHER}' if states else ''}"
        )
    return said


def notes(folder: Path, jobs: Sequence[Trial]) -> list[str]:
    """Messages: how many jobs of a resumed sweep continue from checkpoints, and which checkpoints cannot be used."""
    states, said = find(folder)
    configs, keys = {key.config for key in states}, [run_key(job.config, job.code) for job in jobs]
    going = sum(key in states for key in keys)
    others = sum(key not in states and key.config in configs for key in keys)
    if going:
        said.append(f"{going} run{'s continue' if going != 1 else ' continues'} from checkpoints")
    if others:
        said.append(
            f"{others} run{'s start' if others != 1 else ' starts'} from the beginning: the checkpoint "
            f"is {OTHER}"
        )
    return said


def move(earlier: str | None, folder: Path, parent: Any) -> None:
    """Move the checkpoints of an earlier start of a sweep to the folder of this one, and tag its parent run."""
    there = None if earlier is None or not Path(earlier).is_dir() else Path(earlier)
    if there is not None:
        _copy(there, folder)
    parent.record(tags={CHECKPOINTS: str(folder)})
    if there is not None and there != folder:
        shutil.rmtree(there, ignore_errors=True)


def _copy(place: Path, folder: Path) -> None:
    """Copy all checkpoints; each is whole whenever it is read, and if this process is killed meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in place.glob("*.npz"):
        part = folder / f"{file.stem}.part"
        shutil.copyfile(file, part)
        part.replace(folder / file.name)
