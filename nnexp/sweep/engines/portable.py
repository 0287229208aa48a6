"""Exceptions that are sent from one process to another."""

from __future__ import annotations

import pickle
import traceback


def portable(error: Exception) -> Exception:
    """A copy of the error with its traceback as a note; a RuntimeError with its text if it cannot be pickled."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    if type(copy) is not type(error):
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note("".join(traceback.format_exception(error)))
    return copy
