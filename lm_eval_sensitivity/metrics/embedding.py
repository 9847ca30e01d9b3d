"""Distances between texts that are already vectors, and the pooling of a long text's windows."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.metrics.catalogue import WINDOWS_TOKENS, MetricCard, register
from lm_eval_sensitivity.metrics.inputs import PairInputs
from lm_eval_sensitivity.types import Missing

COSINE = MetricCard(
    name="cosine_distance",
    what="Cosine distance of the sentence vectors of the two outputs; `unreadable` where the embedder cannot read one.",
    family="text",
    low=0,
    high=2,
    direction="larger = further apart",
    unit="none",
    needs=("text",),
    source="Reimers & Gurevych 2019, section 3 (cosine similarity of sentence vectors), one minus it",
    formula="1 - u.v / (||u|| ||v||)",
    undefined="empty: one of the texts has nothing to embed",
    in_table=True,
    computed_by="metrics.embedding.cosine_distance",
)


def _in_window(pair: PairInputs, window: int) -> float | Missing:
    base, variant = pair.base.windows, pair.variant.windows
    if isinstance(base, Missing):
        return base
    if isinstance(variant, Missing):
        return variant
    return pair.distance(base[window], variant[window])


register(COSINE, lambda pair: pair.distance(*pair.both("text")))
for _window in WINDOWS_TOKENS:
    register(
        replace(
            COSINE,
            name=f"cosine_distance_{_window}",
            what=f"Cosine distance of the sentence vectors of the first {_window} generated tokens.",
            needs=("token ids", "text"),
            window=_window,
        ),
        partial(_in_window, window=_window),
    )
register(
    replace(
        COSINE,
        name="baseline_drift",
        what="Cosine distance of a reference's and this system's output on the identical prompt; of a pair, on its "
        "base prompt. A mean is over the base prompt and its harmless variants.",
        source="this project: the cosine distance between two systems instead of two prompts",
        scope="prompt",
    )
)

register(
    replace(
        COSINE,
        name="variant_drift",
        what="Cosine distance of a reference's and this system's output on the identical variant prompt.",
        source="this project: the cosine distance between two systems instead of two prompts",
        scope="variant",
        in_table=False,
    )
)

register(
    replace(
        COSINE,
        name="output_spread",
        what="Mean cosine distance of the output to the base prompt from the outputs to all other base prompts.",
        formula="mean over j != i of 1 - u_i.u_j",
        source="this project: the cosine distance between two prompts of one system",
        scope="prompt",
        computed_by="metrics.embedding.output_spread",
    )
)


def cosine_distance(u: ArrayLike | None, v: ArrayLike | None) -> float:
    """How far two vectors point apart.

    Formula: 1 - u.v / (||u|| ||v||), in float64.
    Range: [0, 2]; 0 = same direction, 1 = orthogonal, 2 = opposite; larger = further apart. No unit.
    Empty: nan when a side is None, empty, all zeros, or holds a NaN or an infinity.
    Identical: exactly 0.0, not a rounding error away from it.
    Source: Reimers & Gurevych 2019 (Sentence-BERT), section 3, use cosine similarity of sentence
        vectors; this is one minus it, clipped to its range.

    Args:
        u: [dim] vector, or None where there is nothing to compare.
        v: [dim] vector, or None.

    Returns:
        A float in [0, 2], or nan.

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


def output_spread(vectors: ArrayLike) -> NDArray[np.float64]:
    """How different a system's outputs to different prompts are, prompt by prompt.

    Formula: s_i = mean over j != i of 1 - u_i.u_j with unit rows u, from the sum S of all n of them:
        1 - (u_i.S - 1) / (n - 1). The mean of all s_i is the mean over all pairs of rows.
    Range: [0, 2], in practice below 1; near 0 = the system answers everything alike. No unit.
    Empty: nan below two rows with a direction. Rows of nan or zeros (empty outputs) are left out and get nan.
    Identical: exactly 0.0 where all rows are the same.
    Source: this project; the cosine distance of `cosine_distance`.

    Args:
        vectors: [prompt, dim] one output vector per prompt.

    Returns:
        float64 array [prompt].

    Raises:
        ValueError: the shape is not [prompt, dim].

    Example:
        >>> output_spread([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]]).tolist()
        [1.0, 0.5, 0.5]
    """
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"output_spread needs [prompt, dim], got {rows.shape}")
    there = np.array([_has_direction(row) for row in rows], dtype=bool)
    spread = np.full(len(rows), np.nan)
    rows = rows[there]
    if len(rows) < 2:
        return spread
    if (rows == rows[0]).all():
        spread[there] = 0.0
        return spread
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    spread[there] = np.clip(1.0 - (units @ units.sum(axis=0) - 1.0) / (len(rows) - 1), 0.0, 2.0)
    return spread


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

    Returns:
        (first token, one past the last) of every window, in order.

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
    Identical: windows that are all the same vector give that vector, normalized.
    Source: this project. Token counts as weights, so that a short last window counts for its share
        of the text and not for as much as a full one.

    Args:
        vectors: [window, dim], each normally of length 1.
        n_tokens: [window] number of tokens read in each window, special tokens not counted.

    Returns:
        float64 array [dim].

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
