"""The end of a command's process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable


def leave(main: Callable[[], int]) -> None:
    """Run a command and exit with its code.

    Raises:
        SystemExit: always.
    """
    code = main()
    # Python would look through all objects for cycles once more: with MLflow loaded, more than half a second.
    gc.freeze()
    sys.exit(code)
