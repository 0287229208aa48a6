"""Which method is better, how sure that is, and at what cost.

``compare(runs, history, measure="val_loss", axis="evaluations").pairs`` is a table of all pairs of methods,
``print(judge(runs, history).text)`` the verdict.
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
