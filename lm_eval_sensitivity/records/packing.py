"""Compact, safe text form for numeric arrays inside JSON: result files and the response store use it.

A packed array is a small JSON object: `{"dtype": "<f4", "n": 512, "z": "..."}`, where `z` is the
base64 of the zlib-compressed little-endian bytes. Anyone can read it back with three lines of
Python; nothing is ever unpickled, and a size is declared first so that a hostile file cannot make
a reader inflate gigabytes.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DTYPES = {"<i4": np.dtype("<i4"), "<f4": np.dtype("<f4")}
"""Token ids and counts are 32-bit integers, everything measured is a 32-bit float."""

MAX_VALUES = 16_777_216
"""Largest array that is read back: far above any vocabulary, hidden size or output length."""


def pack(values: ArrayLike, dtype: str) -> dict[str, Any]:
    """A one-dimensional array as a JSON object.

    Args:
        values: array of shape [value]; empty is allowed.
        dtype: `<i4` or `<f4`.

    Example:
        >>> unpack(pack([3, 1, 2], "<i4")).tolist()
        [3, 1, 2]
    """
    array = np.asarray(values, dtype=DTYPES[dtype]).reshape(-1)
    compressed = zlib.compress(array.tobytes(), 6)
    return {"dtype": dtype, "n": int(array.size), "z": base64.b64encode(compressed).decode("ascii")}


def unpack(packed: Mapping[str, Any]) -> NDArray[Any]:
    """The array of shape [value] that `pack` was given.

    Raises:
        ValueError: the object is not a packed array, or its bytes do not match its declared size.

    Example:
        >>> unpack({"dtype": "<f4", "n": 1, "z": "AAAA"})
        Traceback (most recent call last):
        ...
        ValueError: packed array: the compressed bytes are damaged
    """
    if not isinstance(packed, Mapping):
        raise ValueError(f"packed array: expected an object with dtype, n and z, got {type(packed).__name__}")
    dtype, n_values, text = packed.get("dtype"), packed.get("n"), packed.get("z")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"packed array: dtype {dtype!r} is not one of {', '.join(DTYPES)}")
    if not isinstance(n_values, int) or isinstance(n_values, bool) or not 0 <= n_values <= MAX_VALUES:
        raise ValueError(f"packed array: n {n_values!r} is not a whole number from 0 to {MAX_VALUES}")
    if not isinstance(text, str):
        raise ValueError(f"packed array: z is {type(text).__name__}, expected base64 text")
    n_bytes = n_values * DTYPES[dtype].itemsize
    try:
        decompressor = zlib.decompressobj()
        # One byte more than declared is enough to see that too much is there.
        raw = decompressor.decompress(base64.b64decode(text, validate=True), n_bytes + 1)
    except (zlib.error, binascii.Error, ValueError):
        raise ValueError("packed array: the compressed bytes are damaged") from None
    if len(raw) != n_bytes or not decompressor.eof:
        raise ValueError(f"packed array: declared {n_values} values, found bytes that do not match")
    return np.frombuffer(raw, dtype=DTYPES[dtype])
