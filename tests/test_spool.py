"""What workers leave beside their sweep: a run in the journal is read as what it was, without pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.recording.recording import lost
from nnexp.sweep.recording.spool import Spool, journal_entry
from nnexp.sweep.trial import Trial
from nnexp.tracking import journal
from nnexp.tracking.environment import environment
from nnexp.tracking.journal import Entry
from nnexp.tracking.outcome import outcome
from nnexp.training import train


def ended(tmp_path: Path, *more: str) -> Entry:
    """A short run, with pictures and a model."""
    (config,) = compose([["optimizer=random", "budget.iterations=50", *more]])
    job = Trial(3, config, ["seed=0"], tmp_path / "3" / "run.log", "code")
    (run,) = train(config, config.tracking.log_every, config.tracking.snapshots)
    made = outcome(run, config, environment() | {"git": None}, 1, 2)
    return journal_entry(job, {"nnexp.sweep_id": "one"}, 1, made)


def test_an_entry_is_read_as_what_was_written(tmp_path: Path) -> None:
    entry = ended(tmp_path)
    spool = Spool(tmp_path / "spool")
    assert spool.keep(entry) == entry.made, "a machine without the folder sends the files along"
    spool.make()
    kept = spool.keep(entry)
    (folder,) = journal.entries(tmp_path)
    assert folder == tmp_path / "unrecorded" / "000003"
    found = journal.read(folder)
    assert found._replace(made=kept) == entry._replace(made=kept)
    plain = ("rows", "images", "example", "files", "folder")
    assert found.made._replace(**dict.fromkeys(plain)) == entry.made._replace(**dict.fromkeys(plain))
    assert entry.made.images
    assert entry.made.example is not None
    assert found.made.example is not None
    np.testing.assert_array_equal(found.made.example, entry.made.example)
    for name in entry.made.rows:
        np.testing.assert_array_equal(found.made.rows[name], entry.made.rows[name])
    for (step, image), (other, same) in zip(found.made.images, entry.made.images, strict=True):
        assert step == other
        np.testing.assert_array_equal(image, same)
    assert found.made.folder == kept.folder
    for name, content in entry.made.files.items():
        assert (Path(str(kept.folder)) / name).read_bytes() == content
    assert spool.keep(entry._replace(made=kept)) == kept
    assert list(spool.take()) == []


def test_a_later_try_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    entry = ended(tmp_path, "tracking=lean")
    spool = Spool(tmp_path / "spool")
    spool.make()
    spool.keep(entry._replace(made=lost(RuntimeError("gone"))))
    spool.keep(entry)
    (folder,) = journal.entries(tmp_path)
    assert journal.read(folder).made.status == "finished"
    assert journal.drop(spool.journal, [3]) == 0
    assert not spool.journal.exists()


@pytest.mark.parametrize("name", ["run.json", "arrays.npz", "files/history.parquet"])
def test_a_damaged_entry_is_named(tmp_path: Path, name: str) -> None:
    entry = ended(tmp_path)
    (tmp_path / "unrecorded").mkdir()
    journal.write(tmp_path / "unrecorded" / "000003", entry)
    file = tmp_path / "unrecorded" / "000003" / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="unrecorded/000003: damaged"):
        journal.read(tmp_path / "unrecorded" / "000003")
