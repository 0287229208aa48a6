"""Speculation: proposals that are rejected change nothing, so a block of them is scored together."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

FORGET = 0.8
"""What weight an acceptance, and the proposals that it took, keep at the next one."""

COST = 8
"""A block costs about as much as this many more candidates."""


class Gap(NamedTuple):
    """How many proposals an acceptance took lately, as sums with :data:`FORGET`.

    Where one proposal in g is accepted, blocks of ``sqrt(2 COST g)`` cost least: a longer one is scored in vain
    behind its acceptance, for a shorter one the cost of a block is paid too often.
    """

    proposals: float = 0.0
    acceptances: float = 0.0

    def length(self) -> int:
        """How many proposals the next block should have: rounded down to a power of two.

        >>> Gap().length(), Gap().rejected(1000).length()
        (8, 64)
        """
        gap = (self.proposals + COST) / (self.acceptances + 1)
        return 1 << (int(sqrt(2 * COST * gap)).bit_length() - 1)

    def rejected(self, count: int) -> Gap:
        """After ``count`` proposals of which none was accepted."""
        return Gap(self.proposals + count, self.acceptances)

    def accepted(self, count: int) -> Gap:
        """After ``count`` proposals of which the last was accepted."""
        return Gap(FORGET * (self.proposals + count), FORGET * (self.acceptances + 1))
