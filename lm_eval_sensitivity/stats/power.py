"""What could have been found: the smallest difference that this many prompts detect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.permutation import attainable_p
from lm_eval_sensitivity.stats.sample import has_spread, sorted_sample, too_few_prompts


@dataclass(frozen=True)
class DetectableDifference:
    """The smallest mean difference found with the given power; NaN with a reason."""

    difference: float
    """In the unit of the differences; of either sign."""
    n: int
    standard_deviation: float
    """Of the observed prompt-level differences."""
    alpha: float
    """As asked for."""
    attained_alpha: float
    """Largest level not above `alpha` that a sign-flip test of n prompts can have."""
    power: float
    method: str
    """`noncentral t` or `none`."""
    reason: str | None


def detectable_difference(
    differences: ArrayLike, *, alpha: float = 0.05, power: float = 0.8
) -> DetectableDifference:
    """The smallest mean difference that a test of this many prompts finds with the given power.

    The two-sided t test's power at the level that the sign-flip test attains, with the observed standard
    deviation of the differences: planning, not evidence. A simulated sign-flip test finds it in 77 to
    81 % of cases from seven prompts on, in 69 to 73 % at six. For a family of contrasts give the level that
    each is tested at.

    Args:
        differences: [prompt] first minus second; NaN for prompts without one.
        alpha: two-sided level.
        power: wanted probability of detection.

    Returns:
        The difference in the unit of `differences`; NaN with a reason where none can be detected.

    Raises:
        ValueError: not [prompt], infinite values, `alpha` or `power` not between 0 and 1.

    Example:
        >>> round(detectable_difference([0.1, -0.1, 0.2, -0.2, 0.1, 0.0, 0.1, 0.2, -0.1]).difference, 3)
        0.153
        >>> detectable_difference([0.1, 0.2, 0.3, 0.4, 0.5]).reason
        'The smallest p of 5 prompts is 0.0625, above 0.05: no difference can be detected.'
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"`alpha` and `power` must lie between 0 and 1, got {alpha} and {power}")
    sample = sorted_sample(differences)
    n = len(sample)
    level = _attained(alpha, n)
    deviation = float(sample.std(ddof=1)) if n > 1 else math.nan
    reason = too_few_prompts(n)
    if reason is None and level == 0:
        least = attainable_p(n)
        reason = (
            f"The smallest p of {n} prompts is {least:.4g}, above {alpha:g}: no difference can be detected."
        )
    if reason is None and not has_spread(sample):
        reason = f"All {n} differences are the same: without spread any other difference would be found."
    if reason:
        return DetectableDifference(math.nan, n, deviation, alpha, level, power, "none", reason)
    effect = _effect(n, level, power)
    return DetectableDifference(effect * deviation, n, deviation, alpha, level, power, "noncentral t", None)


def detectable_effect(n_prompts: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest mean difference that so many prompts find with the given power, in standard deviations.

    Args:
        n_prompts: with a difference.
        alpha: two-sided level of the contrast.
        power: wanted probability of detection.

    Returns:
        A multiple of the prompt-level standard deviation; NaN where so few prompts cannot reach the level.

    Raises:
        ValueError: `alpha` or `power` not between 0 and 1.

    Example:
        >>> round(detectable_effect(24), 3), detectable_effect(5)
        (0.598, nan)
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"`alpha` and `power` must lie between 0 and 1, got {alpha} and {power}")
    level = _attained(alpha, n_prompts)
    return _effect(n_prompts, level, power) if level and too_few_prompts(n_prompts) is None else math.nan


@lru_cache(maxsize=64)  # all contrasts of a table have the same few n
def _effect(n: int, level: float, power: float) -> float:
    """In standard deviations."""
    from scipy.optimize import brentq
    from scipy.stats import nct, norm, t

    # Not solve_power of statsmodels, which finds no root for some numbers of prompts, 212 for one.
    bound = t.ppf(1 - level / 2, n - 1)

    def lack(effect: float) -> float:
        shift = effect * math.sqrt(n)
        wrong_side = float(nct.cdf(-bound, n - 1, shift))  # NaN in SciPy where it is next to nothing
        return float(nct.sf(bound, n - 1, shift)) + (0.0 if math.isnan(wrong_side) else wrong_side) - power

    high = (norm.ppf(1 - level / 2) + norm.ppf(power)) / math.sqrt(n)
    while lack(high) < 0:
        high *= 1.5
    return float(brentq(lack, 0.0, high, xtol=1e-12)) if lack(0.0) < 0 else 0.0


def _attained(alpha: float, n: int) -> float:
    """p-values of n prompts are multiples of 2/2^n; 0 where even one is too large."""
    if n > 1_000:
        return alpha  # 2/2^n is next to 0, and no number in floating point
    smallest = 2.0 ** (1 - n)
    return math.floor(alpha / smallest + 1e-9) * smallest
