"""Passes: forward and backward calls of a problem on one shape, in tiles and on mini-batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nnexp.calls import Call
from nnexp.losses.targets import Target, classes_first
from nnexp.network.buffers import Memory

if TYPE_CHECKING:
    from nnexp.training.problem import Problem

Array = np.ndarray[Any, Any]


class Samples(NamedTuple):
    """Inputs with their row of ones, and targets."""

    x: Array
    to: Target

    def of_runs(self, runs: slice) -> Samples:
        """Those of some of the runs; unchanged where runs share data."""
        if self.x.ndim == 2:
            return self
        values, scaled, mask = (array[runs] for array in (self.to.values, self.to.scaled, self.to.mask))
        labels = None if self.to.labels is None else self.to.labels[runs]
        return Samples(self.x[runs], Target(values, scaled, labels, mask))

    def of_samples(self, at: slice) -> Samples:
        """Some of the samples, with their own copy of the scaled targets."""
        values, scaled, labels, mask = self.to
        own = np.copy(scaled[..., at], order="K")
        to = Target(values[..., at], own, None if labels is None else labels[..., at], mask[..., at])
        return Samples(self.x[..., at], to)

    def for_candidates(self) -> Samples:
        """The same for candidates: with a run axis, an axis of length one is inserted after it."""
        if self.x.ndim == 2:
            return self
        values, scaled, mask = (
            array[..., None, :, :] for array in (self.to.values, self.to.scaled, self.to.mask)
        )
        labels = None if self.to.labels is None else self.to.labels[..., None, :]
        return Samples(self.x[..., None, :, :], Target(values, scaled, labels, mask))


class Pass:
    """A forward pass and a backward pass for one leading shape, their calls bound once.

    In training they are computed in tiles of runs, and of samples where one run does not fit into the cache: see
    :meth:`Problem.tile`.

    Args:
        training: whether the pass is one of training, as for dropout; then ``lead`` is ``(R,)``.
        draws: a generator for each run, in training.
        given: arrays for theta and gradient ``(*lead, P)``; None: new arrays.

    Attributes:
        theta: ``(*lead, P)``, written by the caller.
        loss: ``(*lead)``, NaN or infinite where theta's outputs are.
        accuracy: ``(*lead)``; None where targets are not classes.
        gradient: ``(*lead, P)``; None if it was not asked for.
        outputs: before the output activation ``(*lead, C, N)``, where they are asked for outside training.
        update: calls to run with an update of theta.
    """

    theta: Array
    loss: Array
    accuracy: Array | None
    gradient: Array | None
    outputs: Array

    def __init__(
        self,
        problem: Problem,
        part: Samples,
        lead: tuple[int, ...],
        gradient: bool,
        memory: Memory | None = None,
        training: bool = False,
        draws: Sequence[np.random.Generator] = (),
        given: tuple[Array, Array] | None = None,
    ) -> None:
        self._calls: dict[tuple[bool, ...], tuple[Call, ...]] = {}
        self._tiles: list[_Tile] = []
        if training and given is None:
            runs, samples = problem.tile(part.x.shape[-1])
            if runs < lead[0] or samples < part.x.shape[-1]:
                self._tile(problem, part, lead[0], runs, samples, memory or Memory(), draws)
                return
        self._work = problem.network.workspace(part.x, lead, gradient, memory, training, draws, given)
        self._measure = problem.loss.bind(self._work.z, part.to, problem.network.output)
        self.theta, self.gradient = self._work.theta, self._work.gradient
        self.loss, self.accuracy = self._measure.loss, self._measure.accuracy
        self.update: tuple[Call, ...] = tuple(self._work.update)

    def _tile(
        self,
        problem: Problem,
        part: Samples,
        runs: int,
        size: int,
        samples: int,
        memory: Memory,
        draws: Sequence[np.random.Generator],
    ) -> None:
        """Bind tiles of ``size`` runs and ``samples`` samples, computed one after another in the same buffers."""
        network, total = problem.network, part.x.shape[-1]
        shape, dtype = (runs, network.layout.size), network.dtype
        theta, gradient = (memory.take(name, shape, dtype) for name in ("theta", "gradient"))
        self.theta, self.gradient = theta, gradient
        self.loss = np.empty(runs, dtype)
        self.accuracy = None if part.to.labels is None else np.empty(runs)
        for start in range(0, runs, size):
            at = slice(start, min(start + size, runs))
            whole, generators = part.of_runs(at), draws[at]
            if samples == total:
                own = Pass(
                    problem,
                    whole,
                    (at.stop - start,),
                    True,
                    memory,
                    True,
                    generators,
                    (theta[at], gradient[at]),
                )
                self._tiles.append(_Tile(own, at, None, [], []))
                continue
            # A run's gradient is the sum over the tiles of its samples, whose sizes depend on shapes alone.
            own_gradient = memory.take("gradient of a tile", (at.stop - start, shape[1]), dtype)
            for first in range(0, total, samples):
                among = slice(first, min(first + samples, total))
                share, piece = (among.stop - first) / total, whole.of_samples(among)
                inverse = dtype.type(1 / share)
                before: list[Call] = [
                    partial(np.multiply, whole.to.scaled[..., among], inverse, piece.to.scaled)
                ]
                after: list[Call] = [partial(np.multiply, own_gradient, dtype.type(share), own_gradient)]
                after.append(_added(own_gradient, gradient[at], first == 0))
                own = Pass(
                    problem,
                    piece,
                    (at.stop - start,),
                    True,
                    memory,
                    True,
                    generators,
                    (theta[at], own_gradient),
                )
                self._tiles.append(_Tile(own, at, (share, first == 0), before, after))
        self.update = tuple(call for tile in self._tiles for call in tile.own.update)

    def _tiled(self, *, loss: bool, accuracy: bool, gradient: bool) -> list[Call]:
        calls: list[Call] = []
        for own, at, share, before, after in self._tiles:
            calls += [*before, *own.calls(loss=loss, accuracy=accuracy, gradient=gradient)]
            calls += after if gradient else []
            for asked, of, to in ((loss, own.loss, self.loss), (accuracy, own.accuracy, self.accuracy)):
                if not asked or of is None or to is None:
                    continue
                if share is None:
                    calls.append(partial(np.copyto, to[at], of))
                else:
                    calls.append(partial(np.multiply, of, of.dtype.type(share[0]), of))
                    calls.append(_added(of, to[at], share[1]))
        return calls

    def calls(
        self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False, outputs: bool = False
    ) -> tuple[Call, ...]:
        """The calls, in order, that write the requested results."""
        calls = self._calls.get((loss, accuracy, gradient, outputs))
        if calls is None:
            if self._tiles:
                calls = tuple(self._tiled(loss=loss, accuracy=accuracy, gradient=gradient))
            else:
                measured = self._measure.calls(loss=loss, accuracy=accuracy, gradient=gradient)
                kept = [self._keep_outputs] if outputs else []
                backward = self._work.backward if gradient else ()
                calls = (*self._work.forward, *kept, *measured, *backward)
            self._calls[loss, accuracy, gradient, outputs] = calls
        return calls

    def _keep_outputs(self) -> None:
        # The measure overwrites them.
        self.outputs = self._work.z.copy()

    def fill(self, batch: Array, labels: bool = False) -> None:
        """Do nothing: the pass has all samples."""


class _Tile(NamedTuple):
    """A tile's pass, its runs, its share of their samples and whether it is the first tile (None: all samples)."""

    own: Pass
    runs: slice
    share: tuple[float, bool] | None
    before: list[Call]
    after: list[Call]


