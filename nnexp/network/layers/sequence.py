"""Layers one after another: their names, shapes and blocks, and their calls on buffers that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from nnexp.network.initializers.initializer import Initializer
from nnexp.network.layers.layer import Block, Layer, Passes, Place, Shape, kind_name

Array = np.ndarray[Any, Any]


class Step(NamedTuple):
    """A layer at its place: names count the layers of a kind, as ``dense_0``; ``features`` are of its input."""

    name: str
    layer: Layer
    features: Shape


def walk(layers: Sequence[Layer], features: Shape) -> Iterator[Step]:
    """The layers with their names and the shapes of their inputs."""
    counts: dict[str, int] = {}
    for layer in layers:
        kind = kind_name(layer)
        counts[kind] = counts.get(kind, -1) + 1
        yield Step(f"{kind}_{counts[kind]}", layer, features)
        features = layer.output(features)


def output(layers: Sequence[Layer], features: Shape) -> Shape:
    """The shape of the last layer's output."""
    for layer in layers:
        features = layer.output(features)
    return features


def blocks(layers: Sequence[Layer], features: Shape) -> dict[str, Block]:
    """All layers' blocks, by name."""
    return {
        f"{name}/{own}" if own else name: block
        for name, layer, shape in walk(layers, features)
        for own, block in layer.blocks(shape).items()
    }


def initial(
    layers: Sequence[Layer], features: Shape, init: Initializer, rng: np.random.Generator
) -> dict[str, Array]:
    """All layers' initial values, by name."""
    return {
        f"{name}/{own}": array
        for name, layer, shape in walk(layers, features)
        for own, array in layer.initial(shape, init, rng).items()
    }


def scratch(layers: Sequence[Layer], features: Shape) -> int:
    """Numbers a sample in all hidden buffers, including their rows of ones."""
    steps = list(walk(layers, features))
    own = sum(layer.scratch(shape) for _, layer, shape in steps)
    return own + sum(prod(layer.output(shape)) + 1 for _, layer, shape in steps[:-1] if not layer.in_place)


def work(layers: Sequence[Layer], features: Shape) -> int:
    """Approximate multiplications of a sample's forward pass."""
    return sum(layer.work(shape) for _, layer, shape in walk(layers, features))


def apply(layers: Sequence[Layer], features: Shape, arrays: Mapping[str, Array], x: Array) -> Array:
    """The layers' own :meth:`~nnexp.network.layers.layer.Layer.apply` in turn, on ``x (*features, N)``."""
    for name, layer, shape in walk(layers, features):
        x = layer.apply(within(arrays, name), x.reshape(*shape, x.shape[-1]))
    return x


def within(arrays: Mapping[str, Array], name: str) -> dict[str, Array]:
    """The arrays of the layer ``name``, by their names in it."""
    return {
        key[len(name) + 1 :]: array
        for key, array in arrays.items()
        if key == name or key.startswith(f"{name}/")
    }


class _Spot(NamedTuple):
    """A layer's input and output."""

    x: Array
    out: Array


def bind(
    layers: Sequence[Layer],
    at: Place,
    last: Array | None,
    dlast: Array | None,
    cache: dict[Any, Passes] | None = None,
) -> tuple[Array, Passes]:
    """The output ``(*lead, F', N)`` and the calls.

    Args:
        at: of all layers: input, the input's gradient, blocks.
        last: the array for the output; None for a new buffer.
        dlast: the array that has its gradient; None for the output's own array.
        cache: calls of layers without weights by buffers, so that they are bound once.
    """
    steps = list(walk(layers, at.features))
    spots = _spots(steps, at, last)
    result = spots[-1].out
    dout = (result if dlast is None else dlast) if at.gradient is not None else None
    # A gradient is needed above layers with weights, and where the caller asks for that of the input.
    weighty = np.cumsum([bool(layer.blocks(features)) for _, layer, features in steps])
    bound: list[Passes] = []
    for number in range(len(steps) - 1, -1, -1):
        name, layer, features = steps[number]
        x, out = spots[number]
        if at.gradient is None or (at.dx is None and (number == 0 or not weighty[number - 1])):
            dx = None
        elif number == 0:
            dx = at.dx
        elif layer.in_place:
            dx = dout
        else:
            dx = at.take(f"{name} grad", (*at.lead, prod(features), x.shape[-1]))
        if dx is None and not layer.blocks(features):
            dout = None
        key = (name, out.shape, x.shape)
        passes = None if cache is None else cache.get(key)
        if passes is None:
            passes = layer.bind(_place(at, name, features, x, out, dx, dout))
            if number == 0 and layer.in_place and dx is not None and dout is not None and dx is not dout:
                passes.backward.append(partial(np.copyto, dx, dout))
            if cache is not None and number and not layer.blocks(features):
                cache[key] = passes
        bound.append(passes)
        dout = dx
    return result, Passes(
        [call for passes in reversed(bound) for call in passes.forward],
        [call for passes in bound for call in passes.backward],
        [call for passes in reversed(bound) for call in passes.update],
    )


def _spots(steps: Sequence[Step], at: Place, last: Array | None) -> list[_Spot]:
    """Each layer's input and output: the same array where no other layer needs the input."""
    x, kept, spots = at.x, True, []
    for number, (name, layer, features) in enumerate(steps):
        # The input must stay where the caller reads it later, or the layer below in the backward pass.
        alone = layer.in_place and (not kept or not layer.writes)
        end = number + 1 == len(steps)
        if alone:
            whole, out = x, x[..., :-1, :]
        elif end and last is not None:
            whole, out = last, last
        else:
            whole = at.take(f"{name} out", (*at.lead, prod(layer.output(features)) + 1, x.shape[-1]))
            whole[..., -1, :] = 1
            out = whole[..., :-1, :]
        spots.append(_Spot(x, out))
        kept = layer.reads_out or (kept and alone and not layer.writes)
        x = whole
    return spots


def _place(
    at: Place, name: str, features: Shape, x: Array, out: Array, dx: Array | None, dout: Array | None
) -> Place:
    def take(part: str, shape: Shape, dtype: Any = None) -> Array:
        return at.take(f"{name} {part}", shape, dtype)

    gradient = None if at.gradient is None else within(at.gradient, name)
    return at._replace(
        x=x,
        out=out,
        dx=dx,
        dout=dout,
        features=features,
        take=take,
        theta=within(at.theta, name),
        gradient=gradient,
    )
