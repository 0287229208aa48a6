"""A problem: network, loss and data, as functions of theta."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnexp.datasets import Data
from nnexp.losses import Loss, Target, target
from nnexp.network import Network, Workspace, with_ones

Array = np.ndarray[Any, Any]

CHUNK_BYTES = 1 << 20
"""Activations of as many candidates as fit in this are computed together: measured on a core with 2 MB of L2."""


class Score(NamedTuple):
    """What a method learns of its candidates: loss and accuracy ``(..., K)``, gradient ``(..., K, P)``.

    NaN losses are read as +inf. What was not asked for is None. The gradient is a buffer of the problem's
    that the next call overwrites.
    """

    loss: Array | None
    accuracy: Array | None
    gradient: Array | None


class Evaluation(NamedTuple):
    """Loss and accuracy ``(...)`` on training and test data, NaN where there is no such number."""

    loss: Array
    accuracy: Array
    val_loss: Array
    val_accuracy: Array


class _Part(NamedTuple):
    x: Array
    to: Target


def _per_run(to: Target) -> Target:
    """Targets with runs in front as targets for candidates ``(R, K)``: an axis of one for the candidates."""
    labels = None if to.labels is None else to.labels[..., None, :]
    mask = None if to.mask is None else to.mask[..., None, :, :]
    return Target(to.values[..., None, :, :], to.scaled[..., None, :, :], labels, mask)


class Problem:
    """Loss, accuracy and gradient of a network on data, for candidates ``(..., K, P)``.

    The data's own leading axes, if any, are the run axis: ``x (R, F, N)`` goes with theta ``(R, K, P)``.

    Raises:
        ValueError: targets that do not fit the network's outputs.
    """

    def __init__(self, network: Network, loss: Loss, train: Data, test: Data | None = None) -> None:
        self.network, self.loss, self.train, self.test = network, loss, train, test
        self.samples = train.x.shape[-1]
        self._train = self._prepare(train)
        self._test = None if test is None else self._prepare(test)
        self._work: dict[tuple[int, ...], tuple[int, dict[int, Workspace]]] = {}

    def _prepare(self, data: Data) -> _Part:
        outputs, dtype = self.network.layout.sizes[-1], self.network.dtype
        x, to = with_ones(np.asarray(data.x, dtype)), target(data.y, outputs, dtype)
        if x.ndim > 2:
            x, to = x[..., None, :, :], _per_run(to)
        return _Part(x, to)

    def _workspace(self, lead: tuple[int, ...], samples: int, gradient: bool) -> Workspace:
        """Buffers for the first of a larger block's candidates, so that blocks may vary in length."""
        *outer, count = lead
        key = (*outer, samples)
        pool = self._work.get(key)
        if pool is None or pool[0] < count or (gradient and pool[1][pool[0]].gradient is None):
            most = count if pool is None else max(count, pool[0])
            if len(self._work) >= 8:
                self._work.pop(next(iter(self._work)))
            pool = self._work[key] = (most, {most: self.network.workspace((*outer, most), samples, gradient)})
        most, views = pool
        if count not in views:
            views[count] = views[most].first(count)
        return views[count]

    def chunk(self, samples: int | None = None, runs: int = 1) -> int:
        """How many candidates a run keep the working set within :data:`CHUNK_BYTES`."""
        rows = sum(self.network.layout.sizes[1:]) + 4
        each = rows * (samples or self.samples) * self.network.dtype.itemsize * runs
        return max(1, CHUNK_BYTES // each)

    def _batch(self, batch: Array) -> _Part:
        x, to = self._train
        if x.ndim > 2:
            index = batch[..., None, None, :]
            labels = None if to.labels is None else np.take_along_axis(to.labels, batch[..., None, :], -1)
            x, values = np.take_along_axis(x, index, -1), np.take_along_axis(to.values, index, -1)
        else:
            labels = None if to.labels is None else to.labels[batch]
            x, values = np.take(x, batch, axis=-1), np.take(to.values, batch, axis=-1)
            if batch.ndim > 1:
                x, values = (
                    np.ascontiguousarray(np.moveaxis(a, 0, -2)[..., None, :, :]) for a in (x, values)
                )
                labels = None if labels is None else labels[..., None, :]
        mask = None if labels is None else values != 0
        return _Part(x, Target(values, values / values.dtype.type(batch.shape[-1]), labels, mask))

    def score(
        self,
        theta: Array,
        *,
        loss: bool = True,
        accuracy: bool = False,
        gradient: bool = False,
        batch: Array | None = None,
    ) -> Score:
        """Score candidates ``(..., K, P)`` on the training data, or on its samples ``batch (..., B)``."""
        if not (loss or accuracy or gradient):
            return Score(None, None, None)
        part = self._train if batch is None else self._batch(batch)
        if gradient:
            return self._score(theta, part, loss, accuracy, True)
        lead, count = theta.shape[:-2], theta.shape[-2]
        size = self.chunk(part.x.shape[-1], int(np.prod(lead, dtype=int)))
        if count <= size:
            return self._score(theta, part, loss, accuracy, False)
        pieces = [
            self._score(theta[..., start : start + size, :], part, loss, accuracy, False)
            for start in range(0, count, size)
        ]
        return Score(*(None if piece[0] is None else np.concatenate(piece, axis=-1)
                       for piece in zip(*pieces, strict=True)))  # fmt: skip

    def _score(self, theta: Array, part: _Part, loss: bool, accuracy: bool, gradient: bool) -> Score:
        work = self._workspace(theta.shape[:-1], part.x.shape[-1], gradient)
        z = self.network.preactivations(theta, part.x, work)
        measured = self.loss.measure(z, part.to, loss=loss, accuracy=accuracy, gradient=gradient)
        value = measured.loss
        if value is not None:
            value = np.fmin(value, np.inf)  # of NaN and inf, inf
        grad = self.network.backward(part.x, work) if gradient else None
        return Score(value, measured.accuracy, grad)

    def evaluate(self, theta: Array, train: bool = True) -> Evaluation:
        """Training and test loss and accuracy of theta ``(T, P)``, or ``(R, T, P)`` where data has runs.

        Without ``train`` only the test data's are computed.
        """
        theta = np.asarray(theta, self.network.dtype)
        single = theta.ndim == 1
        theta = theta[None] if single else theta
        columns: list[Array] = []
        for part in (self._train if train else None, self._test):
            if part is None:
                columns += [np.full(theta.shape[:-1], np.nan)] * 2
                continue
            size = self.chunk(part.x.shape[-1], int(np.prod(theta.shape[:-2], dtype=int)))
            scores = [
                self._score(theta[..., at : at + size, :], part, True, True, False)
                for at in range(0, theta.shape[-2], size)
            ]
            for values in ([s.loss for s in scores], [s.accuracy for s in scores]):
                known = [v for v in values if v is not None]
                columns.append(
                    np.concatenate(known, axis=-1).astype(np.float64)
                    if known
                    else np.full(theta.shape[:-1], np.nan)
                )
        return Evaluation(*(column[0] if single else column for column in columns))
