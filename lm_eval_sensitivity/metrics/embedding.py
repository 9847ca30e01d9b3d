"""Distances between texts that are already vectors, and the pooling of a long text's windows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cosine_distance(u: ArrayLike | None, v: ArrayLike | None) -> float:
    """How far two vectors point apart.

    Formula: 1 - u.v / (||u|| ||v||), in float64.
    Range: [0, 2]; 0 = same direction, 1 = orthogonal, 2 = opposite; larger = further apart. No unit.
    Empty: nan when a side is None, empty, all zeros, or holds a NaN or an infinity.
    Identical: exactly 0.0, not a rounding error away from it.
    Source: Reimers & Gurevych 2019 (Sentence-BERT), section 3, use cosine similarity of sentence
        vectors; this is one minus it, clipped to its range.

    Args:
        u: vector of shape [dim], or None where there is nothing to compare.
        v: vector of shape [dim], or None.

    Raises:
        ValueError: the shapes differ, or are not [dim].

    Example:
        >>> cosine_distance([1.0, 0.0], [0.0, 2.0])
        1.0
        >>> cosine_distance([1.0, 0.0], None)
        nan
    """
    if u is None or v is None:
        return math.nan
    a, b = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"cosine_distance needs two vectors of one shape [dim], got {a.shape} and {b.shape}")
    if not _has_direction(a) or not _has_direction(b):
        return math.nan
    if np.array_equal(a, b):
        return 0.0  # the quotient below may miss 1 by an ulp, and a noise floor must be exactly zero
    # Dividing by the largest entry first: squares of very large or small entries leave float64.
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    cosine = float(a @ b) / (float(np.linalg.norm(a)) * float(np.linalg.norm(b)))
    return min(max(1.0 - cosine, 0.0), 2.0)


def _has_direction(vector: NDArray[np.float64]) -> bool:
    return bool(vector.size and np.isfinite(vector).all() and vector.any())


def split_into_windows(n_tokens: int, *, capacity: int) -> list[tuple[int, int]]:
    """Where an encoder that reads `capacity` tokens cuts a text of `n_tokens`.

    Consecutive half-open windows, all full but the last, which holds the rest: nothing is skipped
    and nothing is read twice.

    Range: ceil(n_tokens / capacity) windows; together they are exactly [0, n_tokens). Unit: tokens.
    Empty: no window for no token. A text that fits gives one.
    Identical: the cuts depend on nothing but the two numbers.
    Source: this project.

    Args:
        n_tokens: tokens of the text, special tokens not counted.
        capacity: tokens that one window can hold, special tokens not counted.

    Raises:
        ValueError: `capacity` is below 1.

    Example:
        >>> split_into_windows(600, capacity=254)
        [(0, 254), (254, 508), (508, 600)]
    """
    if capacity < 1:
        raise ValueError(f"capacity must be at least 1 token, got {capacity}")
    return [(start, min(start + capacity, n_tokens)) for start in range(0, n_tokens, capacity)]


def pool_windows(vectors: ArrayLike, n_tokens: ArrayLike) -> NDArray[np.float64]:
    """One vector for a text whose windows were encoded one by one.

    Formula: w = sum_i n_i v_i / sum_i n_i, then w / ||w||.
    Range: a vector of length 1. No unit.
    Empty: a vector of nan for no window, and where the average has no direction (opposite windows).
    Identical: windows that are all the same vector give that vector, normalised.
    Source: this project. Token counts as weights, so that a short last window counts for its share
        of the text and not for as much as a full one.

    Args:
        vectors: [window, dim], each normally of length 1.
        n_tokens: [window] number of tokens read in each window, special tokens not counted.

    Returns:
        Vector of shape [dim].

    Raises:
        ValueError: the shapes do not match.

    Example:
        >>> pool_windows([[1.0, 0.0], [0.0, 1.0]], [254, 254]).round(4).tolist()
        [0.7071, 0.7071]
    """
    rows, weights = np.asarray(vectors, dtype=np.float64), np.asarray(n_tokens, dtype=np.float64)
    if rows.ndim != 2 or weights.shape != rows.shape[:1]:
        raise ValueError(
            f"pool_windows needs [window, dim] and [window], got {rows.shape} and {weights.shape}"
        )
    total = weights.sum()
    undefined = np.full(rows.shape[1], np.nan)
    if total <= 0:
        return undefined
    mean: NDArray[np.float64] = (weights / total) @ rows
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0 else undefined
