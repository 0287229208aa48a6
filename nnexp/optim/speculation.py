"""Speculation: a rejected proposal changes nothing, so a block of proposals is evaluated together."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

FORGET = 0.8
"""Factor by which older acceptances and their proposals lose weight at each new acceptance."""

COST = 8
"""The fixed cost of a block, in candidates."""


class Gap(NamedTuple):
    """The recent number of proposals for one acceptance, as sums that decay by :data:`FORGET`.

    Where one proposal in g is accepted, blocks of ``sqrt(2 COST g)`` are cheapest: a longer one wastes evaluations
    behind its acceptance, a shorter one pays the cost of a block too often.
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
