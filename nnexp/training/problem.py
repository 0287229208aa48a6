"""A problem: network, loss and data, as functions of theta."""

from __future__ import annotations

from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np

from nnexp.calls import Call, run
from nnexp.data.dataset import Data
from nnexp.losses.loss import Loss
from nnexp.losses.targets import Target, classes_first, target
from nnexp.network.buffers import Memory
from nnexp.network.network import Network, with_ones

Array = np.ndarray[Any, Any]

CHUNK_BYTES = 1 << 19
"""Outputs of as many candidates, and what their loss needs, are computed together: measured with 1 MB of L2.

Their hidden layers are computed in tiles of their own, see :data:`nnexp.network.buffers.TILE_BYTES`.
"""

INFINITY = np.float32(np.inf)

PASSES = 24
"""The most passes that a problem keeps, each for one number of candidates."""


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
    """Inputs with their row of ones, and targets."""

    x: Array
    to: Target

    def for_candidates(self) -> _Part:
        """The same for candidates: where there are runs, an axis of one after theirs."""
        if self.x.ndim == 2:
            return self
        values, scaled, mask = (
            array[..., None, :, :] for array in (self.to.values, self.to.scaled, self.to.mask)
        )
        labels = None if self.to.labels is None else self.to.labels[..., None, :]
        return _Part(self.x[..., None, :, :], Target(values, scaled, labels, mask))


class Pass:
    """A forward pass and a backward pass on one leading shape, their calls bound once.

    Attributes:
        theta: ``(*lead, P)``, written by the caller.
        loss: ``(*lead)``, NaN or infinite where theta's outputs are.
        accuracy: ``(*lead)``; None where targets are not classes.
        gradient: ``(*lead, P)``; None if it was not asked for.
    """

    def __init__(
        self,
        problem: Problem,
        part: _Part,
        lead: tuple[int, ...],
        gradient: bool,
        memory: Memory | None = None,
    ) -> None:
        self._work = problem.network.workspace(part.x, lead, gradient, memory)
        self._measure = problem.loss.bind(self._work.z, part.to, problem.network.output)
        self.theta, self.gradient = self._work.theta, self._work.gradient
        self.loss, self.accuracy = self._measure.loss, self._measure.accuracy
        self._calls: dict[tuple[bool, bool, bool], tuple[Call, ...]] = {}

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> tuple[Call, ...]:
        """The calls, in order, that write what is asked for."""
        calls = self._calls.get((loss, accuracy, gradient))
        if calls is None:
            measured = self._measure.calls(loss=loss, accuracy=accuracy, gradient=gradient)
            calls = (*self._work.forward, *measured, *(self._work.backward if gradient else ()))
            self._calls[loss, accuracy, gradient] = calls
        return calls

    def fill(self, batch: Array, labels: bool = False) -> None:
        """Nothing: all samples are there."""


