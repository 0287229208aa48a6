"""The flat parameter vector ``theta`` and the named views of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Layout:
    """Names, shapes and offsets of a dense network's parameters in one flat vector.

    In memory a layer is one row-major block ``[W b]`` of shape ``(n_neurons, n_inputs + 1)``, so that
    ``Z = W X + b`` is a single product with ``X`` above a row of ones. Files use :meth:`export`'s order
    instead, in which every named array is contiguous.

    Args:
        sizes: features of the input, then neurons of each layer.

    Raises:
        ValueError: fewer than two sizes, or one below 1.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes={sizes}: at least two sizes, each 1 or more")
        self.sizes = tuple(sizes)
        self.blocks = tuple((n_out, n_in + 1) for n_in, n_out in pairwise(self.sizes))
        ends = np.cumsum([prod(block) for block in self.blocks]).tolist()
        self.slices = tuple(slice(start, end) for start, end in zip([0, *ends], ends, strict=False))
        self._parts = tuple(zip(self.slices, self.blocks, strict=True))
        self.size: int = ends[-1]
        self.names = tuple(
            f"dense_{layer}/{kind}" for layer in range(len(self.blocks)) for kind in ("weights", "biases")
        )
        numbered = self.named(np.arange(self.size))
        self.order: Array = np.concatenate([numbered[name].reshape(-1) for name in self.names])
        self._inverse: Array = np.argsort(self.order)

    def layers(self, theta: Array) -> list[Array]:
        """Views ``(..., n_neurons, n_inputs + 1)`` of theta ``(..., P)``, one a layer: ``[W b]``."""
        lead = theta.shape[:-1]
        return [theta[..., part].reshape(lead + block) for part, block in self._parts]

    def named(self, theta: Array) -> dict[str, Array]:
        """Views of theta ``(..., P)``: weights ``(..., n_neurons, n_inputs)``, biases ``(..., n_neurons)``."""
        arrays = [view for block in self.layers(theta) for view in (block[..., :-1], block[..., -1])]
        return dict(zip(self.names, arrays, strict=True))

    def join(self, arrays: Mapping[str, Any], dtype: Any = np.float64) -> Array:
        """The theta ``(P,)`` that holds the named arrays.

        Raises:
            ValueError: a name is missing or unknown, or an array's shape is not the layout's.
        """
        if set(arrays) != set(self.names):
            raise ValueError(f"names={sorted(arrays)}: expected {sorted(self.names)}")
        theta = np.zeros(self.size, dtype)
        for name, view in self.named(theta).items():
            array = np.asarray(arrays[name])
            if array.shape != view.shape:
                raise ValueError(f"{name}: shape {array.shape}, expected {view.shape}")
            view[...] = array
        return theta

    def export(self, theta: Array) -> Array:
        """Theta ``(..., P)`` reordered so that each named array is contiguous and row-major."""
        return theta[..., self.order]

    def restore(self, flat: Array) -> Array:
        """The inverse of :meth:`export`."""
        return flat[..., self._inverse]

    def describe(self) -> dict[str, Any]:
        """Names, shapes and offsets in :meth:`export`'s order, as plain data for JSON."""
        arrays, offset = [], 0
        for name, view in self.named(np.empty(self.size)).items():
            arrays.append({"name": name, "shape": list(view.shape), "offset": offset, "size": view.size})
            offset += view.size
        return {"parameters": self.size, "sizes": list(self.sizes), "arrays": arrays}
