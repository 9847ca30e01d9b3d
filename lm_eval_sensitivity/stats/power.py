"""What could have been found: the smallest difference that this many prompts detect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import chdtri, ndtr, ndtri, stdtrit

from lm_eval_sensitivity.stats.permutation import attainable_p
from lm_eval_sensitivity.stats.sample import (
    MIN_PROMPTS,
    Floats,
    has_spread,
    read_only,
    sorted_sample,
    too_few_prompts,
)

_MOST_PROMPTS = 1_000_000


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
    """Largest level not above `alpha` that a sign-flip test of the prompts whose difference is not 0 can have."""
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
        >>> detectable_difference([0.0] * 20 + [0.6, 0.7, 0.8, 0.9]).reason
        'The smallest p of 24 prompts (20 of them do not differ) is 0.125, above 0.05: no difference can be detected.'
    """
    sample = sorted_sample(differences)
    n, n_moved = len(sample), int((sample != 0).sum())
    effect = detectable_effect(n, n_moved=n_moved, alpha=alpha, power=power)
    level = _attained(alpha, n_moved)
    deviation = float(sample.std(ddof=1)) if n > 1 else math.nan
    reason = too_few_prompts(n)
    if reason is None and level == 0:
        reason = f"{smallest_p_in_words(n, n_moved)}, above {alpha:g}: no difference can be detected."
    if reason is None and not has_spread(sample):
        reason = f"All {n} differences are the same: without spread any other difference would be found."
    if reason:
        return DetectableDifference(math.nan, n, deviation, alpha, level, power, "none", reason)
    return DetectableDifference(effect * deviation, n, deviation, alpha, level, power, "noncentral t", None)


def detectable_effect(
    n_prompts: int, *, n_moved: int | None = None, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest mean difference that so many prompts find with the given power, in standard deviations.

    Args:
        n_prompts: with a number.
        n_moved: prompts among them whose difference is not 0; None for all.
        alpha: two-sided level of the contrast.
        power: wanted probability of detection.

    Returns:
        A multiple of the prompt-level standard deviation; NaN where so few prompts cannot reach the level.

    Raises:
        ValueError: `alpha` or `power` not between 0 and 1.

    Example:
        >>> round(detectable_effect(24), 3), detectable_effect(5)
        (0.597, nan)
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"`alpha` and `power` must lie between 0 and 1, got {alpha} and {power}")
    level = _attained(alpha, n_prompts if n_moved is None else n_moved)
    return _effect(n_prompts, level, power) if level and too_few_prompts(n_prompts) is None else math.nan


def t_power(effect: float, n: int, level: float) -> float:
    """Power of a two-sided one-sample t test.

    Args:
        effect: true mean in standard deviations.
        n: prompts.
        level: of the test.

    Returns:
        Probability of rejection: that of a noncentral t with noncentrality effect sqrt(n) beyond either quantile,
        as a mean over the sample's standard deviation (scipy's own is NaN far out).

    Example:
        >>> round(t_power(0.0, 24, 0.05), 4), round(t_power(0.6, 24, 0.05), 3)
        (0.05, 0.804)
    """
    beyond = stdtrit(n - 1, 1 - level / 2) * _deviations(n)
    shift = effect * math.sqrt(n)
    return float((ndtr(shift - beyond) + ndtr(-shift - beyond)).mean())


def equivalence_prompts(
    above: float, below: float, *, margin: float, alpha: float, power: float
) -> int | None:
    """Prompts with which two one-sided t tests would show equal means to be equal within a margin.

    The smallest n whose power, at a true difference of 0, is at least `power`: a one-sided t test at quantile z rejects
    with Phi(margin / deviation sqrt(n - z^2 / 2) - z) (Guenther 1981), and the two fail together at most as often as
    either fails.

    Args:
        above: standard deviation of difference plus share times reference, over prompts.
        below: of difference minus share times reference.
        margin: share times the reference's mean.
        alpha: of each test.
        power: wanted.

    Returns:
        At least `MIN_PROMPTS`; None without spread, and where a million prompts are too few.

    Example:
        >>> equivalence_prompts(0.1, 0.1, margin=0.05, alpha=0.05, power=0.8)
        36
    """
    if not (margin > 0 and min(above, below) > 0):
        return None

    z = ndtri(1 - alpha)

    def enough(n: int) -> bool:
        root = math.sqrt(max(n - z * z / 2, 0.0))
        return bool(sum(ndtr(margin / each * root - z) for each in (above, below)) - 1 >= power)

    return fewest_prompts(enough, MIN_PROMPTS, _MOST_PROMPTS)


def fewest_prompts(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """The fewest prompts that are enough.

    Args:
        enough: whether so many are; then more are, too.
        least: that can be the answer.
        most: that are tried.

    Returns:
        From `least` to `most`; None where those are too few.

    Example:
        >>> fewest_prompts(lambda n: n >= 36, 5, 1_000), fewest_prompts(lambda n: n >= 36, 5, 20)
        (36, None)
    """
    if not enough(most):
        return None
    few, many = least - 1, most
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def smallest_p_in_words(n: int, n_moved: int) -> str:
    """The smallest p that a sign-flip test of these prompts can give, as the beginning of a sentence.

    Args:
        n: prompts.
        n_moved: prompts among them whose difference is not 0.

    Example:
        >>> smallest_p_in_words(24, 4)
        'The smallest p of 24 prompts (20 of them do not differ) is 0.125'
    """
    still = f" ({n - n_moved} of them do not differ)" if n_moved < n else ""
    return f"The smallest p of {n} prompts{still} is {attainable_p(n_moved):.4g}"


@lru_cache(maxsize=64)  # all contrasts of a table have the same few n
def _effect(n: int, level: float, power: float) -> float:
    """In standard deviations."""
    enough = 0.1
    while t_power(enough, n, level) < power:
        enough *= 2
    return float(brentq(lambda effect: t_power(effect, n, level) - power, 0, enough))


@lru_cache(maxsize=64)
def _deviations(n: int) -> Floats:
    """Standard deviations of normal samples of n, over the true one: the middles of 1,000 equally likely ranges."""
    middles = (np.arange(1_000) + 0.5) / 1_000
    return read_only(np.sqrt(chdtri(n - 1, middles) / (n - 1)))


def _attained(alpha: float, n: int) -> float:
    """p-values of n prompts with a sign are multiples of 2/2^n; 0 where even one is too large."""
    if n > 1_000:
        return alpha  # 2/2^n is next to 0, and no number in floating point
    smallest = 2.0 ** (1 - n)
    return math.floor(alpha / smallest + 1e-9) * smallest
