"""How much memory this machine has for a run, asked before it is taken."""

from __future__ import annotations

import os
import resource
from functools import cache
from pathlib import Path


class TooLarge(ValueError):
    """More memory would be taken than there is; the message says what for, how much, and how much there is."""


@cache
def memory_bytes() -> int:
    """Bytes that this process may take: the machine's, or less where a limit or a container says so."""
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
    """See that ``count`` of something fit into memory.

    Raises:
        TooLarge: they do not.
    """
    if count * bytes_each > memory_bytes():
        raise TooLarge(
            f"{amount(count)} {what} take {size(count * bytes_each)}, this machine has {size(memory_bytes())}"
        )


def amount(count: int) -> str:
    """A number that can be read: digits in threes, large ones by their size."""
    return f"{count:,}" if count < 10**15 else f"{float(count):.0e}" if count < 10**300 else "more than 1e300"


def size(count: int) -> str:
    """Bytes in words.

    >>> size(24 * 10**9), size(10**31)
    ('24 GB', '1e+22 GB')
    """
    giga = count / 10**9 if count < 10**300 else float("inf")
    return f"{giga:,.3g} GB"
