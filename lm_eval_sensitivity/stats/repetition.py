"""Do edits move an output more than repeating the prompt does? By an exchange within prompts, and in the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, ndtr, ndtri

from lm_eval_sensitivity.stats.intervals import (
    RESAMPLES,
    difference_interval,
    largest_value,
    one_sided_bounds,
)
from lm_eval_sensitivity.stats.permutation import TIE, p_from_counts
from lm_eval_sensitivity.stats.power import fewest_prompts
from lm_eval_sensitivity.stats.sample import Floats, too_few_prompts

REPETITION_DRAWS = 9_999
MOST_PROMPTS = 10_000
"""Up to which it is counted how many prompts would settle a mean."""
_BLOCK, _QUANTILES = 1_024, 1_000

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
    high: float = 1.0,
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

    That is no test of means: where one repetition in ten moves by 0.6 and every edit by 0.06, p is at most 0.05 in
    0.39 / 0.25 / 0.20 (n = 9 / 24 / 96; 2,000 replicates). So the mean difference must be above 0 as well, and both are
    in 0.00 / 0.00 / 0.03. Its lower bound is the alpha quantile of sum w_i d_i - w_M M, with weights from a Dirichlet
    distribution with parameters (1, ..., 1, 1/2) over the n differences and half a point at -M: noise that was not seen
    and could go as far as any pair, at least `min(high, 1)`. In the same way repetitions that all agree have an upper
    bound: the noise that they cannot exclude. Without a largest distance both are bounds of the bootstrap-t.

    One repetition that agrees proves little: with nothing but zeros in the repetitions, p is the product
    over prompts of the share of their k + 1 distances that are 0. The result depends on neither the order
    of prompts nor that of edits.

    Args:
        edits: [prompt, edit] distances, at least 0; NaN for a pair without one.
        repeated: [prompt] distance of the repetition, or mean over several; NaN for a prompt without one.
        means: [prompt] distance of a prompt over its edits, where they do not weigh the same; NaN without one.
        repetitions: of a prompt, over which `repeated` is the mean.
        high: largest value of the metric, infinite where it has none.
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
        ('not above', 0.1, 21)
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
    # A distance that noise did not reach here it may reach elsewhere: the farthest is that of single pairs.
    farthest = largest_value(np.append(table[~np.isnan(table)], floors), high)
    lower, upper = _bounds(moved - floors, floors, farthest, alpha, resamples, seed)
    needed = None
    if farthest is not None and distance > floor and not (p <= alpha and lower > 0):
        needed = _prompts_needed(table, floors, moved - floors, farthest, alpha)
    return RepetitionTest(distance, floor, repetitions, p, lower, upper, n, needed, alpha, draws, seed, None)


def _bounds(
    differences: Floats, floors: Floats, farthest: float | None, alpha: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Lower bound of the mean difference and upper bound of the floor.

    Without a largest distance there is no bound without spread, and then nothing is above.
    """
    bounds = partial(one_sided_bounds, level=1 - alpha, resamples=resamples, seed=seed)
    if farthest is None:
        symmetric = difference_interval(differences, level=1 - 2 * alpha, resamples=resamples, seed=seed)
        return symmetric.lower, bounds(floors).upper
    # Differences lie in [-M, M], and so M higher in [0, 2 M], with the half point of the lower bound at its low end.
    raised = bounds(differences + farthest, largest=2 * farthest)
    return raised.lower - farthest, bounds(floors, largest=farthest).upper


def _prompts_needed(
    table: Floats, floors: Floats, differences: Floats, farthest: float, alpha: float
) -> int | None:
    """About the fewest prompts like these with which both conditions hold; None up to `MOST_PROMPTS`.

    Sums over prompts are taken for normal. For the bound, with gammas g of mean 1 in place of the weights: it is above
    0 where sum g_i d_i > M g_M with probability 1 - alpha, and g_M is half a chi-squared number. For p, the distance of
    what was observed from the mean of all exchanges grows with the root of the number of prompts.
    """
    n, mean, square = len(floors), float(differences.mean()), float((differences**2).mean())
    corner = farthest * chdtri(1, (np.arange(_QUANTILES) + 0.5) / _QUANTILES) / 2

    def enough(size: int) -> bool:
        return float(ndtr((size * mean - corner) / math.sqrt(size * square)).mean()) > 1 - alpha

    pools = np.column_stack([floors, table])
    scale = 1 + 1 / (~np.isnan(table)).sum(axis=1)
    shift = float((scale * (np.nanmean(pools, axis=1) - floors)).sum())
    variance = float((scale**2 * np.nanvar(pools, axis=1)).sum())
    for_the_bound = fewest_prompts(enough, n + 1, MOST_PROMPTS)
    if shift <= 0 or for_the_bound is None:
        return None
    needed = max(for_the_bound, math.ceil(n * variance * (float(ndtri(1 - alpha)) / shift) ** 2))
    return needed if needed <= MOST_PROMPTS else None


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
