"""Checkpoints of earlier starts: where they are, which jobs go on from them, and what is to be said of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnexp.sweep.identity import run_key
from nnexp.sweep.longer import go_on_longer
from nnexp.sweep.trial import Trial
from nnexp.tracking.claim import CHECKPOINTS
from nnexp.training.checkpoint import FOLDER, find

if TYPE_CHECKING:
    from nnexp.sweep.resume import Found

OTHER = "of other code or of another tracking.log_every"


def where(job: Trial, claim: Found | None, store: Any) -> tuple[Path, Mapping[str, Any] | None, list[str]]:
    """The folder for the checkpoints of a job that is trained alone, where it goes on from, and what to say of it."""
    new = job.log.parent.absolute() / FOLDER
    if claim is None:
        return new, None, []
    places = [Path(place) for run in claim.before if (place := run.data.tags.get(CHECKPOINTS))]
    folder, key = (
        next((place for place in reversed(places) if place.is_dir()), new),
        run_key(job.config, job.code),
    )
    states, said = find(folder)
    if key not in states and claim.shorter is not None:
        said += go_on_longer(store, [claim.shorter], [job], folder)
        states |= find(folder)[0]
    saved = states.get(key)
    if saved is not None:
        said.append(f"the run goes on from iteration {saved['iteration']:,}")
    elif claim.shorter is not None:
        other = (
            f": run {claim.shorter.info.run_id} was not recorded by this code with tracking.keep_state=true"
        )
        why = "" if said else other
        said.append(f"the run begins anew{why}")
    else:
        said.append(f"the run begins anew, for there is no checkpoint{f' but one {OTHER}' if states else ''}")
    return folder, saved, said


def notes(folder: Path, jobs: Sequence[Trial]) -> list[str]:
    """How many jobs of a resumed sweep go on from checkpoints in a folder, and which of these are of no use."""
    states, said = find(folder)
    configs, keys = {key.config for key in states}, [run_key(job.config, job.code) for job in jobs]
    going = sum(key in states for key in keys)
    others = sum(key not in states and key.config in configs for key in keys)
    if going:
        said.append(f"{going} run{'s go' if going != 1 else ' goes'} on from checkpoints")
    if others:
        said.append(f"{others} run{'s begin' if others != 1 else ' begins'} anew: the checkpoint is {OTHER}")
    return said


def move(earlier: str | None, folder: Path, parent: Any) -> None:
    """Take the checkpoints that an earlier start of a sweep left to the folder of this one, and tag its parent so."""
    there = None if earlier is None or not Path(earlier).is_dir() else Path(earlier)
    if there is not None:
        shutil.copytree(there, folder, ignore=shutil.ignore_patterns("*.part"), dirs_exist_ok=True)
    parent.record(tags={CHECKPOINTS: str(folder)})
    if there is not None and there != folder:
        shutil.rmtree(there, ignore_errors=True)
