"""The flat parameter vector ``theta`` and the named views of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from nnexp.network.layers.dense import weights_and_biases
from nnexp.network.layers.layer import Block, Piece
from nnexp.network.limits import ask

Array = np.ndarray[Any, Any]


class Layout:
    """Names, shapes and offsets of a network's parameters in one flat vector.

    In memory a layer is one row-major block, of a dense layer ``[W b]`` of shape ``(n_neurons, n_inputs + 1)``, so that
    ``Z = W X + b`` is a single product with ``X`` above a row of ones. Blocks that methods train come first. Files use
    :meth:`export`'s order instead, in which every named array is contiguous.

    Args:
        sizes: features of the input, then neurons of each layer.
        blocks: of the layers by name; None for those of dense layers.

    Attributes:
        blocks: by name, the trained ones first.
        trained: how many parameters they have: ``theta[..., :trained]``.

    Raises:
        ValueError: fewer than two sizes, or one below 1.
        TooLarge: more parameters than there is memory for.
    """

    def __init__(self, sizes: tuple[int, ...], blocks: Mapping[str, Block] | None = None) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes={sizes}: expected two sizes or more, each 1 or more")
        self.sizes = tuple(sizes)
        if blocks is None:
            blocks = {f"dense_{at}": weights_and_biases(n, m) for at, (m, n) in enumerate(pairwise(sizes))}
        self.blocks: dict[str, Block] = dict(sorted(blocks.items(), key=lambda item: not item[1].trained))
        lengths = [prod(block.shape) for block in self.blocks.values()]
        # The order of parameters takes three integers for each.
        ask(sum(lengths), 24, "parameters")
        ends = np.cumsum(lengths).tolist()
        self.slices = tuple(slice(start, end) for start, end in zip([0, *ends], ends, strict=False))
        self.size: int = ends[-1]
        self.trained: int = sum(prod(block.shape) for block in self.blocks.values() if block.trained)
        self.names = tuple(f"{name}/{piece}" for name, block in self.blocks.items() for piece in block.pieces)
        numbered = self.named(np.arange(self.size))
        self.order: Array = np.concatenate([numbered[name].reshape(-1) for name in self.names])
        self._inverse: Array = np.argsort(self.order)

    def views(self, theta: Array) -> dict[str, Array]:
        """Views ``(..., *shape)`` of theta ``(..., P)``, one a block by its name."""
        lead = theta.shape[:-1]
        return {
            name: theta[..., part].reshape(lead + block.shape)
            for (name, block), part in zip(self.blocks.items(), self.slices, strict=True)
        }

    def named(self, theta: Array) -> dict[str, Array]:
        """Views of theta ``(..., P)``: weights ``(..., n_neurons, n_inputs)``, biases ``(..., n_neurons)``."""
        lead, views = theta.shape[:-1], self.views(theta)
        arrays = {}
        for name, block in self.blocks.items():
            for own, piece in block.pieces.items():
                array = views[name][(..., *piece.axes)]
                arrays[f"{name}/{own}"] = array if piece.shape is None else array.reshape(lead + piece.shape)
        return arrays

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
                raise ValueError(f"{name}: shape {array.shape}; expected {view.shape}")
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
        blocks = [
            {
                "name": name,
                "shape": list(block.shape),
                "trained": block.trained,
                "arrays": {own: _plain_piece(piece) for own, piece in block.pieces.items()},
            }
            for name, block in self.blocks.items()
        ]
        return {"parameters": self.size, "sizes": list(self.sizes), "arrays": arrays, "blocks": blocks}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Layout:
        """The layout of a :meth:`describe`; a description without blocks is of dense layers."""
        if "blocks" not in description:
            return cls(tuple(description["sizes"]))
        blocks = {
            block["name"]: Block(
                tuple(block["shape"]),
                {own: _piece(piece) for own, piece in block["arrays"].items()},
                block["trained"],
            )
            for block in description["blocks"]
        }
        return cls(tuple(description["sizes"]), blocks)


def _plain_piece(piece: Piece) -> dict[str, Any]:
    index = [[own.start, own.stop] if isinstance(own, slice) else own for own in piece.axes]
    return {"at": index, "shape": None if piece.shape is None else list(piece.shape)}


def _piece(description: Mapping[str, Any]) -> Piece:
    index = tuple(slice(*at) if isinstance(at, list) else at for at in description["at"])
    return Piece(index, None if description["shape"] is None else tuple(description["shape"]))
