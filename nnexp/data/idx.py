"""Images in IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.config.settings import ConfigError, Range, setting
from nnexp.data import columns as files
from nnexp.data.dataset import Dataset, Generators, Sizes, Split, frozen

Array = np.ndarray[Any, Any]

CLASSES = 10

BYTE = 8
"""The type of elements, in the third byte of a file: unsigned bytes."""


class Places(NamedTuple):
    """The files of a set."""

    images: str
    labels: str
    test_images: str
    test_labels: str


NAMES = Places(
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
)


@dataclass(frozen=True)
class IdxImages(Dataset):
    """Grey images of ten classes, pixels from 0 to 1, from IDX files in a folder, which may end in ``.gz``.

    The last of the training images are for validation, so that all seeds share one set of data.
    """

    path: str | None = setting(None, "the folder of the four IDX files")
    validation_samples: int = setting(10_000, "of the training images, the last, 0 for none", Range(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path is not None:
            object.__setattr__(self, "path", files.absolute(self.path))

    def sizes(self) -> Sizes:
        places = self._places()
        (total, high, wide), (tests, *other) = (
            shape_of(place) for place in (places.images, places.test_images)
        )
        if other != [high, wide]:
            raise ConfigError(
                f"{places.test_images}: images of {other} pixels; expected {[high, wide]}, as in training"
            )
        if self.validation_samples >= total:
            raise ConfigError(f"dataset.validation_samples={self.validation_samples}: expected fewer than the "
                              f"{total} training images")  # fmt: skip
        train = total - self.validation_samples
        return Sizes((1, high, wide), CLASSES, train, self.validation_samples, tests)

    def load(self, draws: Generators, dtype: Any) -> Split:
        sizes, places = self.sizes(), self._places()
        kind, train = np.dtype(dtype), sizes.samples
        x, y = (read(place) for place in (places.images, places.labels))
        test = read(places.test_images), read(places.test_labels)
        for place, images, labels in ((places.labels, x, y), (places.test_labels, *test)):
            if labels.shape != images.shape[:1]:
                raise ConfigError(
                    f"{place}: {len(labels)} labels; expected one for each of {len(images)} images"
                )
            if labels.max(initial=0) >= CLASSES:
                raise ConfigError(f"{place}: label {labels.max()}; expected 0 to {CLASSES - 1}")

        def data(images: Array, labels: Array) -> Any:
            return frozen(images.reshape(len(images), -1).T, labels, kind, 255)

        validation = data(x[train:], y[train:]) if sizes.validation else None
        return Split(data(x[:train], y[:train]), validation, data(*test) if sizes.test else None)

    def digest(self) -> str:
        if self.path is None:
            return ""
        total = " ".join(files.digest(place) for place in self._places())
        return hashlib.sha256(total.encode()).hexdigest()[:16]

    def _places(self) -> Places:
        if self.path is None:
            raise ConfigError("dataset.path=null: expected the folder of the four IDX files")
        return Places(*(_place(self.path, name) for name in NAMES))


@dataclass(frozen=True)
class MNIST(IdxImages):
    """Handwritten digits, 28 x 28 pixels (LeCun et al., 1998)."""


@dataclass(frozen=True)
class FashionMNIST(IdxImages):
    """Pieces of clothing, 28 x 28 pixels (Xiao et al., 2017)."""


def read(place: str) -> Array:
    """The array of bytes in an IDX file.

    Raises:
        ConfigError: not an IDX file, or an incomplete one.
    """
    shape = shape_of(place)
    with _opened(place) as file:
        try:
            content = file.read()[4 + 4 * len(shape) :]
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigError(f"{place}: damaged or incomplete gzip file ({error})") from error
    if len(content) != np.prod(shape):
        raise ConfigError(f"{place}: {len(content)} bytes; expected {np.prod(shape)} for an array of {shape}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def shape_of(place: str) -> tuple[int, ...]:
    """The shape in the header of an IDX file.

    Raises:
        ConfigError: not an IDX file of bytes.
    """
    found = os.stat(place)
    return _shape(place, found.st_mtime_ns, found.st_size)


@lru_cache(64)
def _shape(place: str, changed: int, size: int) -> tuple[int, ...]:
    axes = 3 if "images" in Path(place).name else 1
    with _opened(place) as file:
        try:
            head = file.read(4 + 4 * axes)
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigError(f"{place}: not a gzip file ({error})") from error
    if len(head) < 4 + 4 * axes or tuple(head[:4]) != (0, 0, BYTE, axes):
        raise ConfigError(f"{place}: not an IDX file of bytes with {axes} axes")
    return struct.unpack(f">{axes}I", head[4:])


def _opened(place: str) -> Any:
    return gzip.open(place) if place.endswith(".gz") else open(place, "rb")


def _place(folder: str, name: str) -> str:
    """The file of this name, plain or compressed; some copies have a dot before ``idx``."""
    for own in (name, name.replace("-idx", ".idx")):
        for place in (Path(folder, own), Path(folder, f"{own}.gz")):
            if place.is_file():
                return os.fspath(place)
    raise ConfigError(f"dataset.path={folder}: expected a folder with {name} or {name}.gz")
