"""Inside training: recorded weights over time, and the functions of their networks."""

from nnexp.inside.frames import Frames, boundary_frames, timeline
from nnexp.inside.histograms import Histogram, gradient_histograms, weight_histograms
from nnexp.inside.plane import Plane, loss_plane, pca_plane, random_plane
from nnexp.inside.trajectory import Trajectory, load_trajectories, typical_seed

__all__ = [
    "Frames",
    "Histogram",
    "Plane",
    "Trajectory",
    "boundary_frames",
    "gradient_histograms",
    "load_trajectories",
    "loss_plane",
    "pca_plane",
    "random_plane",
    "timeline",
    "typical_seed",
    "weight_histograms",
]
