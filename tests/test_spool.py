"""The folder that workers share with their sweep: files kept in it, or taken along where there is none."""

from __future__ import annotations

from pathlib import Path

from nnexp.sweep.recording.recording import lost
from nnexp.sweep.recording.spool import Spool

CONTENTS = {"weights/final.npz": b"weights", "config.yaml": b"seed: 1\n"}


def test_files_of_an_outcome_are_kept_in_a_folder_of_their_own_each_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    made = lost(RuntimeError("gone"))._replace(files=CONTENTS)
    assert spool.keep(3, made) == made, "a machine without the folder sends the files along"
    spool.make()
    first, again = (spool.keep(3, made) for _ in range(2))
    assert first.files == {}
    assert first.folder != again.folder
    for kept in (first, again):
        assert kept.folder is not None
        for name, content in CONTENTS.items():
            assert (Path(kept.folder) / name).read_bytes() == content
    assert spool.keep(3, first) == first
    assert list(spool.take()) == []