def _added(array: Array, to: Array, first: bool) -> Call:
    """The call that adds ``array`` to ``to``, or copies it if it is the first."""
    return partial(np.copyto, to, array) if first else partial(np.add, to, array, to)


class BatchPass(Pass):
    """A pass on mini-batches of ``size`` samples, which :meth:`fill` copies into its buffers.

    Args:
        outer: the leading shape of the batches: the runs, if each has its own batch.
    """

    def __init__(
        self,
        problem: Problem,
        lead: tuple[int, ...],
        outer: tuple[int, ...],
        size: int,
        memory: Memory | None = None,
        training: bool = False,
        draws: Sequence[np.random.Generator] = (),
    ) -> None:
        self._from, self._labels = problem.samples_in_rows
        buffers = [np.empty((*outer, a.shape[-1], size), a.dtype) for a in self._from]
        labels = None if self._labels is None else np.empty((*outer, size), np.int64)
        empty = classes_first(buffers[1])
        to = Target(buffers[1], empty, labels, np.empty_like(empty, bool))
        self._rows = [np.empty((*outer, size, a.shape[-1]), a.dtype) for a in self._from]
        self._index = np.empty((*outer, size), np.intp)
        # The first sample of each run, where the data have a run axis.
        runs = problem.train.x.shape[:-2]
        self._starts = np.arange(prod(runs)).reshape(*runs, 1) * problem.samples
        self._buffers, self._to = buffers, to
        fit = Samples(buffers[0], to)
        fit = fit.for_candidates() if len(lead) > len(outer) else fit
        super().__init__(problem, fit, lead, True, memory, training, draws)

    def fill(self, batch: Array, labels: bool = False) -> None:
        """Copy the samples ``batch (*outer, B)``, and their labels if accuracy will be needed."""
        np.add(batch, self._starts, self._index)
        for source, rows, buffer in zip(self._from, self._rows, self._buffers, strict=True):
            source.take(self._index, axis=0, out=rows, mode="clip")
            np.copyto(buffer, rows.swapaxes(-1, -2))
        np.divide(self._to.values, self._to.values.dtype.type(batch.shape[-1]), self._to.scaled)
        if labels and self._to.labels is not None and self._labels is not None:
            self._labels.take(self._index, out=self._to.labels, mode="clip")
            np.not_equal(self._to.values, 0, self._to.mask)
