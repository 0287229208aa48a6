"""The importance of each hyperparameter for the result, and how reliable that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]


class Importance(NamedTuple):
    """``table``: ``setting, importance, sd``, most important first; ``r2``: the forest's R² on runs it had not seen.

    An importance is the rise of the forest's squared error when the setting's column is shuffled, as a share of
    the measure's variance. Where ``r2`` is near or below 0 the forest has learned nothing, and the table is
    meaningless.
    """

    table: pd.DataFrame
    r2: float
    runs: int


def varied(runs: pd.DataFrame, prefixes: Sequence[str] = ("optimizer.", "architecture.")) -> list[str]:
    """The numeric or categorical settings below ``prefixes`` that differ between runs.

    Names of whole options, such as ``architecture.name``, are left out: their settings say more. So are classes.
    """
    whole = {f"{prefix}name" for prefix in prefixes}
    found = []
    for column in runs.columns:
        name = str(column)
        if not name.startswith(tuple(prefixes)) or name in whole or name.endswith("._target_"):
            continue
        if runs[column].map(_text).nunique() > 1:
            found.append(str(column))
    return found


def spans_decades(values: Any) -> bool:
    """Whether numbers are all positive and the largest is at least 30 times the smallest: a log scale's case."""
    numbers = pd.to_numeric(pd.Series(list(values)), errors="coerce").dropna()
    return len(numbers) > 0 and bool(numbers.min() > 0) and bool(numbers.max() >= 30 * numbers.min())


def columns(runs: pd.DataFrame, settings: Sequence[str]) -> pd.DataFrame:
    """The settings as numbers: logarithms where they span decades, codes for what is not a number.

    A setting that a run does not have, such as a learning rate without a gradient, is below the least.
    """
    made = {}
    for name in settings:
        numbers = pd.to_numeric(runs[name], errors="coerce")
        known = runs[name].notna()
        if numbers.notna().sum() < known.sum():
            numbers = pd.Series(
                pd.factorize(runs[name].map(_text), sort=True)[0], index=runs.index, dtype=float
            )
        elif spans_decades(numbers):
            numbers = np.log10(numbers)
        least, most = (numbers.min(), numbers.max()) if numbers.notna().any() else (0.0, 0.0)
        made[name] = numbers.fillna(least - (0.3 * (most - least) or 1.0))
    return pd.DataFrame(made, index=runs.index)


def importance(
    runs: pd.DataFrame,
    settings: Sequence[str] | None = None,
    measure: str = "loss",
    repeats: int = 20,
    seed: int = 0,
) -> Importance:
    """Permutation importance (Breiman, 2001) of ``settings`` for ``measure``, by a random forest over finished runs.

    Forest and shuffles are scored out of sample, in five folds that keep a seed's runs together.

    Raises:
        ValueError: fewer than ten finished runs, or no setting that varies.
        ImportError: scikit-learn is missing; it comes with the extra ``importance``.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.model_selection import GroupKFold
    except ImportError as error:
        raise ImportError("importance needs scikit-learn: pip install 'nnexp[importance]'") from error

    names = list(varied(runs) if settings is None else settings)
    value = pd.to_numeric(runs[measure], errors="coerce")
    done = runs[(runs["status"] == "finished") & np.isfinite(value)]
    if len(done) < 10:
        raise ValueError(
            f"runs: expected 10 or more finished runs with a {measure} for importance, there are {len(done)}"
        )
    if not names:
        raise ValueError("settings: expected settings that differ between runs, there are none")
    x = columns(done, names).to_numpy(float)
    y = value.loc[done.index].to_numpy(float)
    rng = np.random.default_rng(seed)
    groups = pd.factorize(done["seed"])[0] if done["seed"].nunique() >= 5 else np.arange(len(done))
    missed = np.empty(len(y))
    shuffled = np.empty((repeats, len(names), len(y)))
    for fit, held in GroupKFold(5).split(x, y, groups):
        forest = RandomForestRegressor(100, min_samples_leaf=2, random_state=seed).fit(x[fit], y[fit])
        missed[held] = (y[held] - forest.predict(x[held])) ** 2
        # All shuffles of all settings are one call of the forest.
        asked = np.broadcast_to(x[held], (repeats, len(names), *x[held].shape)).copy()
        for at in range(len(names)):
            for repeat in range(repeats):
                asked[repeat, at, :, at] = rng.permutation(x[:, at])[: len(held)]
        answers = forest.predict(asked.reshape(-1, len(names))).reshape(repeats, len(names), len(held))
        shuffled[:, :, held] = (y[held] - answers) ** 2
    variance = float(y.var()) or 1.0
    rise = (shuffled.mean(axis=2) - missed.mean()) / variance
    table = pd.DataFrame({"setting": names, "importance": rise.mean(axis=0), "sd": rise.std(axis=0)})
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return Importance(table, float(1 - missed.mean() / variance), len(done))


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)
