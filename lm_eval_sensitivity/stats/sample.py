"""What every statistic demands of its prompt-level numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Records made of arrays are compared by identity (eq=False): arrays have no single answer to ==.
Floats = NDArray[np.float64]

MIN_PROMPTS = 5
"""Below this nothing is computed: a spread of four numbers says nothing about the next prompt."""

ROUNDING = 1e-12
"""Relative size below which a difference is the rounding of equal numbers."""


def sorted_sample(values: ArrayLike) -> Floats:
    """[prompt] numbers without NaN, smallest first: what a statistic of exchangeable prompts works on.

    Sorting by value makes every resample independent of the order in which prompts came.

    Args:
        values: [prompt] numbers; NaN for prompts without one.

    Returns:
        [prompt with a number].

    Raises:
        ValueError: not one-dimensional, or an infinite value.

    Example:
        >>> sorted_sample([0.3, float("nan"), 0.1]).tolist()
        [0.1, 0.3]
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"one number per prompt needed, shape [prompt], got {array.shape}")
    if np.isinf(array).any():
        raise ValueError("prompt-level numbers must be finite, or NaN for a prompt without one")
    return np.sort(array[~np.isnan(array)] + 0.0)  # + 0.0: -0.0 and 0.0 have no order between them


def too_few_prompts(n: int) -> str | None:
    """The sentence that refuses a sample, or None.

    Args:
        n: prompts that have a number.

    Returns:
        A sentence below `MIN_PROMPTS`, else None.

    Example:
        >>> too_few_prompts(3)
        '3 prompts have a number, at least 5 are needed.'
    """
    return None if n >= MIN_PROMPTS else f"{n} prompts have a number, at least {MIN_PROMPTS} are needed."


def has_spread(sample: Floats) -> bool:
    """Whether the numbers differ by more than rounding.

    Args:
        sample: [prompt] numbers, at least one.

    Returns:
        False where they are one number within `ROUNDING` of the largest.

    Example:
        >>> has_spread(np.array([0.1 + 0.2, 0.3])), has_spread(np.array([0.1, 0.3]))
        (False, True)
    """
    return bool(np.ptp(sample) > ROUNDING * np.abs(sample).max())


def read_only(array: Floats) -> Floats:
    """The array, locked: results are shared, and nobody may change them in place.

    Args:
        array: of any shape; locked in place.

    Returns:
        The same array.
    """
    array.setflags(write=False)
    return array
