"""Sequences of any hashable symbols as integer codes, so that numpy can compare them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Symbols = Sequence[Hashable] | NDArray[Any]
"""Token ids (list, tuple or array of shape [step]), words, or any other hashable symbols."""


def as_codes(*sequences: Symbols) -> tuple[NDArray[np.int32], ...]:
    """The sequences with one shared numbering: codes are equal where and only where symbols are.

    Example:
        >>> [codes.tolist() for codes in as_codes(["a", "b"], ["b", "c"])]
        [[0, 1], [1, 2]]
    """
    numbering: dict[Hashable, int] = {}
    return tuple(
        np.array([numbering.setdefault(item, len(numbering)) for item in as_list(sequence)], dtype=np.int32)
        for sequence in sequences
    )


def as_list(sequence: Symbols) -> list[Hashable]:
    """The symbols as a plain list; numpy integers become Python's, which hash and compare faster.

    Raises:
        TypeError: a string. It is a sequence of characters, and nobody means those.

    Example:
        >>> as_list((5, 7))
        [5, 7]
    """
    if isinstance(sequence, str):
        raise TypeError("token ids or words are needed, got one string: write text.split()")
    return list(sequence.tolist() if isinstance(sequence, np.ndarray) else sequence)
