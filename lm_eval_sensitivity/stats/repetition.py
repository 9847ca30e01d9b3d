"""Do edits move an output more than repeating the prompt does? By an exchange within prompts, and in the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from lm_eval_sensitivity.stats.intervals import RESAMPLES, difference_interval
from lm_eval_sensitivity.stats.permutation import TIE, p_from_counts
from lm_eval_sensitivity.stats.sample import Floats, too_few_prompts

REPETITION_DRAWS = 9_999
MOST_PROMPTS = 10_000
"""Up to which it is counted how many prompts would settle a mean."""
_BLOCK = 1_024

Standing = Literal["above", "within", "not above", "not judged"]


@dataclass(frozen=True)
class RepetitionTest:
    """The distances of edits beside those of repetitions of the same prompts."""

    distance: float
    """Mean over the shared prompts of the edits of a prompt; NaN without one."""
    floor: float
    """Mean over the same prompts of the distance of the repetition."""
    repetitions: int
    """Of a prompt, over which its distance of the repetition is the mean; the fewest that a prompt has."""
    p_value: float
    """One-sided, for edits that move more. Never 0; NaN where not tested."""
    lower: float
    """One-sided lower bound of distance - floor, at level 1 - alpha; NaN where not tested, or without one."""
    floor_upper: float
    """One-sided upper bound of the floor: how much noise these repetitions cannot exclude; NaN as `lower`."""
    n: int
    """Prompts that have both."""
    n_needed: int | None
    """Prompts like these with which edits would be above; None where they are, never would be, or not tested."""
    alpha: float
    draws: int
    seed: int
    reason: str | None
    """Why there is no p; else None."""

    @property
    def standing(self) -> Standing:
        """Above the noise floor reliably, within it (not larger at all), or larger and yet not reliably so.

        Above takes both: a p of at most alpha, which says that distances differ, and a lower bound of the
        difference above 0, which says that their means do.
        """
        if self.reason is not None:
            return "not judged"
        if self.p_value <= self.alpha and self.lower > 0:
            return "above"
        return "within" if self.distance <= self.floor else "not above"


def repetition_test(
    edits: ArrayLike,
    repeated: ArrayLike,
    *,
    means: ArrayLike | None = None,
    repetitions: int = 1,
    largest: float | None = 1.0,
    alpha: float = 0.05,
    draws: int = REPETITION_DRAWS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> RepetitionTest:
    """Test whether edits move an output more than repeating the same prompt does.

    H0: of a prompt, the distances of its k edits and that of its repetition are exchangeable, so that any
    of the k + 1 could have been the repetition. Statistic: the mean over prompts of (mean of the edits -
    repetition). In every draw one of the k + 1 distances of each prompt takes the place of the repetition.
    The sum of a prompt's distances stays, so that this is the same as comparing
    sum over prompts of (1 + 1/k) * repetition, small for large differences. Edits of one prompt may depend
    on each other, as long as they are exchangeable with the repetition.

    That is no test of means: repetitions that move rarely and far are not exchangeable with edits that move
    often and little, and with equal means it rejects in .37 / .22 / .16 (n = 9 / 24 / 96). So the mean difference
    must be above 0 as well: its lower bound is the alpha quantile of sum w_i d_i - w_M M with weights
    w ~ Dirichlet(1, ..., 1, 1/2) over the n differences and the point -M, the farthest that noise can go. Repetitions
    that all agree are no proof of no noise: what they cannot exclude is the upper bound of the floor, in the same way
    with the point M. Without a largest distance it is the symmetric bootstrap-t.

    One repetition that agrees proves little: with nothing but zeros in the repetitions, p is the product
    over prompts of the share of their k + 1 distances that are 0. The result depends on neither the order
    of prompts nor that of edits.

    Args:
        edits: [prompt, edit] distances, at least 0; NaN for a pair without one.
        repeated: [prompt] distance of the repetition, or mean over several; NaN for a prompt without one.
        means: [prompt] distance of a prompt over its edits, where they do not weigh the same; NaN without one.
        repetitions: of a prompt, over which `repeated` is the mean.
        largest: the distance that noise can reach, M above; the largest of these where that is larger. None for a
            distance without a largest value.
        alpha: most p at which edits count as above, and error of each bound.
        draws: random exchanges.
        resamples: draws of the weights.
        seed: of all draws.

    Returns:
        Both mean distances over prompts, the one-sided p in (0, 1], and both bounds; NaN with a reason on too few
        prompts.

    Raises:
        ValueError: shapes that do not fit, infinite values, or no draws.

    Example:
        >>> repetition_test([[0.5, 0.2, 0.6]] * 12, [0.0] * 12).standing
        'above'
        >>> repetition_test([[0.3, 0.0, 0.1]] * 12, [0.2] * 12).standing
        'within'
        >>> found = repetition_test([[0.1, 0.1, 0.1]] * 12, [0.0] * 12)
        >>> found.standing, round(found.floor_upper, 1), found.n_needed
        ('not above', 0.1, 20)
    """
    table, floors = np.asarray(edits, dtype=np.float64), np.asarray(repeated, dtype=np.float64)
    if table.ndim != 2 or floors.shape != table.shape[:1]:
        raise ValueError(
            f"distances [prompt, edit] and repetitions [prompt] needed, got {table.shape} and {floors.shape}"
        )
    if np.isinf(table).any() or np.isinf(floors).any() or draws < 1:
        raise ValueError("distances must be finite or NaN, and `draws` at least 1")
    both = ~np.isnan(floors) & ~np.isnan(table).all(axis=1)
    table, floors = table[both], floors[both]
    n, n_edits = len(floors), (~np.isnan(table)).sum(axis=1)
    # Sorted, and with exact sums, so that no order decides the last digit.
    equal = np.nansum(np.sort(table, axis=1), axis=1) / n_edits
    moved = equal if means is None else np.asarray(means, dtype=np.float64)[both]
    distance, floor = (math.fsum(each) / n if n else math.nan for each in (moved, floors))
    if reason := too_few_prompts(n):
        nothing = (math.nan,) * 3
        return RepetitionTest(distance, floor, repetitions, *nothing, n, None, alpha, draws, seed, reason)
    p = _p_value(table, floors, 1 + 1 / n_edits, draws=draws, seed=seed)
    if largest is None:
        bounds = _bounds_by_resampling(moved, floors, alpha, resamples, seed)
        return RepetitionTest(distance, floor, repetitions, p, *bounds, n, None, alpha, draws, seed, None)
    farthest = max(largest, float(np.nanmax(table)), float(floors.max()))
    weights = _Weights(alpha, resamples, seed)
    lower = weights.lower(moved - floors, farthest)
    upper = -weights.lower(-floors, farthest)
    needed = None
    if distance > floor and not (p <= alpha and lower > 0):
        needed = _prompts_needed(table, floors, moved - floors, farthest, weights)
    return RepetitionTest(distance, floor, repetitions, p, lower, upper, n, needed, alpha, draws, seed, None)


class _Weights:
    """Random weights over prompts and a corner point, and the quantile of the weighted mean that is a bound."""

    def __init__(self, alpha: float, resamples: int, seed: int) -> None:
        self.alpha, self._resamples, self._seed = alpha, resamples, seed

    def lower(
        self, values: Floats, farthest: float, n: int | None = None, resamples: int | None = None
    ) -> float:
        """Lower bound of the mean of values that are at least -farthest.

        Args:
            values: [prompt] differences.
            farthest: the corner point is its negative.
            n: as many prompts as the bound is for, where those of `values` stand for more of their kind.
            resamples: draws of the weights, where fewer are enough.
        """
        generator, size = np.random.default_rng(self._seed), resamples or self._resamples
        share = (n or len(values)) / len(values)
        weights = generator.standard_gamma(share, (size, len(values)))
        corner = generator.standard_gamma(0.5, size)
        means = (weights @ np.sort(values) - corner * farthest) / (weights.sum(axis=1) + corner)
        rank = math.floor((size + 1) * self.alpha + 1e-9)
        return float(np.partition(means, rank - 1)[rank - 1])


def _bounds_by_resampling(
    moved: Floats, floors: Floats, alpha: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Where a distance has no largest value; without spread there is no bound, and nothing is above."""
    found, floor = (
        difference_interval(each, level=1 - 2 * alpha, resamples=resamples, seed=seed)
        for each in (moved - floors, floors)
    )
    return found.lower, floor.upper


