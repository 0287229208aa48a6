"""The flat vector: names, views, files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnexp.network.layout import Layout

sizes = st.lists(st.integers(1, 7), min_size=2, max_size=5).map(tuple)


@given(sizes)
def test_named_arrays_cover_theta_once(sizes):
    layout = Layout(sizes)
    theta = np.arange(float(layout.size))
    seen = np.concatenate([view.reshape(-1) for view in layout.named(theta).values()])
    assert sorted(seen) == theta.tolist()
    assert all(np.shares_memory(view, theta) for view in layout.named(theta).values())


@given(sizes)
def test_export_is_contiguous_in_the_order_of_the_description(sizes):
    layout = Layout(sizes)
    theta = np.random.default_rng(0).standard_normal((3, layout.size))
    flat = layout.export(theta)
    for entry in layout.describe()["arrays"]:
        part = flat[:, entry["offset"] : entry["offset"] + entry["size"]].reshape(3, *entry["shape"])
        np.testing.assert_array_equal(part, layout.named(theta)[entry["name"]])
    np.testing.assert_array_equal(layout.restore(flat), theta)


@given(sizes)
def test_join_is_the_inverse_of_named(sizes):
    layout = Layout(sizes)
    theta = np.random.default_rng(0).standard_normal(layout.size)
    np.testing.assert_array_equal(layout.join(layout.named(theta)), theta)


def test_join_refuses_other_names_and_shapes():
    layout = Layout((2, 3))
    with pytest.raises(ValueError, match="expected"):
        layout.join({"dense_0/weights": np.ones((3, 2))})
    with pytest.raises(ValueError, match="dense_0/weights: shape \\(2, 3\\); expected \\(3, 2\\)"):
        layout.join({"dense_0/weights": np.ones((2, 3)), "dense_0/biases": np.ones(3)})
