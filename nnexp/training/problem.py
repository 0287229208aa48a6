"""A problem: network, loss and data, as functions of theta."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np

from nnexp.calls import run
from nnexp.data.dataset import Data, whole_of
from nnexp.data.mapped import beside
from nnexp.losses.loss import Loss
from nnexp.losses.measures import PREFIXES
from nnexp.losses.metrics import Metric
from nnexp.losses.targets import Target, target
from nnexp.network.buffers import Memory
from nnexp.network.network import Network, with_ones
from nnexp.training.columns import Columns
from nnexp.training.passes import BatchPass, Pass, Samples

Array = np.ndarray[Any, Any]

CHUNK_BYTES = 1 << 19
"""Largest size of the outputs, and the buffers of the loss, of candidates that are computed together.

Chosen by measurement with 1 MB of L2 cache. Hidden layers have their own tiles, see
:data:`nnexp.network.buffers.TILE_BYTES`.
"""

INFINITY = np.float32(np.inf)

PASS_BYTES = 1 << 22
"""Largest size of the hidden layers of a tile of runs, or of samples of one run, in training."""

LINE_BYTES = 64
"""The size of a cache line, and of the widest vector register."""

SAMPLE_BYTES = 1 << 23
"""Largest size of the hidden layers of samples that are evaluated together."""

OUTPUT_BYTES = 1 << 25
"""Largest size of the outputs of candidates for metrics, which need all samples at once."""

PASSES = 24
"""The most passes that a problem caches, each for one number of candidates."""


class Score(NamedTuple):
    """The results for candidates: loss and accuracy ``(..., K)``, gradient ``(..., K, P)``.

    NaN losses are read as +inf. Results that were not asked for are None. The gradient is a buffer that the next call
    overwrites. ``outputs (..., K, C, N)`` are those before the output activation.
    """

    loss: Array | None
    accuracy: Array | None
    gradient: Array | None
    outputs: Array | None


class Evaluation(Columns):
    """Loss, accuracy and metrics ``(...)`` on training data, held-out data and test data; NaN where undefined."""


class Problem:
    """Loss, accuracy and gradient of a network on data, for candidates ``(..., K, P)``.

    The data's own leading axis, if any, is the run axis: ``x (R, F, N)`` goes with theta ``(R, K, P)``.

    Args:
        metrics: evaluated in addition to loss and accuracy.

    Attributes:
        shape: of a sample, such as ``(channels, height, width)``, also where the network takes flat features.

    Raises:
        ValueError: targets that do not fit the network's outputs, or a metric.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        train: Data,
        test: Data | None = None,
        validation: Data | None = None,
        metrics: Sequence[Metric] = (),
    ) -> None:
        self.network, self.loss, self.train, self.test = network, loss, train, test
        self.validation = validation
        # Losses compute accuracy themselves.
        self.metrics = [metric for metric in metrics if metric.name != "accuracy"]
        self.samples = train.x.shape[-1]
        self.shape: tuple[int, ...] = network.features
        for data in (train, test, validation):
            if data is not None:
                to = self._target(data)
                for metric in metrics:
                    metric.check(to)
        self._passes: dict[Any, Pass] = {}
        self._memory = Memory()

    @cached_property
    def _train(self) -> Samples:
        return self._prepare(self.train)

    @cached_property
    def samples_in_rows(self) -> tuple[list[Array], Array | None]:
        """Inputs with a one and targets, ``(samples of all runs, F + 1)`` and ``(..., C)``, and labels.

        A mini-batch is then copied as whole rows and transposed, in a tenth of the time of single numbers.
        """
        x, dtype = self._in_dtype(self.train.x), self.network.dtype

        def write(inputs: Array) -> None:
            inputs[..., -1] = 1
            inputs[..., :-1] = x.swapaxes(-1, -2)

        inputs = beside(x, "rows", (*x.shape[:-2], x.shape[-1], x.shape[-2] + 1), write)
        to = target(self.train.y, self.network.layout.sizes[-1], dtype, x.ndim - 2)
        values = np.array(to.values.swapaxes(-1, -2), order="C")
        labels = None if to.labels is None else to.labels.reshape(-1)
        return [inputs.reshape(-1, inputs.shape[-1]), values.reshape(-1, values.shape[-1])], labels

    def tile(self, samples: int) -> tuple[int, int]:
        """The number of runs, and of samples of a run, in a tile of :data:`PASS_BYTES` for training.

        It depends on shapes alone. With batch normalisation samples are not divided.
        """
        each = self.network.scratch * self.network.dtype.itemsize * samples
        if each <= PASS_BYTES or self.network.couples:
            return max(1, PASS_BYTES // max(2 * each, 1)), samples
            # Multiples of a cache line: loops over them are a seventh faster.
        line = LINE_BYTES // self.network.dtype.itemsize
        return 1, min(samples, line * ceil(samples / ceil(each / PASS_BYTES) / line))

    def _target(self, data: Data) -> Target:
        return target(data.y, self.network.layout.sizes[-1], self.network.dtype, data.x.ndim - 2)

    def _in_dtype(self, x: Array) -> Array:
        return x if x.dtype == self.network.dtype else x.astype(self.network.dtype)

    def _prepare(self, data: Data) -> Samples:
        x = self._in_dtype(data.x)
        whole = whole_of(x)
        return Samples(with_ones(x) if whole is None else whole, self._target(data))

    def bind(
        self,
        runs: int,
        batch_size: int | None,
        memory: Memory,
        draws: Sequence[np.random.Generator] = (),
    ) -> Pass:
        """A pass with gradient for thetas ``(runs, P)``, on all samples or on batches ``(runs, batch_size)``.

        The pass is one of training, as for dropout. Passes with one ``memory`` share theta and gradient.

        Args:
            draws: a generator for each run, for layers with random numbers.
        """
        if batch_size is None:
            return Pass(self, self._train, (runs,), True, memory, True, draws)
        return BatchPass(self, (runs,), (runs,), batch_size, memory, True, draws)

    def select(self, runs: Array) -> Problem:
        """The problem of some of the runs; unchanged where runs share data."""
        if self.train.x.ndim == 2:
            return self
        return Problem(self.network, self.loss, Data(self.train.x[runs], self.train.y[runs]))

    def row_samples(self, train: bool) -> int:
        """The number of samples that a row is measured on: validation and test data, and with ``train`` training data.

        Metrics always need the training data.
        """
        others = (data.x.shape[-1] for data in (self.validation, self.test) if data is not None)
        return (self.samples if train or self.metrics else 0) + sum(others)

    @cached_property
    def digest(self) -> str:
        """A hash of the content of all data, sixteen hexadecimal digits, computed once for runs that share data."""
        total = hashlib.sha256()
        for array in (
            a for data in (self.train, self.test, self.validation) if data is not None for a in data
        ):
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).data)
        return total.hexdigest()[:16]

    @property
    def held_out(self) -> Data | None:
        """The data of ``val_loss`` and ``val_accuracy``: validation data, else test data."""
        return self.test if self.validation is None else self.validation

    def chunk(self, samples: int | None = None, runs: int = 1) -> int:
        """The number of candidates a run whose working set is within :data:`CHUNK_BYTES`."""
        # Tiles are of runs where there are several, with all their candidates.
        rows = self.network.layout.sizes[-1] + 3 + (self.network.scratch if runs > 1 else 0)
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
        """Evaluate candidates ``(..., K, P)`` on the training data, or on its samples ``batch (..., B)``."""
        if batch is not None:
            lead = theta.shape[:-1]
            outer = batch.shape[:-1]
            part = BatchPass(self, lead, outer, batch.shape[-1])
            part.fill(batch, labels=accuracy)
            return self._scored(part, theta, loss, accuracy, gradient)
        own = self._passes.get((id(self._train), theta.shape[:-1], gradient))
        if own is not None:
            return self._scored(own, theta, loss, accuracy, gradient)
        if gradient:
            return self._score(theta, self._train, loss, accuracy, gradient)
        return self._in_pieces(theta, self._train, loss, accuracy)

    def _in_pieces(
        self, theta: Array, part: Samples, loss: bool, accuracy: bool, outputs: Array | None = None
    ) -> Score:
        """Evaluate candidates in pieces of about equal length, since each length needs a pass; writes ``outputs``."""
        count, most = theta.shape[-2], self.chunk(part.x.shape[-1], prod(theta.shape[:-2]))
        size = ceil(count / ceil(count / most))
        pieces = []
        for start in range(0, count, size):
            at = slice(start, start + size)
            piece = self._score(theta[..., at, :], part, loss, accuracy, False, outputs is not None)
            if outputs is not None:
                outputs[..., at, :, :] = piece.outputs
            pieces.append(piece._replace(outputs=None))
        if len(pieces) == 1:
            return pieces[0]
        return Score(*(None if piece[0] is None else np.concatenate(piece, axis=-1)
                       for piece in zip(*pieces, strict=True)))  # fmt: skip

    def _score(
        self,
        theta: Array,
        part: Samples,
        loss: bool,
        accuracy: bool,
        gradient: bool,
        outputs: bool = False,
    ) -> Score:
        key = (id(part), theta.shape[:-1], gradient)
        own = self._passes.get(key)
        if own is None:
            if len(self._passes) >= PASSES:
                self._passes.pop(next(iter(self._passes)))
            own = Pass(self, part.for_candidates(), theta.shape[:-1], gradient, self._memory)
            self._passes[key] = own
        return self._scored(own, theta, loss, accuracy, gradient, outputs)

    @staticmethod
    def _scored(
        own: Pass, theta: Array, loss: bool, accuracy: bool, gradient: bool, outputs: bool = False
    ) -> Score:
        np.copyto(own.theta, theta)
        run(own.calls(loss=loss, accuracy=accuracy, gradient=gradient, outputs=outputs))
        share = None if own.accuracy is None or not accuracy else own.accuracy.copy()
        # A NaN loss becomes inf.
        return Score(
            np.fmin(own.loss, INFINITY) if loss else None,
            share,
            own.gradient if gradient else None,
            own.outputs if outputs else None,
        )

    def evaluate(self, theta: Array, train: bool = True) -> Evaluation:
        """Loss, accuracy and metrics of theta ``(T, P)``, or ``(R, T, P)`` where data has runs.

        Without ``train`` those of training data are not computed. Test data have their own columns only where there are
        validation data too.
        """
        theta = np.asarray(theta, self.network.dtype)
        single = theta.ndim == 1
        theta = theta[None] if single else theta
        parts = (
            (self.train, self._train_pieces if train else []),
            (self.held_out, self._held_out_pieces),
            (self.test, self._test_pieces),
        )
        found = Evaluation()
        for prefix, (data, pieces) in zip(PREFIXES, parts, strict=True):
            columns = self._measured(theta, data, pieces)
            found |= {f"{prefix}{name}": column[0] if single else column for name, column in columns.items()}
        return found

    def _measured(self, theta: Array, data: Data | None, pieces: list[Samples]) -> dict[str, Array]:
        """Loss, accuracy and metrics of theta ``(..., T, P)`` on the samples of ``pieces``, NaN without any."""
        names = ("loss", "accuracy", *(metric.name for metric in self.metrics))
        found = {name: np.full(theta.shape[:-1], np.nan) for name in names}
        samples = sum(piece.x.shape[-1] for piece in pieces)
        if data is None or not pieces:
            return found
        outputs = None
        if self.metrics:
            each, count = self.network.layout.sizes[-1] * samples, theta.shape[-2]
            most = OUTPUT_BYTES // (each * self.network.dtype.itemsize * prod(theta.shape[:-2]))
            if 1 < count > most:
                blocks = [theta[..., at : at + max(1, most), :] for at in range(0, count, max(1, most))]
                parts = [self._measured(block, data, pieces) for block in blocks]
                return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in names}
            outputs = np.empty((*theta.shape[:-1], each // samples, samples), self.network.dtype)
        start = 0
        for piece in pieces:
            count = piece.x.shape[-1]
            own = None if outputs is None else outputs[..., start : start + count]
            scored = self._in_pieces(theta, piece, True, True, own)
            for name, values in (("loss", scored.loss), ("accuracy", scored.accuracy)):
                if values is not None:
                    share = count / samples * values.astype(np.float64)
                    found[name][...] = share + (found[name] if start else 0)
            start += count
        if outputs is not None:
            self.network.output(outputs)
            unknown = np.isnan(outputs).any(axis=(-2, -1))
            to = Samples(data.x, self._target(data)).for_candidates().to
            for metric in self.metrics:
                found[metric.name][...] = np.where(unknown, np.nan, metric.value(outputs, to))
        return found

    @cached_property
    def _train_pieces(self) -> list[Samples]:
        return self._sample_pieces(self.train)

    @cached_property
    def _held_out_pieces(self) -> list[Samples]:
        return [] if self.held_out is None else self._sample_pieces(self.held_out)

    @cached_property
    def _test_pieces(self) -> list[Samples]:
        return [] if self.test is None or self.validation is None else self._sample_pieces(self.test)

    def _sample_pieces(self, data: Data) -> list[Samples]:
        """Pieces whose hidden layers take :data:`SAMPLE_BYTES` for one network, the same in any group."""
        each, samples = self.network.scratch * self.network.dtype.itemsize, data.x.shape[-1]
        count = ceil(samples * each / SAMPLE_BYTES)
        if count <= 1:
            return [self._train if data is self.train else self._prepare(data)]
        size = ceil(samples / count)
        pieces = [slice(start, start + size) for start in range(0, samples, size)]
        x = self._in_dtype(data.x)
        whole = whole_of(x)
        return [
            Samples(
                with_ones(x[..., at]) if whole is None else whole[:, at],
                self._target(Data(data.x[..., at], data.y[..., at])),
            )
            for at in pieces
        ]
