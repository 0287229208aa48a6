"""Images: shapes and views that convolution and pooling share."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.config.settings import ConfigError
from nnexp.network.layers.layer import Layer, Shape

Array = np.ndarray[Any, Any]


def sides(layer: Layer, features: Shape, reach: int, stride: int, padding: int = 0) -> Shape:
    """Height and width after windows of ``reach`` pixels, ``stride`` apart, over images with zeros around them.

    Raises:
        ConfigError: features that are no images, or images smaller than a window.
    """
    need_images(layer, features)
    high, wide = (side + 2 * padding - reach for side in features[1:])
    if min(high, wide) < 0:
        raise ConfigError(
            f"{layer.name}: windows of {reach} x {reach} pixels; expected at most the size of the image, "
            f"{features[1] + 2 * padding} x {features[2] + 2 * padding}"
        )
    return high // stride + 1, wide // stride + 1


def need_images(layer: Layer, features: Shape) -> None:
    """Check that features are images.

    Raises:
        ConfigError: they are not.
    """
    if len(features) != 3:
        raise ConfigError(
            f"{layer.name}: features of shape {features}; expected (channels, height, width), which "
            f"architecture.shape sets for flat features"
        )


def windows(images: Array, size: int, stride: int, out: Shape) -> list[Array]:
    """One view ``(..., C, H', W', N)`` of ``images (..., C, H, W, N)`` for each place in the window."""
    high, wide = (stride * (side - 1) + 1 for side in out)
    return [
        images[..., i : i + high : stride, j : j + wide : stride, :] for i in range(size) for j in range(size)
    ]
