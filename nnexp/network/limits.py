"""How much memory this machine has for a run, checked before it is allocated."""

from __future__ import annotations

import os
import resource
from functools import cache
from pathlib import Path


class TooLarge(ValueError):
    """More memory is needed than there is; the message names the purpose, the need, and what the machine has."""


@cache
def memory_bytes() -> int:
    """Bytes that this process may use: the machine's memory, or the limit of the process or its container."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        try:
            found.append(int(file.read_text(encoding="ascii")))
        except (OSError, ValueError):
            # No container, or one without a limit.
            continue
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min([*found, limit] if limit != resource.RLIM_INFINITY else found)


def ask(count: int, bytes_each: int, what: str) -> None:
    """Check that ``count`` items fit into memory.

    Raises:
        TooLarge: they do not.
    """
    if count * bytes_each > memory_bytes():
        raise TooLarge(
            f"{amount(count)} {what} need {size(count * bytes_each)} of memory; this machine has {size(memory_bytes())}"
        )


def amount(count: int) -> str:
    """A number for a message: with commas, and a very large one by its order of magnitude."""
    return f"{count:,}" if count < 10**15 else f"{float(count):.0e}" if count < 10**300 else "more than 1e300"


def size(count: int) -> str:
    """Bytes in words.

    >>> size(24 * 10**9), size(10**31)
    ('24 GB', '1e+22 GB')
    """
    giga = count / 10**9 if count < 10**300 else float("inf")
    return f"{giga:,.3g} GB"
