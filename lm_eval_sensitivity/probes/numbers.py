"""What several probes compute of numbers of which some are missing: means, quantiles, ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST_RANKED = 5
"""Pairs of numbers below which ranks say nothing."""


def mean(values: Iterable[float]) -> float:
    """Mean of those that are not NaN; NaN where none is left.

    Example:
        >>> mean([1.0, math.nan, 3.0]), mean([])
        (2.0, nan)
    """
    known = _known(list(values))
    return float(known.mean()) if len(known) else math.nan


def median(values: ArrayLike) -> float:
    """Median of those that are not NaN; NaN where none is left.

    Example:
        >>> median([1.0, math.nan, 3.0]), median([])
        (2.0, nan)
    """
    known = _known(values)
    return float(np.median(known)) if len(known) else math.nan


def quantile(values: ArrayLike, share: float) -> float:
    """Quantile of those that are not NaN; NaN where none is left.

    Example:
        >>> quantile([1.0, math.nan, 3.0], 0.5), quantile([], 0.5)
        (2.0, nan)
    """
    known = _known(values)
    return float(np.quantile(known, share)) if len(known) else math.nan


def _known(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array[~np.isnan(array)]


def by_prompt(values: Iterable[float], prompts: Sequence[str]) -> dict[str, float]:
    """Prompt id -> mean of its numbers, without those that are NaN; by letters.

    Example:
        >>> by_prompt([1.0, 3.0, math.nan], ["a", "a", "b"])
        {'a': 2.0, 'b': nan}
    """
    found: dict[str, list[float]] = {name: [] for name in sorted(set(prompts))}
    for value, name in zip(values, prompts, strict=True):
        found[name].append(value)
    return {name: mean(each) for name, each in found.items()}


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's correlation over places where both are numbers; NaN below 5 of them or without spread.

    Source: Spearman 1904.

    Example:
        >>> rank_correlation([1, 2, 3, 4, 5], [1, 4, 9, 16, 25])
        1.0
    """
    from scipy.stats import rankdata

    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    known = ~np.isnan(a + b)
    ranks = rankdata(a[known]), rankdata(b[known])
    if known.sum() < FEWEST_RANKED or not ranks[0].std() or not ranks[1].std():
        return math.nan
    return round(float(np.corrcoef(*ranks)[0, 1]), 12)
