"""What a layer is: shapes, blocks of theta, and calls bound to buffers."""

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
    """Where a named array is in its block, as ``np.s_`` says it, and the shape in which it is shown if another."""

    at: Any
    shape: Shape | None = None

    @property
    def axes(self) -> tuple[Any, ...]:
        """Of the block's axes, behind any leading ones."""
        return self.at if isinstance(self.at, tuple) else (self.at,)


class Block(NamedTuple):
    """A layer's contiguous part of theta: its shape, and the named arrays in it, which cover it once.

    Methods move what is ``trained``; running statistics are not.
    """

    shape: Shape
    pieces: Mapping[str, Piece]
    trained: bool = True


class Passes(NamedTuple):
    """Calls of a layer. Those of ``update`` go with the method's update: theta changes nowhere else."""

    forward: list[Call]
    backward: list[Call] = []  # noqa: RUF012
    update: list[Call] = []  # noqa: RUF012


class Place(NamedTuple):
    """Where a layer is bound: its input and output, their gradients, and its part of theta.

    ``lead`` is theta's leading shape. The network's own input may have fewer leading axes: it is then alike for all,
    and so is what is computed of it alone. The run axis is outermost in every buffer: with runs inside, NumPy and BLAS
    round differently for other numbers of runs, and a run would not be what it is alone.

    Attributes:
        x: ``(*lead or fewer, F + 1, N)``, flat features above a row of ones.
        out: ``(*lead, F', N)``, to be written; ``x`` without its row of ones where the layer works in place.
        dx: ``(*lead, F, N)``, to be written; ``dout`` where the layer works in place; None where nobody asks for it.
        dout: ``(*lead, F', N)``, which may be used up; None without a way back.
        features: the shape of a sample's input.
        theta: the layer's blocks ``(*lead, *shape)`` by name; ``gradient`` the same, None without a way back.
        take: ``take(name, shape, dtype=None)`` gives a buffer of the layer's own.
        training: whether to do what is done in training alone.
        draws: a generator for each run, in training.
        wide: the dtype in which products are formed, None for that of the arrays.
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
    """A view ``(..., *features, N)`` of flat features ``(..., F, N)``, maybe with their row of ones."""
    return flat[..., : prod(features), :].reshape(*flat.shape[:-2], *features, flat.shape[-1])


def rows(flat: Array, count: int) -> Array:
    """A view ``(..., count, F / count * N)`` of ``(..., F, N)``: what is alike for a channel is one long row."""
    return flat.reshape(*flat.shape[:-2], count, flat.shape[-2] // count * flat.shape[-1])


@dataclass(frozen=True)
class Layer(Part):
    """A layer of a network; one without an :meth:`output` keeps the shape, one without :meth:`blocks` has no weights.

    Attributes:
        in_place: whether ``out`` may be ``x``, if nobody else needs that, and ``dx`` is ``dout``.
        writes: whether ``out`` is anything but ``x``; a layer that only names another shape does not write.
        reads_out: whether the way back reads ``out``; then the next layer must not work in place.
        noisy: whether the loss in training is not that of theta.
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
        """First values by name, as ``weights`` or ``running/mean``; those that are left out are zero."""
        return {}

    def scratch(self, features: Shape) -> int:
        """How many numbers a sample its own buffers take: sizes of tiles and groups follow from it."""
        return 0

    def work(self, features: Shape) -> int:
        """Multiplications of a sample's forward pass, about: each weight once, unless the layer says more."""
        return sum(prod(block.shape) for block in self.blocks(features).values())

    def bind(self, at: Place) -> Passes:
        """The calls that make ``out`` of ``x``, and on the way back ``dx`` and the gradient of ``dout``."""
        raise TypeError(f"{type(self).__name__} has no bind")

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        """What the layer makes of ``x (*features, N)`` outside training: the reference, in plain NumPy."""
        raise TypeError(f"{type(self).__name__} has no apply")


def kind_name(layer: Layer) -> str:
    """The name of a layer's class, as conf files have it."""
    return type(layer).option or snake_case(type(layer).__name__)
