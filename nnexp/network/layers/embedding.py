"""Embeddings: a vector for each word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.network.initializers.initializer import Initializer
from nnexp.network.layers.layer import Block, Layer, Passes, Piece, Place, Shape

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Embedding(Layer):
    """Each feature is the number of a word, and becomes the word's vector.

    F words become images of ``(size, 1, F)``, a channel for each number of the vectors. Vectors begin as N(0, 1).
    """

    words: int = setting(1000, "number of words; features are 0 to words - 1", Range(1))
    size: int = setting(16, "length of a vector", Range(1))

    def output(self, features: Shape) -> Shape:
        return (self.size, 1, prod(features))

    def blocks(self, features: Shape) -> dict[str, Block]:
        return {"": Block((self.words, self.size), {"vectors": Piece(np.s_[:, :])})}

    def initial(self, features: Shape, init: Initializer, rng: np.random.Generator) -> dict[str, Array]:
        return {"vectors": rng.standard_normal((self.words, self.size))}

    def bind(self, at: Place) -> Passes:
        x, samples, inputs = at.values, at.x.shape[-1], prod(at.features)
        words = at.take("words", x.shape, np.intp)
        # One index array a run, although runs may share inputs.
        of_runs = np.broadcast_to(words, (*at.lead, inputs, samples))

        def views(array: Array, *shape: int) -> list[Array]:
            return [array[run].reshape(*shape) for run in np.ndindex(*at.lead)]

        out, index = views(at.out, self.size, inputs, samples), views(of_runs, inputs, samples)
        theta = views(at.theta[""], self.words, self.size)
        copy: Any = partial(np.copyto, words, x, "unsafe")
        forward: list[Call] = [copy]
        forward += [partial(self._look_up, *own) for own in zip(theta, index, out, strict=True)]
        if at.gradient is None or at.dout is None:
            return Passes(forward)
        gradient = views(at.gradient[""], self.words, self.size)
        dout = views(at.dout, self.size, inputs, samples)
        backward: list[Call] = [
            partial(self._add_up, *own) for own in zip(gradient, index, dout, strict=True)
        ]
        if at.dx is not None:
            backward.append(partial(at.dx.fill, 0))
        return Passes(forward, backward)

    @staticmethod
    def _look_up(vectors: Array, words: Array, out: Array) -> None:
        out[...] = vectors.T[:, words]

    @staticmethod
    def _add_up(gradient: Array, words: Array, dout: Array) -> None:
        gradient.fill(0)
        np.add.at(gradient, words, np.moveaxis(dout, 0, -1))

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        words = x.reshape(-1, x.shape[-1]).astype(np.intp)
        return np.asarray(arrays["vectors"].T[:, None, words])
