"""Packages for the summary of a sweep, imported while it is trained."""

from __future__ import annotations

import logging

from nnexp.sweep.view import View
from nnexp.tracking.outcome import reason_of

LOG = logging.getLogger(__name__)


def load_summary(view: View) -> None:
    """Import the packages for the summary of a sweep."""
    try:
        import pandas as pd  # noqa: F401

        import nnexp.pictures.one_run  # noqa: F401

        view.load()
    except Exception as error:
        # The summary itself raises the error.
        LOG.warning("packages of the summary cannot be imported (%s)", reason_of(error))