def _prompts_needed(
    table: Floats, floors: Floats, differences: Floats, farthest: float, weights: _Weights
) -> int | None:
    """The fewest prompts like these with which both conditions hold.

    The bound is that of as many prompts with these differences. The sum of the exchanges is taken for normal: its
    distance from what was observed, in standard deviations, grows with the root of the number of prompts.
    """
    pools = np.column_stack([floors, table])
    middle, spread = np.nanmean(pools, axis=1), np.nanvar(pools, axis=1)
    scale = 1 + 1 / (~np.isnan(table)).sum(axis=1)
    shift, variance = float((scale * (middle - floors)).sum()), float((scale**2 * spread).sum())
    if shift <= 0:
        return None
    n = len(floors)
    normal = float(ndtri(1 - weights.alpha))
    for_p = math.ceil(n * variance * (normal / shift) ** 2)
    low, high = n, MOST_PROMPTS

    def enough(size: int) -> bool:
        return weights.lower(differences, farthest, size, 999) > 0

    if for_p > high or not enough(high):
        return None
    while high - low > 1:
        middle_of = (low + high) // 2
        low, high = (low, middle_of) if enough(middle_of) else (middle_of, high)
    return max(high, for_p, n + 1)


def _p_value(table: Floats, floors: Floats, weights: Floats, *, draws: int, seed: int) -> float:
    """Share of draws in which the place of the repetition is taken by distances as small as its own."""
    # Sorted within and over prompts: neither the order of edits nor that of prompts decides a draw. NaN is last.
    weighted = np.sort(np.column_stack([floors, table]), axis=1) * weights[:, None]
    weighted = weighted[np.lexsort(weighted.T[::-1])]
    n_places = (~np.isnan(weighted)).sum(axis=1)
    observed = float(np.sort(floors * weights).sum())
    limit = observed + TIE * max(1.0, observed)
    generator, count = np.random.default_rng(seed), 0
    for start in range(0, draws, _BLOCK):
        shape = min(_BLOCK, draws - start), len(floors)
        places = (generator.random(shape) * n_places).astype(np.intp)
        drawn = weighted[np.arange(len(floors)), places].sum(axis=1)
        count += int((drawn <= limit).sum())
    return float(p_from_counts(np.array(count, dtype=np.float64), draws, exact=False))
