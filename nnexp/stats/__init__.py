"""Which method is better, how sure that is, and at what cost.

>>> from nnexp.stats import compare, judge  # doctest: +SKIP
>>> compare(runs, history, measure="val_loss", axis="evaluations").pairs  # doctest: +SKIP
>>> print(judge(runs, history).text)  # doctest: +SKIP
"""

from nnexp.stats.comparison import Comparison, compare
from nnexp.stats.judgement import Judgement, judge
from nnexp.stats.measure import default_measure, higher_is_better
from nnexp.stats.ranks import Ranks
from nnexp.stats.tuning import Selection, select_best

__all__ = [
    "Comparison",
    "Judgement",
    "Ranks",
    "Selection",
    "compare",
    "default_measure",
    "higher_is_better",
    "judge",
    "select_best",
]
