"""A run's file: read as what was written, without pickle; what is cut short or damaged is left out and named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.recording.recording import lost
from nnexp.sweep.recording.spool import Spool, journal_entry
from nnexp.sweep.trial import Trial
from nnexp.tracking import journal
from nnexp.tracking.environment import environment
from nnexp.tracking.files import about_rows, history_table, rows_of
from nnexp.tracking.journal import ENTRY, Entry
from nnexp.tracking.outcome import outcome
from nnexp.training import History, train

TAGS = {"nnexp.sweep_id": "one", ENTRY: "token"}


def trial(tmp_path: Path, *more: str) -> Trial:
    (config,) = compose([["optimizer=random", "budget.iterations=50", *more]])
    return Trial(3, config, ["seed=0"], tmp_path / "3" / "run.log", "code")


def ended(job: Trial) -> Entry:
    """A short run, with pictures and a model where its config asks for them."""
    (run,) = train(job.config, job.config.tracking.log_every, job.config.tracking.snapshots)
    return journal_entry(job, TAGS, 1, outcome(run, job.config, environment() | {"git": None}, 1, 2))


def plain(entry: Entry) -> Entry:
    made = entry.made._replace(**dict.fromkeys(("rows", "images", "example")))  # type: ignore[arg-type]
    return entry._replace(made=made)


def test_a_run_is_read_as_what_was_written(tmp_path: Path) -> None:
    entry, spool = ended(trial(tmp_path)), Spool(tmp_path / "spool")
    assert spool.keep(entry) == entry.made, "a machine without the folder sends the files along"
    spool.make()
    kept = spool.keep(entry)
    (file,) = journal.entries(tmp_path)
    assert file == tmp_path / "journal" / "000003.run"
    assert kept.kept == str(file)
    assert not kept.files
    found = journal.read(file)
    assert plain(found) == plain(entry)
    for name in entry.made.rows:
        np.testing.assert_array_equal(found.made.rows[name], entry.made.rows[name])
        np.testing.assert_array_equal(kept.rows[name], entry.made.rows[name][-1:])
    assert entry.made.images
    for (step, image), (other, same) in zip(found.made.images, entry.made.images, strict=True):
        assert step == other
        np.testing.assert_array_equal(image, same)
    np.testing.assert_array_equal(found.made.example, entry.made.example)  # type: ignore[arg-type]


def test_a_later_try_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    job, spool = trial(tmp_path, "tracking=lean"), Spool(tmp_path / "spool")
    entry = ended(job)
    spool.make()
    spool.keep(entry._replace(made=lost(RuntimeError("gone"))))
    spool.keep(entry)
    (file,) = journal.entries(tmp_path)
    assert journal.read(file).made.status == "finished"


def going_on(tmp_path: Path) -> tuple[Path, History]:
    """The file of a run that has not ended, with its rows in two records."""
    job, spool = trial(tmp_path, "tracking=lean"), Spool(tmp_path / "spool")
    rows: History = ended(job).made.rows  # type: ignore[assignment]
    spool.make()
    for part in (slice(None, 5), slice(5, None)):
        spool.put(job, TAGS, 1, 1000, rows.each(lambda column, part=part: column[part]))  # type: ignore[misc]
    return tmp_path / "journal" / "000003.run", rows


def test_a_run_whose_process_is_gone_was_killed_and_has_its_rows(tmp_path: Path) -> None:
    file, rows = going_on(tmp_path)
    made = journal.read(file).made
    assert (made.status, made.iterations) == ("killed", 50)
    for name in rows:
        np.testing.assert_array_equal(made.rows[name], rows[name])


def test_a_run_whose_process_is_gone_has_the_artifacts_of_its_last_checkpoint(tmp_path: Path) -> None:
    file, rows = going_on(tmp_path)
    job, spool = trial(tmp_path, "tracking=lean"), Spool(tmp_path / "spool")
    table = history_table(rows.each(lambda column: column[:3]), {"improvements": "{}"})
    for text in (b"first", b"second"):
        spool.keep_so_far(job, {"weights.npz": text, "config.yaml": b"seed: 0", "history.parquet": table})
    files = journal.read(file).made.files
    history = io.BytesIO(files.pop("history.parquet"))
    assert files == {"weights.npz": b"second", "config.yaml": b"seed: 0"}
    # All rows, and how far the weights go.
    np.testing.assert_array_equal(rows_of(history)["iteration"], rows["iteration"])
    assert about_rows(history) == {"improvements": "{}", "weights_at": str(rows["iteration"][2])}
    assert journal.entries(tmp_path) == [file]
    spool.keep(ended(job))
    assert {one.name for one in file.parent.iterdir()} == {file.name}, (
        "they are needed until the run has ended"
    )


def test_a_run_that_was_killed_between_its_first_checkpoint_and_its_first_rows_has_the_checkpoints(
    tmp_path: Path,
) -> None:
    # With columns that not every run has.
    job = trial(tmp_path, "tracking=lean", "optimizer=sgd", "optimizer.batch_size=7", "+metrics=[f1]")
    spool, made = Spool(tmp_path / "spool"), ended(job).made
    spool.make()
    spool.begin(job, TAGS, 1, 1000)
    spool.keep_so_far(job, made.files)
    read = journal.read(tmp_path / "journal" / "000003.run").made
    assert {"batch_loss", "f1"} <= set(read.rows) == set(made.rows)
    for name in made.rows:
        np.testing.assert_array_equal(read.rows[name], made.rows[name])


def test_a_last_record_that_is_cut_short_is_left_out_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, rows = going_on(tmp_path)
    whole = file.read_bytes()
    begin, first, second = (record.place for record in journal.scan(file).records)
    for size in range(second + 1, len(whole), 37):
        file.write_bytes(whole[:size])
        found = journal.scan(file)
        assert [record.place for record in found.records] == [begin, first]
        assert found.end == second
        assert found.notes == [f"{file}: the last record, at byte {second}, is incomplete and is left out"]
    assert journal.read(file).made.iterations == rows.iteration[4]
    assert [record.getMessage() for record in caplog.records] == found.notes


def test_a_damaged_record_is_named_with_its_place_and_those_behind_it_are_read(tmp_path: Path) -> None:
    file, _ = going_on(tmp_path)
    whole = bytearray(file.read_bytes())
    _, first, second = (record.place for record in journal.scan(file).records)
    for place in (first, first + 5, first + 9, first + 60):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = journal.scan(file)
        assert [record.kind for record in found.records] == ["begin", "rows"]
        assert found.notes == [f"{file}: damaged from byte {first} to {second}"]
        with pytest.raises(ValueError, match=f"000003.run: damaged from byte {first} to {second}"):
            journal.read(file)


def test_a_disk_that_is_full_leaves_whole_records(tmp_path: Path) -> None:
    file, _ = going_on(tmp_path)
    before = file.read_bytes()

    def records():  # type: ignore[no-untyped-def]
        yield journal.framed("file", b"content", path="a")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        journal.append(file, records())
    assert file.read_bytes() == before
