"""Pictures of sweeps, as functions of tidy tables and arrays; one style, no global state."""

from nnexp.figures.animation import Animation, animation
from nnexp.figures.boundaries import boundaries, filmstrip
from nnexp.figures.curves import bands, curves
from nnexp.figures.distributions import final_distributions
from nnexp.figures.histograms import histograms_over_time
from nnexp.figures.hyperparameters import expected_best, heat_map, importance_bars, parallel_coordinates
from nnexp.figures.plane import loss_landscape
from nnexp.figures.profiles import performance_profiles
from nnexp.figures.ranks import rank_diagram

__all__ = [
    "Animation",
    "animation",
    "bands",
    "boundaries",
    "curves",
    "expected_best",
    "filmstrip",
    "final_distributions",
    "heat_map",
    "histograms_over_time",
    "importance_bars",
    "loss_landscape",
    "parallel_coordinates",
    "performance_profiles",
    "rank_diagram",
]
