"""Which values a setting takes: objects that check a value, print themselves, and serve as search spaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Values(Protocol):
    """A condition on a setting's values beyond its type. It checks a value, and prints itself."""

    def __contains__(self, value: Any) -> bool: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``; ``above`` excludes ``low``, ``below`` excludes ``high``. Also a search space.

    Args:
        log: whether a search draws log-uniformly.
        search: the interval for tuning, where it is narrower than the allowed one.

    >>> str(Range(0, 1, below=True)), 1.0 in Range(0, 1, below=True)
    ('0 or more, below 1', False)
    """

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False
    log: bool = False
    search: tuple[float, float] | None = None

    @property
    def space(self) -> tuple[float, float] | None:
        """The interval for tuning; None where a limit is missing."""
        if self.search is not None:
            return self.search
        return None if self.low is None or self.high is None else (self.low, self.high)

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, str):
            return True  # a word that the setting's type allows beside numbers
        low, high = self.low, self.high
        return not (
            (low is not None and (value <= low if self.above else value < low))
            or (high is not None and (value >= high if self.below else value > high))
        )

    def __str__(self) -> str:
        if None not in (self.low, self.high) and not self.above and not self.below:
            return f"{self.low} to {self.high}"
        low = "" if self.low is None else f"above {self.low}" if self.above else f"{self.low} or more"
        high = "" if self.high is None else f"below {self.high}" if self.below else f"{self.high} or less"
        return ", ".join(filter(None, (low, high)))


@dataclass(frozen=True)
class Each:
    """Lists whose every item is in ``items``."""

    items: Values

    def __contains__(self, value: Any) -> bool:
        return all(item in self.items for item in value)

    def __str__(self) -> str:
        return f"each {self.items}"


@dataclass(frozen=True)
class NotEmpty:
    """Texts that are not empty, of at most ``most`` characters where given; values of other types always pass."""

    most: int | None = None

    def __contains__(self, value: Any) -> bool:
        if not isinstance(value, str):
            return True
        return bool(value.strip()) and (self.most is None or len(value) <= self.most)

    def __str__(self) -> str:
        return "that is not empty" + ("" if self.most is None else f", at most {self.most} characters")
