"""Two clouds of outputs: are they further apart than each is wide?

A permutation test on a matrix of distances. The labels of the pooled samples are shuffled in blocks, and a
block is multiplied with all distances at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.stats.permutation import TIE, p_from_counts
from lm_eval_sensitivity.stats.sample import Floats

TWO_SAMPLE_DRAWS = 9_999
EXACT_UP_TO_SPLITS = 20_000
"""Ways to split the pooled samples up to which all of them are tried: eight samples against eight."""
MIN_SAMPLES = 2
"""A side with fewer has no distance within itself."""
_BLOCK = 2_048


@dataclass(frozen=True)
class MeanDistances:
    """Distances within and between two sets of samples."""

    within_a: float
    """Mean over the distinct pairs of A; NaN below two samples."""
    within_b: float
    """Mean over the distinct pairs of B; NaN below two samples."""
    between: float
    """Mean over all pairs of one sample of A and one of B; NaN where a side is empty."""
    excess: float
    """between - (within_a + within_b) / 2. About 0 where both come from one distribution; may be negative."""


@dataclass(frozen=True)
class TwoSampleTest(MeanDistances):
    """The same, and the test of their difference."""

    p_value: float
    """One-sided, for a greater excess. Never 0; 1 where all distances are 0; NaN where not tested."""
    attainable_p: float
    """The smallest p that any distances could have given; NaN where not tested."""
    n_a: int
    n_b: int
    method: Literal["exact", "draws", "none"]
    draws: int
    """Random splits; 0 where all were tried."""
    seed: int
    reason: str | None
    """Why there is no p, or why it can only be 1; else None."""


def two_sample_attainable_p(n_a: int, n_b: int, *, draws: int = TWO_SAMPLE_DRAWS) -> float:
    """The smallest p of two sets of these sizes: one split of all, or 1/(draws + 1) where that is larger.

    Two sets of equal size can be swapped without changing anything, so that two splits share the extreme.

    Args:
        n_a: samples of A.
        n_b: samples of B.
        draws: random splits where not all are tried.

    Returns:
        In (0, 1].

    Example:
        >>> two_sample_attainable_p(4, 4) == 2 / 70
        True
        >>> two_sample_attainable_p(30, 30)
        0.0001
    """
    exact = (2 if n_a == n_b else 1) / math.comb(n_a + n_b, n_a)
    return exact if _few(n_a + n_b, n_a) else max(exact, 1 / (draws + 1))


def two_sample_test(
    distances: ArrayLike, in_a: ArrayLike, *, draws: int = TWO_SAMPLE_DRAWS, seed: int = 0
) -> TwoSampleTest:
    """Test whether two sets of samples come from one distribution, by their pairwise distances.

    H0: the labels of the pooled samples are exchangeable. The statistic is `excess`: twice it is the energy
    distance 2 E|X - Y| - E|X - X'| - E|Y - Y'| of Szekely & Rizzo 2013 ("Energy statistics: a class of
    statistics based on distances"), with each expectation estimated by its U-statistic: within a set the mean
    over distinct pairs, without the zeros on the diagonal. It is unbiased, and so may be negative, while their
    V-statistic counts the diagonal and may not; they differ by the within means over the sizes. With Euclidean
    distances it is 0 in expectation only where both distributions are the same. Cosine distances are half the squared
    Euclidean distances of unit vectors: their expected excess is half the squared distance of the two mean vectors, so
    that clouds that differ, but not in their means, are not told apart. Test the root of twice a cosine distance.

    All splits are tried where there are at most 20,000, else random ones are drawn, where the observed split
    counts as one more, so that p is never 0. The result depends neither on the order of the samples (up to
    rounding, and up to the draws for samples with exactly the same distances) nor on which set is called A.

    Args:
        distances: [sample, sample] of the pooled samples; symmetric, finite, not negative, 0 on the diagonal.
        in_a: [sample] True for the samples of A; the others are those of B.
        draws: random splits where it is not exact.
        seed: of the draws.

    Returns:
        Mean distances within and between in the unit of `distances`, their excess, and p in (0, 1], which is NaN, with
        a reason, where a set is too small.

    Raises:
        ValueError: shapes that do not fit, distances that are none, or no draws.

    Example:
        >>> apart = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
        >>> test = two_sample_test(apart, [True, True, False, False])
        >>> test.excess, round(test.p_value, 4)
        (1.0, 0.3333)
    """
    matrix, labels = _checked(distances, in_a)
    if draws < 1:
        raise ValueError(f"`draws` is {draws}; at least 1 is needed")
    n_a, n_b = int(labels.sum()), int((~labels).sum())
    means = vars(_mean_distances(matrix, labels))
    few = min(n_a, n_b) < MIN_SAMPLES
    reason = f"{n_a} and {n_b} samples: each side needs at least {MIN_SAMPLES}." if few else None
    exact = _few(n_a + n_b, n_a)
    return TwoSampleTest(
        **means,
        p_value=math.nan if reason else _p_value(matrix, labels, draws=draws, seed=seed),
        attainable_p=math.nan if reason else two_sample_attainable_p(n_a, n_b, draws=draws),
        n_a=n_a,
        n_b=n_b,
        method="none" if reason else "exact" if exact else "draws",
        draws=0 if reason or exact else draws,
        seed=seed,
        reason=reason or (None if matrix.any() else "All distances are 0: there is nothing to test."),
    )


def mean_distances(distances: ArrayLike, in_a: ArrayLike) -> MeanDistances:
    """Mean distances within and between two sets of samples, without the test.

    Args:
        distances: [sample, sample] as of `two_sample_test`.
        in_a: [sample] True for the samples of A.

    Returns:
        Means in the unit of `distances`.

    Raises:
        ValueError: as of `two_sample_test`.

    Example:
        >>> mean_distances([[0, 1, 4], [1, 0, 4], [4, 4, 0]], [True, True, False])
        MeanDistances(within_a=1.0, within_b=nan, between=4.0, excess=nan)
    """
    return _mean_distances(*_checked(distances, in_a))


def _mean_distances(matrix: Floats, labels: NDArray[np.bool_]) -> MeanDistances:
    within = _mean_of_pairs(matrix[labels][:, labels]), _mean_of_pairs(matrix[~labels][:, ~labels])
    across = np.sort(matrix[labels][:, ~labels], axis=None)
    between = float(across.mean()) if across.size else math.nan
    return MeanDistances(*within, between, between - (within[0] + within[1]) / 2)


def _checked(distances: ArrayLike, in_a: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    matrix, labels = np.asarray(distances, dtype=np.float64), np.asarray(in_a)
    if labels.ndim != 1 or labels.dtype != np.bool_ or matrix.shape != (len(labels), len(labels)):
        raise ValueError(
            f"distances [sample, sample] and true-or-false labels [sample] needed, got {matrix.shape} and "
            f"{labels.shape} of {labels.dtype}"
        )
    if not np.isfinite(matrix).all() or (matrix < 0).any() or matrix.diagonal().any():
        raise ValueError("distances must be finite, not negative, and 0 on the diagonal")
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-12):
        raise ValueError("distances must be symmetric")
    return (matrix + matrix.T) / 2, labels


def _mean_of_pairs(square: Floats) -> float:
    """Mean over distinct pairs; sorted first, so that the order of the samples does not change its last digit."""
    pairs = np.sort(square[np.triu_indices(len(square), k=1)])
    return float(pairs.mean()) if pairs.size else math.nan


def _p_value(matrix: Floats, labels: NDArray[np.bool_], *, draws: int, seed: int) -> float:
    n_small = int(min(labels.sum(), (~labels).sum()))
    # Which set is called A must not matter: the splits choose the smaller set, and where the sizes are equal
    # the statistic is the same for a split and its mirror image.
    small = labels if int(labels.sum()) == n_small else ~labels
    order = _canonical_order(matrix)
    excess = _Excess(matrix[np.ix_(order, order)], n_small)
    threshold = excess(small[order][None, :].astype(np.float64))[0] - TIE * matrix.max(initial=0.0)
    count = total = 0
    for splits in _splits(len(labels), n_small, draws, seed):
        count += int((excess(splits.astype(np.float64)) >= threshold).sum())
        total += len(splits)
    exact = _few(len(labels), n_small)
    return float(p_from_counts(np.array(float(count)), total, exact=exact))


def _canonical_order(matrix: Floats) -> NDArray[np.intp]:
    """An order of the samples that does not depend on the order they came in: by their sorted distances."""
    profiles = np.sort(matrix, axis=1)
    return np.lexsort(profiles.T[::-1])


class _Excess:
    """The statistic of many splits at once.

    With z the 0-or-1 labels of a split, D the distances and r its row sums: z'Dz counts every pair inside the
    set twice, z'r - z'Dz is the sum between the sets, and the rest is inside the other set.
    """

    def __init__(self, matrix: Floats, n_chosen: int) -> None:
        self._matrix, self._rows, self._total = matrix, matrix.sum(axis=1), matrix.sum()
        self._n, self._m = n_chosen, len(matrix) - n_chosen

    def __call__(self, splits: Floats) -> Floats:
        """[split] for [split, sample] of 0.0 and 1.0."""
        n, m = self._n, self._m
        inside = np.einsum("ij,ij->i", splits @ self._matrix, splits)
        touching = splits @ self._rows
        outside = self._total - 2 * touching + inside
        values: Floats = (touching - inside) / (n * m) - (
            inside / (n * (n - 1)) + outside / (m * (m - 1))
        ) / 2
        return values


def _splits(n: int, n_chosen: int, draws: int, seed: int) -> Iterator[NDArray[np.int8]]:
    """Blocks [split, sample] of 0 and 1 with `n_chosen` ones each."""
    splits = _all_splits(n, n_chosen) if _few(n, n_chosen) else _drawn_splits(n, n_chosen, draws, seed)
    for start in range(0, len(splits), _BLOCK):
        yield splits[start : start + _BLOCK]


def _few(n: int, n_chosen: int) -> bool:
    return math.comb(n, n_chosen) <= EXACT_UP_TO_SPLITS


@lru_cache(maxsize=4)
def _all_splits(n: int, n_chosen: int) -> NDArray[np.int8]:
    chosen = np.array(list(combinations(range(n), n_chosen)))
    splits = np.zeros((len(chosen), n), np.int8)
    np.put_along_axis(splits, chosen, 1, axis=1)
    splits.setflags(write=False)
    return splits


@lru_cache(maxsize=4)
def _drawn_splits(n: int, n_chosen: int, draws: int, seed: int) -> NDArray[np.int8]:
    # Kept, because all pairs of a run have the same sizes: drawing takes longer than testing.
    first = np.zeros((draws, n), np.int8)
    first[:, :n_chosen] = 1
    splits: NDArray[np.int8] = np.random.default_rng(seed).permuted(first, axis=1)
    splits.setflags(write=False)
    return splits