class BatchPass(Pass):
    """A pass on mini-batches of ``size`` samples, which :meth:`fill` copies into its buffers.

    Args:
        part: inputs and targets of all samples, of all runs or one for each.
    """

    def __init__(
        self,
        problem: Problem,
        part: _Part,
        lead: tuple[int, ...],
        outer: tuple[int, ...],
        size: int,
        memory: Memory | None = None,
    ) -> None:
        self._from = [part.x, part.to.values]
        self._labels = part.to.labels
        buffers = [np.empty((*outer, a.shape[-2], size), a.dtype) for a in self._from]
        labels = None if part.to.labels is None else np.empty((*outer, size), np.int64)
        empty = classes_first(buffers[1])
        to = Target(buffers[1], empty, labels, np.empty_like(empty, bool))
        self._index = [np.empty(buffer.shape, np.intp) for buffer in buffers]
        # Where each row of the flat arrays starts; runs have their own rows if the data have.
        self._rows = [
            (np.arange(a.size // a.shape[-1]) * a.shape[-1]).reshape(*a.shape[:-1], 1) for a in self._from
        ]
        self._buffers, self._to = buffers, to
        fit = _Part(buffers[0], to)
        super().__init__(problem, fit.for_candidates() if len(lead) > len(outer) else fit, lead, True, memory)

    def fill(self, batch: Array, labels: bool = False) -> None:
        """Take the samples ``batch (*outer, B)``, and their labels if accuracy will be asked for."""
        for source, rows, index, buffer in zip(
            self._from, self._rows, self._index, self._buffers, strict=True
        ):
            np.add(rows, batch[..., None, :], index)
            source.take(index, out=buffer, mode="clip")
        np.divide(self._to.values, self._to.values.dtype.type(batch.shape[-1]), self._to.scaled)
        if labels and self._to.labels is not None and self._labels is not None:
            np.add(self._rows[1][..., 0, :] // self._from[1].shape[-2], batch, self._index[0][..., 0, :])
            self._to.labels[...] = self._labels.take(self._index[0][..., 0, :])
            np.not_equal(self._to.values, 0, self._to.mask)


class Problem:
    """Loss, accuracy and gradient of a network on data, for candidates ``(..., K, P)``.

    The data's own leading axis, if any, is the run axis: ``x (R, F, N)`` goes with theta ``(R, K, P)``.

    Raises:
        ValueError: targets that do not fit the network's outputs.
    """

    def __init__(self, network: Network, loss: Loss, train: Data, test: Data | None = None) -> None:
        self.network, self.loss, self.train, self.test = network, loss, train, test
        self.samples = train.x.shape[-1]
        self._train = self._prepare(train)
        self._test = None if test is None else self._prepare(test)
        self._passes: dict[Any, Pass] = {}
        self._memory = Memory()

    def _prepare(self, data: Data) -> _Part:
        outputs, dtype = self.network.layout.sizes[-1], self.network.dtype
        return _Part(with_ones(np.asarray(data.x, dtype)), target(data.y, outputs, dtype, data.x.ndim - 2))

    def bind(self, runs: int, batch_size: int | None, memory: Memory) -> Pass:
        """A pass with gradient for thetas ``(runs, P)``, on all samples or on batches ``(runs, batch_size)``.

        Passes with one ``memory`` have one theta and one gradient.
        """
        if batch_size is None:
            return Pass(self, self._train, (runs,), True, memory)
        return BatchPass(self, self._train, (runs,), (runs,), batch_size, memory)

    def select(self, runs: Array) -> Problem:
        """The problem of some of the runs; itself where data are the same for all."""
        if self._train.x.ndim == 2:
            return self
        return Problem(self.network, self.loss, Data(self.train.x[runs], self.train.y[runs]))

    def chunk(self, samples: int | None = None, runs: int = 1) -> int:
        """How many candidates a run keep the working set within :data:`CHUNK_BYTES`."""
        sizes = self.network.layout.sizes
        # Tiles are of runs where there are several, with all their candidates.
        rows = sizes[-1] + 3 + (sum(sizes[1:-1]) if runs > 1 else 0)
        each = rows * (samples or self.samples) * self.network.dtype.itemsize * runs
        return max(1, CHUNK_BYTES // each)

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
        if batch is not None:
            lead = theta.shape[:-1]
            outer = batch.shape[:-1]
            part = BatchPass(self, self._train, lead, outer, batch.shape[-1])
            part.fill(batch, labels=accuracy)
            return self._scored(part, theta, loss, accuracy, gradient)
        own = self._passes.get((True, theta.shape[:-1], gradient))
        if own is not None:
            return self._scored(own, theta, loss, accuracy, gradient)
        if gradient:
            return self._score(theta, self._train, loss, accuracy, gradient)
        return self._in_pieces(theta, self._train, loss, accuracy)

    def _in_pieces(self, theta: Array, part: _Part, loss: bool, accuracy: bool) -> Score:
        """Candidates in pieces of about one length, for each length has its pass."""
        count, most = theta.shape[-2], self.chunk(part.x.shape[-1], prod(theta.shape[:-2]))
        if count <= most:
            return self._score(theta, part, loss, accuracy, False)
        size = ceil(count / ceil(count / most))
        pieces = [
            self._score(theta[..., start : start + size, :], part, loss, accuracy, False)
            for start in range(0, count, size)
        ]
        return Score(*(None if piece[0] is None else np.concatenate(piece, axis=-1)
                       for piece in zip(*pieces, strict=True)))  # fmt: skip

    def _score(self, theta: Array, part: _Part, loss: bool, accuracy: bool, gradient: bool) -> Score:
        key = (part is self._train, theta.shape[:-1], gradient)
        own = self._passes.get(key)
        if own is None:
            if len(self._passes) >= PASSES:
                self._passes.pop(next(iter(self._passes)))
            own = Pass(self, part.for_candidates(), theta.shape[:-1], gradient, self._memory)
            self._passes[key] = own
        return self._scored(own, theta, loss, accuracy, gradient)

    @staticmethod
    def _scored(own: Pass, theta: Array, loss: bool, accuracy: bool, gradient: bool) -> Score:
        np.copyto(own.theta, theta)
        run(own.calls(loss=loss, accuracy=accuracy, gradient=gradient))
        share = None if own.accuracy is None or not accuracy else own.accuracy.copy()
        # Of NaN and inf, inf.
        return Score(np.fmin(own.loss, INFINITY) if loss else None, share, own.gradient if gradient else None)

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
            scored = self._in_pieces(theta, part, True, True)
            columns += [
                np.full(theta.shape[:-1], np.nan) if values is None else values.astype(np.float64)
                for values in (scored.loss, scored.accuracy)
            ]
        return Evaluation(*(column[0] if single else column for column in columns))
