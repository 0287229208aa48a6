"""Errors that go from one process to another."""

from __future__ import annotations

import pickle
import traceback


def portable(error: Exception) -> Exception:
    """The error with its traceback as a note, or one with its text if it would not survive the way home."""
    note = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
        kept = error if type(copy) is type(error) else None
    except Exception:
        kept = None
    kept = kept or RuntimeError(f"{type(error).__name__}: {error}")
    kept.add_note(note)
    return kept
