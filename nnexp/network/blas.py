"""The BLAS that NumPy calls."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

AVX512 = ("SkylakeX", "Cooperlake", "SapphireRapids")
"""OpenBLAS kernels that compute small products without packing their operands first."""

SYMBOLS = tuple(
    f"{prefix}openblas_get_corename{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "")
)


@cache
def core_name() -> str:
    """The kernels that OpenBLAS chose for this machine, or that OPENBLAS_CORETYPE names; empty for another BLAS."""
    file = getattr(getattr(getattr(np, "_core", None), "_multiarray_umath", None), "__file__", None)
    if file is None:
        return ""
    # A handle of NumPy's library also finds symbols of the BLAS that it is linked to.
    library = ctypes.CDLL(file)
    for symbol in SYMBOLS:
        function = getattr(library, symbol, None)
        if function is not None:
            function.restype = ctypes.c_char_p
            return bytes(function()).decode()
    return ""


def skips_packing() -> bool:
    """Whether small products are computed without packing."""
    return core_name() in AVX512
