"""Planes, frames and histograms against numbers computed another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnexp import inside
from nnexp.data import Spiral
from nnexp.inside import plane
from nnexp.inside.histograms import gradients_of
from nnexp.inside.plane import filter_norms, losses
from nnexp.losses import CrossEntropy
from nnexp.network import Layers
from nnexp.network.network import Network
from nnexp.pictures.boundary import boundary_classes
from nnexp.training import Budget, RunSettings, train
from nnexp.training.problem import Problem

Array = np.ndarray[Any, Any]


def problem(dtype: str = "float64", hidden: tuple[int, ...] = (5,)) -> Problem:
    data = Spiral(classes=3).points(20, np.random.default_rng(1), dtype)
    return Problem(Network(2, hidden, 3, dtype=dtype), CrossEntropy(), data)


def path(solved: Problem, theta: Array, label: str = "sgd", iteration: Any = None) -> inside.Trajectory:
    t = np.arange(len(theta)) if iteration is None else np.asarray(iteration)
    loss = np.array([solved.evaluate(row).loss for row in theta])
    return inside.Trajectory(label, solved, theta, loss, t, 3 * t, t / 1000)


def walks(solved: Problem, lengths: tuple[int, ...] = (7, 4), seed: int = 0) -> list[inside.Trajectory]:
    rng = np.random.default_rng(seed)
    start = solved.network.initial(rng, 0.3)
    steps = [0.2 * rng.standard_normal((length - 1, start.size)).cumsum(axis=0) for length in lengths]
    return [
        path(solved, np.concatenate([start[None], start + step]), f"walk {number}")
        for number, step in enumerate(steps)
    ]


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_plane_is_that_of_numpys_svd(seed: int, normalise: bool) -> None:
    paths = walks(problem(), seed=seed)
    plane = inside.pca_plane(paths, normalise)
    scaled = [(p.theta - p.theta[0]) / plane.scale / np.sqrt(len(p.theta)) for p in paths]
    _, values, vectors = np.linalg.svd(np.concatenate(scaled))
    np.testing.assert_allclose(plane.explained, values[:2] ** 2 / (values**2).sum())
    mine = plane.directions / plane.scale
    np.testing.assert_allclose(mine @ mine.T, np.eye(2), atol=1e-10)
    # Equal up to the sign of each direction.
    np.testing.assert_allclose(np.abs(mine @ vectors[:2].T), np.eye(2), atol=1e-7)


def test_without_normalisation_every_parameter_counts_the_same() -> None:
    assert (inside.pca_plane(walks(problem()), normalise=False).scale == 1).all()


def test_a_path_in_a_plane_is_shown_as_it_is() -> None:
    solved = problem()
    rng = np.random.default_rng(3)
    start, spanning = solved.network.initial(rng, 0.5), rng.standard_normal((2, solved.network.layout.size))
    flat = [path(solved, start + at @ spanning, str(n)) for n, at in enumerate((
        np.array([[0, 0], [0.1, 0.4], [0.5, 0.6]]), np.array([[0, 0], [-0.3, 0.2], [-0.5, 0.1], [0.2, -0.4]]),
    ))]  # fmt: skip
    shown = inside.loss_plane(flat, size=9)
    assert shown.plane.explained.sum() == pytest.approx(1)
    for one, points, true, drawn, off in zip(
        flat, shown.points, shown.true_loss, shown.plane_loss, shown.off, strict=True
    ):
        np.testing.assert_allclose(shown.plane.theta(points), one.theta, atol=1e-9)
        np.testing.assert_allclose(true, one.loss)
        np.testing.assert_allclose(drawn, one.loss)
        np.testing.assert_allclose(off, 0, atol=1e-9)


def test_a_path_out_of_the_plane_is_said_to_be() -> None:
    shown = inside.loss_plane(walks(problem(), (9, 9, 9)), size=5)
    assert shown.plane.explained.sum() < 0.99
    assert max(off[-1] for off in shown.off) > 0.05
    assert any(abs(t[-1] - d[-1]) > 1e-4 for t, d in zip(shown.true_loss, shown.plane_loss, strict=True))
    # The common start lies in it all the same.
    assert all(off[0] == 0 for off in shown.off)
    for true, drawn in zip(shown.true_loss, shown.plane_loss, strict=True):
        assert true[0] == pytest.approx(drawn[0])


def test_a_plane_of_much_work_has_fewer_points_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    solved = problem("float32")
    assert plane.affordable_size(solved) == 101
    each = solved.samples * solved.network.work
    monkeypatch.setattr(plane, "MOST_WORK", 30 * 30 * each)
    assert inside.loss_plane(walks(solved)).loss.shape == (30, 30)
    monkeypatch.setattr(plane, "MOST_WORK", 20 * 20 * each)
    with pytest.raises(ValueError, match="would take too long"):
        inside.loss_plane(walks(solved))


def test_the_grid_holds_the_loss_of_the_networks_at_its_points() -> None:
    solved = problem("float32")
    shown = inside.loss_plane(walks(solved), size=7)
    for row, column in ((0, 0), (3, 5), (6, 2)):
        theta = shown.plane.theta([shown.a[column], shown.b[row]]).astype(np.float32)
        assert shown.loss[row, column] == pytest.approx(float(solved.evaluate(theta).loss), rel=1e-6)
    for points in shown.points:
        assert (points >= [shown.a[0], shown.b[0]]).all()
        assert (points <= [shown.a[-1], shown.b[-1]]).all()


def test_rescaling_a_neuron_changes_no_normalised_plane() -> None:
    """ReLU networks compute the same when a neuron doubles and its outgoing weights halve (Li et al., 2018)."""
    solved = problem()
    layout = solved.network.layout
    paths = walks(solved)

    def rescaled(theta: Array) -> Array:
        changed = theta.copy()
        named = layout.named(changed)
        named["dense_0/weights"][..., 2, :] *= 2
        named["dense_0/biases"][..., 2] *= 2
        named["dense_1/weights"][..., 2] /= 2
        return changed

    other = [path(solved, rescaled(p.theta), p.label) for p in paths]
    np.testing.assert_allclose(other[0].loss, paths[0].loss)
    norms, again = filter_norms(layout, paths[0].theta[-1]), filter_norms(layout, other[0].theta[-1])
    named, doubled = layout.named(norms), layout.named(again)
    np.testing.assert_allclose(doubled["dense_0/weights"][2], 2 * named["dense_0/weights"][2])
    np.testing.assert_allclose(named["dense_0/weights"][2], named["dense_0/biases"][2])


def test_a_plane_of_any_layers_leaves_running_statistics_as_they_are() -> None:
    one = RunSettings(
        architecture=Layers(layers=["batch_norm", {"name": "dense", "neurons": 4}, "relu"]),
        budget=Budget(iterations=20),
    )
    (trained,) = train(one)
    solved, layout = trained.prepared.problem, trained.prepared.problem.network.layout
    plane = inside.random_plane(solved, trained.final_theta)
    assert layout.trained < layout.size
    assert (plane.directions[:, layout.trained :] == 0).all()
    assert (plane.directions[:, : layout.trained] != 0).all()
    corners = plane.theta(3 * np.array([[1, 1], [-1, -1]]))
    assert np.isfinite(losses(solved, corners)).all()


def test_random_directions_have_the_norms_of_the_filters() -> None:
    solved = problem()
    layout = solved.network.layout
    theta = solved.network.initial(np.random.default_rng(0), 0.5)
    plane = inside.random_plane(solved, theta)
    filters = sum(block.shape[0] for block in layout.blocks.values())
    for block, own in zip(
        layout.views(plane.directions[0]).values(), layout.views(theta).values(), strict=True
    ):
        expected = np.linalg.norm(own, axis=1)
        kept = expected > 0.1 * expected.mean()
        np.testing.assert_allclose((np.linalg.norm(block, axis=1) * np.sqrt(filters))[kept], expected[kept])
    unit = plane.directions / plane.scale
    np.testing.assert_allclose(unit @ unit.T, np.eye(2), atol=1e-12)


def test_paths_from_elsewhere_share_no_plane() -> None:
    solved = problem()
    one, other = walks(solved, seed=0)[0], walks(solved, seed=1)[0]
    with pytest.raises(ValueError, match="same initial weights"):
        inside.pca_plane([one, other])
    with pytest.raises(ValueError, match="one network"):
        inside.pca_plane([one, walks(problem(hidden=(4,)))[0]])


def test_a_diverged_end_is_left_out() -> None:
    solved = problem()
    paths = walks(solved)
    paths[1].theta[-1] = np.inf
    shown = inside.loss_plane(paths, size=5)
    assert len(shown.points[1]) == len(paths[1].theta) - 1
    assert np.isfinite(shown.plane.directions).all()


def test_a_run_that_never_moved_has_a_plane() -> None:
    solved = problem()
    still = path(solved, np.repeat(solved.network.initial(np.random.default_rng(0))[None], 3, axis=0))
    shown = inside.loss_plane([still], size=3)
    assert np.isfinite(shown.loss).all()


def test_frames_are_the_boundaries_of_the_snapshots() -> None:
    solved = problem("float32", (64,))
    walk = walks(solved, (6,))[0]
    frames = inside.boundary_frames(walk, size=40)
    for at in (0, 3, 5):
        classes, sure = boundary_classes(solved, walk.theta[at].astype(np.float32), 40)
        assert (frames.classes[at] == classes).mean() > 0.999
        np.testing.assert_allclose(frames.sure[at], sure, atol=1e-5)


def test_a_diverged_network_is_sure_of_nothing() -> None:
    walk = walks(problem("float32"), (3,))[0]
    walk.theta[-1, 0] = np.nan
    frames = inside.boundary_frames(walk, size=8)
    assert (frames.sure[-1] == 0).all()
    assert frames.sure[0].max() > 0


def test_one_clock_for_all() -> None:
    solved = problem()
    slow, fast = walks(solved, (4, 4))
    slow, fast = (
        slow._replace(iteration=np.array([0, 10, 100, 1000])),
        fast._replace(iteration=np.array([0, 1, 5, 50])),
    )
    clock = inside.timeline([slow, fast], steps=20)
    assert clock[0] == 0
    assert clock[-1] == 1000
    assert (np.diff(clock) > 0).all()
    assert [slow.at("iteration", moment) for moment in (0, 9.9, 10, 999, 1e9)] == [0, 0, 1, 2, 3]
    assert fast.at("iteration", 1000) == 3
    with pytest.raises(ValueError, match="axis=epoch"):
        inside.timeline([slow], axis="epoch")


def test_histograms_count_every_finite_weight_once() -> None:
    walk = walks(problem())[0]
    for one, values in zip(
        inside.weight_histograms(walk), walk.problem.network.layout.named(walk.theta).values(), strict=True
    ):
        assert (one.counts.sum(axis=1) == values[0].size).all()
        expected, _ = np.histogram(values[2], bins=one.edges)
        assert (one.counts[2] == expected).all()
    walk.theta[-1] = np.nan
    assert all(one.counts[-1].sum() == 0 for one in inside.weight_histograms(walk))


def test_gradients_are_finite_differences_and_their_zeros_are_said() -> None:
    walk = walks(problem(), (3,))[0]
    gradient = gradients_of(walk)
    for index in (0, 7, 20):
        step = np.zeros(walk.theta.shape[1])
        step[index] = 1e-6
        above, below = (walk.problem.evaluate(walk.theta[1] + sign * step).loss for sign in (1, -1))
        assert gradient[1, index] == pytest.approx((above - below) / 2e-6, rel=1e-4, abs=1e-8)
    # A neuron that is never active has no gradient.
    dead = walk.theta.copy()
    walk.problem.network.layout.named(dead)["dense_0/biases"][:, 0] = -100
    found = inside.gradient_histograms(walk._replace(theta=dead))
    biases = next(one for one in found if one.name == "dense_0/biases")
    assert (biases.zeros >= 1 / 5).all()
    assert (biases.counts.sum(axis=1) == np.round(5 * (1 - biases.zeros))).all()


def test_the_typical_seed_is_not_the_luckiest() -> None:
    loss = {"a": [0.1, 0.5, 0.9], "b": [0.2, 0.4, 0.6]}
    runs = pd.DataFrame(
        [
            {"method": m, "seed": s, "status": "finished", "loss": v}
            for m, row in loss.items()
            for s, v in enumerate(row)
        ]
    )
    assert inside.typical_seed(runs) == 1
    runs.loc[(runs["method"] == "b") & (runs["seed"] == 1), "status"] = "failed"
    assert inside.typical_seed(runs) != 1
    runs["status"] = "failed"
    with pytest.raises(ValueError, match="a seed that every method finished"):
        inside.typical_seed(runs)
