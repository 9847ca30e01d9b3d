"""Sign flips of prompt-level differences: the core of every test here.

Null hypothesis: for each prompt, the difference of the two systems could as well have had the other
sign. Sign vectors are made in blocks, and a block is multiplied with all differences at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.sample import Floats, sorted_sample, too_few_prompts

DRAWS = 99_999
EXACT_UP_TO = 14
"""Prompts up to which all sign vectors are tried."""
TIE = 1e-10
"""Statistics closer than this count as equal: the same sum in another order differs by rounding, and
a tie taken for smaller would make an exact p too small."""
_BLOCK = 2_048


@dataclass(frozen=True)
class SignFlipTest:
    """A two-sided test of one paired difference."""

    estimate: float
    """Mean difference over prompts; NaN below `MIN_PROMPTS` prompts."""
    p_value: float
    """Never 0; 1 where all differences are 0; NaN below `MIN_PROMPTS` prompts."""
    attainable_p: float
    """The smallest p that differences of other sizes in the same `n_moved` prompts could have given."""
    n: int
    """Prompts with a number."""
    n_zero: int
    """Prompts among them whose difference is exactly 0: they carry no sign."""
    method: str
    """`exact` (all sign vectors of the prompts that carry one), `draws` or `none`."""
    draws: int
    """Random sign vectors; 0 where exact."""
    seed: int
    reason: str | None
    """Why there is no p, or why it can only be 1; else None."""

    @property
    def n_moved(self) -> int:
        """Prompts whose difference is not 0."""
        return self.n - self.n_zero


def attainable_p(n: int, draws: int = DRAWS) -> float:
    """The smallest two-sided p-value that n prompts can give: 2/2^n, or 1/(draws + 1) where that is larger.

    Args:
        n: prompts whose difference is not 0; the others carry no sign.
        draws: random sign vectors where not all are tried.

    Returns:
        In (0, 1].

    Example:
        >>> attainable_p(9)
        0.00390625
        >>> attainable_p(96)
        1e-05
        >>> attainable_p(0)
        1.0
    """
    exact = 2.0 ** (1 - max(n, 1))
    return exact if n <= EXACT_UP_TO else max(exact, 1 / (draws + 1))


def sign_flip_test(differences: ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> SignFlipTest:
    """Test whether prompt-level differences have a preferred sign.

    H0: the sign of each prompt's difference is arbitrary: the differences are symmetric around 0. With equal means of
    unequal shape, as of one system that moves rarely and far and another that moves often and little, this does not
    hold, so that a small p says that effects differ, and nothing of which mean is lower. Exact for up to 14 prompts
    whose difference is not 0, else by random sign vectors, where the observed one counts as one more draw, so that p
    is never 0.

    Args:
        differences: [prompt] first minus second; NaN for prompts without one.
        draws: random sign vectors where it is not exact.
        seed: of the draws; the same seed gives the same bytes in any order of prompts.

    Returns:
        Mean difference and p, in (0, 1]; both NaN, with a reason, below `MIN_PROMPTS` prompts.

    Raises:
        ValueError: not [prompt], or infinite values.

    Example:
        >>> sign_flip_test([0.1, 0.2, 0.3, 0.1, 0.2, 0.1, 0.4, 0.2, 0.1]).p_value
        0.00390625
        >>> found = sign_flip_test([0.0] * 20 + [0.6, 0.7, 0.8, 0.9])
        >>> found.p_value, found.attainable_p
        (0.125, 0.125)
    """
    sample = sorted_sample(differences)
    moved = sample[sample != 0]
    n, n_zero = len(sample), len(sample) - len(moved)
    least = attainable_p(len(moved), draws)
    if reason := too_few_prompts(n):
        return SignFlipTest(math.nan, math.nan, least, n, n_zero, "none", 0, seed, reason)
    p_value = float(sign_flip_p(moved[:, None], draws=draws, seed=seed)[0]) if len(moved) > 1 else 1.0
    reason = f"All {n} differences are exactly 0: there is nothing to test." if n_zero == n else None
    method, used = ("exact", 0) if len(moved) <= EXACT_UP_TO else ("draws", draws)
    estimate = float(sample.mean())
    return SignFlipTest(estimate, p_value, least, n, n_zero, method, used, seed, reason)


def sign_flip_p(differences: Floats, *, draws: int, seed: int) -> Floats:
    """[contrast] unadjusted p-values of many contrasts, all from the same sign vectors.

    Args:
        differences: [prompt, contrast]; NaN where a contrast lacks a prompt.
        draws: random sign vectors where it is not exact.
        seed: of the draws.

    Returns:
        [contrast] two-sided p, in (0, 1].

    Example:
        >>> differences = np.array([[0.1, -0.1], [0.2, 0.1], [0.3, -0.1], [0.1, 0.1], [0.2, 0.0]])
        >>> sign_flip_p(differences, draws=DRAWS, seed=0).tolist()
        [0.0625, 1.0]
    """
    extremeness = Extremeness(differences)
    threshold = extremeness(np.ones((1, len(differences))))[0] - TIE
    count, total = np.zeros(differences.shape[1]), 0
    for signs in sign_vectors(len(differences), draws=draws, seed=seed):
        count += (extremeness(signs) >= threshold).sum(axis=0)
        total += len(signs)
    return p_from_counts(count, total, exact=len(differences) <= EXACT_UP_TO)


def p_from_counts(count: Floats, total: int, *, exact: bool) -> Floats:
    """Shares; the observed sign vector is among all, but not among the drawn ones, and is added there.

    Args:
        count: [contrast] sign vectors that give at least what was observed.
        total: sign vectors tried.
        exact: all were tried.

    Returns:
        [contrast] p, never 0.

    Example:
        >>> p_from_counts(np.array([0.0, 1.0]), 9, exact=False).tolist()
        [0.1, 0.2]
    """
    return count / total if exact else (count + 1) / (total + 1)


def sign_vectors(n: int, *, draws: int, seed: int) -> Iterator[Floats]:
    """Blocks [row, prompt] of +1 and -1.

    All of them up to `EXACT_UP_TO` prompts, the first sign held at +1 (flipping all signs changes no
    absolute value), the observed vector of all +1 first; else `draws` random ones.

    Args:
        n: prompts.
        draws: random vectors where not all are tried.
        seed: of the draws.

    Returns:
        Blocks [row, prompt]; none for no prompt.
    """
    if n <= EXACT_UP_TO:
        rows = np.arange(2 ** max(n - 1, 0))[:, None]
        yield (1 - 2 * (rows >> np.arange(n)[::-1] & 1)).astype(np.float64)
        return
    generator = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        size = (min(_BLOCK, draws - start), n)
        yield (1 - 2 * generator.integers(0, 2, size, dtype=np.int8)).astype(np.float64)


class Extremeness:
    """How extreme the mean of each contrast is under given signs: t^2 / (1 + t^2), in [0, 1].

    A monotone function of |t| that is the same for all contrasts, also those with fewer prompts, stays
    finite where all differences are equal, and needs only the sum: flips leave the squares alone.
    With S the signed sum and Q the sum of squares, t^2 = (n - 1) S^2 / (n Q - S^2).

    Args:
        differences: [prompt, contrast]; NaN where a contrast lacks a prompt.
    """

    def __init__(self, differences: Floats) -> None:
        there = ~np.isnan(differences)
        filled = np.where(there, differences, 0.0)
        largest = np.abs(filled).max(axis=0, initial=0.0)
        # To a common size: squares of tiny differences would underflow.
        self._filled = filled / np.where(largest > 0, largest, 1.0)
        n = there.sum(axis=0).astype(np.float64)
        self._above, self._beside = n - 1, n - 2
        squares = n * (self._filled**2).sum(axis=0)
        self._squares = np.where(squares > 0, squares, 1.0)  # all 0: S is 0, and so is the statistic

    def __call__(self, signs: Floats) -> Floats:
        """[row, contrast] for [row, prompt] signs."""
        numerator = signs @ self._filled
        numerator *= numerator
        denominator = self._beside * numerator
        denominator += self._squares
        numerator *= self._above
        numerator /= denominator
        return numerator
