"""Axes of a sweep: a setting and the values that it takes, in Hydra's sweep syntax."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from nnexp.config.schema import ConfigError

MOST_JOBS = 100_000
"""The most jobs of one sweep: composing this many takes an hour and some gigabytes."""

DIGITS = 6
"""Significant digits of a drawn number, so that overrides are short to read and type."""


@dataclass(frozen=True)
class Axis:
    """A setting with its values as text, or with an interval to draw them from."""

    key: str
    values: tuple[str, ...] = ()
    interval: IntervalSweep | None = None
    text: str = ""
    """The interval as given by the user."""

    def overrides(self) -> list[str]:
        """An override for each value."""
        return [f"{self.key}={value}" for value in self.values]

    def ends(self) -> tuple[str, str]:
        """The overrides for both ends of the interval."""
        assert self.interval is not None
        return f"{self.key}={self.interval.start}", f"{self.key}={self.interval.end}"

    def drawn(self, count: int, seed: int) -> Axis:
        """The axis with ``count`` values drawn from its interval; a larger ``count`` begins with the same values.

        Uniform; log-uniform for ``tag(log, interval(low, high))``; whole numbers for ``int(interval(low, high))``.
        """
        assert self.interval is not None
        low, high = self.interval.start, self.interval.end
        assert low is not None
        assert high is not None
        # Each axis has its own generator: a further axis does not change the values of others.
        source = Random(f"{seed} {self.key}")
        whole = isinstance(low, int) and isinstance(high, int)
        values: list[str] = []
        for _ in range(count):
            share = source.random()
            above = high + whole
            log = "log" in self.interval.tags
            value = low * (above / low) ** share if log else low + (above - low) * share
            if whole:
                values.append(str(min(max(math.floor(value), int(low)), int(high))))
            else:
                values.append(short(value, low, high))
        return Axis(self.key, tuple(values))


def short(value: float, low: float, high: float) -> str:
    """A number rounded to few digits, within its interval."""
    return repr(min(max(float(f"{value:.{DIGITS}g}"), low), high))


def parsed(parser: OverridesParser, text: str) -> Axis:
    """The axis of an override such as ``seed=range(0,3)``; an override without sweep syntax has one value.

    Raises:
        HydraException: it cannot be read.
    """
    (override,) = parser.parse_overrides([text])
    key = override.get_key_element()
    if not override.is_sweep_override():
        return Axis(key, (override.get_value_element_as_str(),))
    if override.is_interval_sweep():
        return Axis(key, interval=_interval(override), text=override.get_value_string())
    values = override.value()
    if isinstance(values, RangeSweep):
        _check_range(values, text)
    texts: Iterable[str] = override.sweep_string_iterator()
    taken = tuple(str(value) for value in islice(texts, MOST_JOBS + 1))
    if not taken:
        raise ConfigError(f"{text}: expected one value or more")
    check_count(len(taken), text)
    return Axis(key, taken)


def check_count(count: float, words: str) -> None:
    """Check that a sweep has at most :data:`MOST_JOBS` jobs.

    Args:
        words: the setting that has the count, for the error.

    Raises:
        ConfigError: it has more.
    """
    if count > MOST_JOBS:
        many = f"{count:,}" if isinstance(count, int) and count < 10**18 else f"{count:.0e}"
        if count == MOST_JOBS + 1:
            many = f"more than {MOST_JOBS:,}"
        raise ConfigError(f"{words}: {many} jobs; expected at most {MOST_JOBS:,}")


def _check_range(values: RangeSweep, text: str) -> None:
    """Check, before a range is expanded, that it is finite and not too long."""
    start, stop, step = values.start, values.stop, values.step
    assert start is not None
    assert stop is not None
    if not all(math.isfinite(number) for number in (start, stop, step)) or step == 0:
        raise ConfigError(
            f"{text}: expected range(start, stop, step) of finite numbers, with a step other than 0"
        )
    # Exact for integers of any size.
    exact = all(isinstance(number, int) for number in (start, stop, step))
    count = (stop - start) // step if exact else (stop - start) / step
    if count < 1 and (stop - start) * step <= 0:
        raise ConfigError(f"{text}: expected one value or more")
    check_count(count, text)


def from_setting(parser: OverridesParser, name: str, key: Any, value: Any) -> Axis:
    """The axis of a line ``key: value`` of a conf file.

    Args:
        name: of the setting, for errors.

    Raises:
        ConfigError: it is invalid.
    """
    text = as_text(value)
    if not isinstance(key, str) or key.startswith(("~", "hydra", "sweep")) or "=" in key or not key.strip():
        raise ConfigError(
            f"{name}={text}: expected setting: values, with the name of a setting or a config group"
        )
    try:
        axis = parsed(parser, f"{key}={text}")
    except ConfigError as error:
        raise ConfigError(f"{name.removesuffix(key)}{error}") from None
    except (HydraException, ValueError):
        words = "expected values in Hydra's sweep syntax, such as 1,2 or range(0,3) or interval(0,1)"
        raise ConfigError(f"{name}={text}: {words}") from None
    if axis.interval is not None:
        return checked(axis, f"{name}={text}")
    if not axis.values:
        raise ConfigError(f"{name}={text}: expected one value or more")
    return axis


def checked(axis: Axis, text: str) -> Axis:
    """The axis, after a check of its interval.

    Raises:
        ConfigError: the interval is invalid; ``text`` is how it was given.
    """
    assert axis.interval is not None
    low, high = axis.interval.start, axis.interval.end
    least = 0 if "log" in axis.interval.tags else -math.inf
    if low is None or high is None or not least < low < high < math.inf:
        words = "0 < low < high" if least == 0 else "low < high"
        raise ConfigError(f"{text}: expected an interval(low, high) with {words}")
    return axis


def as_text(value: Any) -> str:
    """A value of a conf file in the syntax of overrides; text stays as it is."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(as_text, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{as_text(item)}" for key, item in value.items()) + "}"
    return str(value)


def _interval(override: Override) -> IntervalSweep:
    value = override.value()
    assert isinstance(value, IntervalSweep)
    return value
