"""The order of methods, the same in the headline, the tables and the pairs."""

from __future__ import annotations

import pandas as pd

BETTER, UNDECIDED = "a is better", "not enough evidence"


def ordered(summary: pd.DataFrame, pairs: pd.DataFrame, *, higher: bool) -> list[str]:
    """The methods of one task, or over tasks, best first.

    Methods are ordered by how many others they are ahead of on common seeds, and then by the mean of their own runs.
    That is the order of means where all have the same seeds. A method that was shown to be worse than another is not
    the first, unless all were.

    Args:
        summary: rows of :class:`nnexp.stats.Comparison`'s, one a method.
        pairs: its rows of the same task.
        higher: whether higher values of the measure are better.
    """
    sign = -1.0 if higher else 1.0
    wins = pairs[sign * pairs["difference"] < 0].groupby("a").size()
    table = pd.DataFrame(
        {
            "method": summary["method"],
            "wins": -summary["method"].map(wins).fillna(0),
            "mean": sign * summary["mean"],
        }
    )
    names: list[str] = table.sort_values(["wins", "mean"], kind="stable")["method"].tolist()
    worse = set(pairs.loc[pairs["verdict"] == BETTER, "b"])
    return sorted(names, key=lambda name: name != next((one for one in names if one not in worse), names[0]))


def standing(methods: list[str], deciding: pd.DataFrame) -> tuple[str, list[str], list[str]]:
    """The best method, those that it is better than, and those that it is not better than.

    Args:
        methods: as :func:`ordered` gives.
    """
    best, *others = methods
    won = deciding[(deciding["a"] == best) & (deciding["verdict"] == BETTER)]
    beaten = [name for name in others if name in set(won["b"])]
    return best, beaten, [name for name in others if name not in beaten]
