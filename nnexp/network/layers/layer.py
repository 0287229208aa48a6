"""The interface of layers: shapes, blocks of theta, and calls bound to buffers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Part, snake_case
from nnexp.network.initializers.initializer import Initializer

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


class Piece(NamedTuple):
    """The index of a named array in its block, as from ``np.s_``, and its shape for the user where that differs."""

    at: Any
    shape: Shape | None = None

    @property
    def axes(self) -> tuple[Any, ...]:
        """The index, one item for each axis of the block, behind any leading axes."""
        return self.at if isinstance(self.at, tuple) else (self.at,)


class Block(NamedTuple):
    """A layer's contiguous part of theta: its shape, and the named arrays in it, which cover it without overlap.

    Methods change ``trained`` blocks only; running statistics are not trained.
    """

    shape: Shape
    pieces: Mapping[str, Piece]
    trained: bool = True


class Passes(NamedTuple):
    """Calls of a layer. Those of ``update`` run with the method's update: theta changes nowhere else."""

    forward: list[Call]
    backward: list[Call] = []  # noqa: RUF012
    update: list[Call] = []  # noqa: RUF012


class Place(NamedTuple):
    """Where a layer is bound: its input and output, their gradients, and its part of theta.

    ``lead`` is theta's leading shape. The network's input may have fewer leading axes: runs then share it, and what is
    computed from it alone. The run axis is outermost in every buffer: otherwise the rounding of NumPy and BLAS depends
    on the number of runs, and a run in a group would differ from the same run alone.

    Attributes:
        x: ``(*lead or fewer, F + 1, N)``, flat features above a row of ones.
        out: ``(*lead, F', N)``, to be written; ``x`` without its row of ones where the layer works in place.
        dx: ``(*lead, F, N)``, to be written; ``dout`` where the layer works in place; None where it is not needed.
        dout: ``(*lead, F', N)``, which may be overwritten; None without a backward pass.
        features: the shape of a sample's input.
        theta: the layer's blocks ``(*lead, *shape)`` by name; ``gradient`` the same, None without a backward pass.
        take: ``take(name, shape, dtype=None)`` returns a private buffer of the layer.
        training: whether the pass is one of training, as for dropout.
        draws: a generator for each run, in training.
        wide: the dtype in which products are computed, None for that of the arrays.
    """

    x: Array
    out: Array
    dx: Array | None
    dout: Array | None
    features: Shape
    lead: Shape
    theta: Mapping[str, Array]
    gradient: Mapping[str, Array] | None
    take: Callable[..., Array]
    training: bool
    draws: Sequence[np.random.Generator]
    wide: Any

    @property
    def values(self) -> Array:
        """``x`` without its row of ones."""
        return self.x[..., :-1, :]

    @property
    def inside(self) -> bool:
        """Whether ``out`` is ``x``'s own memory."""
        return np.may_share_memory(self.out, self.x)

    def copy(self) -> Call:
        """The call that copies ``x`` to ``out``."""
        return partial(np.copyto, self.out, self.values)


def shaped(flat: Array, features: Shape) -> Array:
    """A view ``(..., *features, N)`` of flat features ``(..., F, N)``, with or without their row of ones."""
    return flat[..., : prod(features), :].reshape(*flat.shape[:-2], *features, flat.shape[-1])


def rows(flat: Array, count: int) -> Array:
    """A view ``(..., count, F / count * N)`` of ``(..., F, N)``: each channel is one long row."""
    return flat.reshape(*flat.shape[:-2], count, flat.shape[-2] // count * flat.shape[-1])


@dataclass(frozen=True)
class Layer(Part):
    """A layer of a network; one without an :meth:`output` keeps the shape, one without :meth:`blocks` has no weights.

    Attributes:
        in_place: whether ``out`` may be ``x``, if no other layer needs ``x``, and ``dx`` is ``dout``.
        writes: whether ``out`` differs from ``x``; a layer that only changes the shape does not write.
        reads_out: whether the backward pass reads ``out``; then the next layer must not work in place.
        noisy: whether the loss in training differs from the loss of theta.
        couples: whether, in training, a sample's output depends on the others of its batch.
    """

    group: ClassVar[str] = "architecture/layer"
    in_place: ClassVar[bool] = False
    writes: ClassVar[bool] = True
    reads_out: ClassVar[bool] = False
    noisy: ClassVar[bool] = False
    couples: ClassVar[bool] = False

    def output(self, features: Shape) -> Shape:
        """The shape of a sample's output.

        Raises:
            ConfigError: inputs that the layer does not take.
        """
        return features

    def blocks(self, features: Shape) -> dict[str, Block]:
        """The layer's parts of theta, by names; the name of the first may be empty."""
        return {}

    def initial(self, features: Shape, init: Initializer, rng: np.random.Generator) -> dict[str, Array]:
        """Initial values by name, such as ``weights`` or ``running/mean``; all others are zero."""
        return {}

    def scratch(self, features: Shape) -> int:
        """Numbers a sample in the layer's own buffers: sizes of tiles and groups follow from it."""
        return 0

    def work(self, features: Shape) -> int:
        """Approximate multiplications of a sample's forward pass: by default one for each weight."""
        return sum(prod(block.shape) for block in self.blocks(features).values())

    def bind(self, at: Place) -> Passes:
        """The calls that compute ``out`` from ``x``, and in the backward pass ``dx`` and ``gradient`` from ``dout``."""
        raise TypeError(f"{type(self).__name__} must define bind()")

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        """The layer's output for ``x (*features, N)`` outside training, in plain NumPy: the reference for tests."""
        raise TypeError(f"{type(self).__name__} must define apply()")


def kind_name(layer: Layer) -> str:
    """The name of a layer's class, as conf files have it."""
    return type(layer).option or snake_case(type(layer).__name__)
