"""The base class of all methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nnexp.config.settings import Part


@dataclass(frozen=True)
class Method(Part):
    """An optimization method.

    Attributes:
        needs_gradient: whether it is a gradient method; else it is a search.
        batched: whether several runs of it can be trained as one computation.
    """

    group: ClassVar[str] = "optimizer"
    needs_gradient: ClassVar[bool]
    batched: ClassVar[bool] = True

    def thetas(self, size: int, iterations: int) -> int:
        """A lower bound of the thetas in memory at once, checked before memory is allocated.

        Args:
            size: P, the parameters of one theta.
            iterations: the most that the budget allows.
        """
        names = ("population", "history")
        return max(4, *(getattr(self, name, None) or 0 for name in names))

    def check(self) -> None:
        """Check that this machine has what the method needs.

        Raises:
            ConfigError: a package that is not installed.
        """
