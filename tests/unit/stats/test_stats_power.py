"""The detectable difference: against the noncentral t, against simulation, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lm_eval_sensitivity.stats import detectable_difference
from lm_eval_sensitivity.stats.permutation import sign_flip_p


def of_spread(n: int, spread: float) -> np.ndarray:
    values = np.random.default_rng(n).normal(size=n)
    return spread * (values - values.mean()) / values.std(ddof=1)


@pytest.mark.parametrize("n", [9, 24])
def test_power_of_the_t_test_at_that_difference(n: int) -> None:
    found = detectable_difference(of_spread(n, 0.2))
    critical = stats.t.ppf(1 - found.attained_alpha / 2, n - 1)
    shift = found.difference / 0.2 * math.sqrt(n)
    power = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert power == pytest.approx(0.8, abs=1e-4)
    assert found.standard_deviation == pytest.approx(0.2)


@pytest.mark.parametrize("n", [9, 24])
def test_a_sign_flip_test_finds_it_as_often_as_promised(n: int) -> None:
    difference = detectable_difference(of_spread(n, 1.0)).difference
    samples = np.random.default_rng(0).normal(difference, 1, (n, 2_000))
    found = (sign_flip_p(samples, draws=499, seed=0) <= 0.05).mean()
    assert 0.76 < found < 0.84


def test_the_attained_level() -> None:
    assert detectable_difference(of_spread(9, 1)).attained_alpha == 12 / 256
    assert detectable_difference(of_spread(6, 1)).attained_alpha == 1 / 32
    assert detectable_difference(of_spread(9, 1), alpha=2 / 512).attained_alpha == 2 / 512


def test_more_prompts_and_less_spread_find_less() -> None:
    sizes = [detectable_difference(of_spread(n, 1)).difference for n in (6, 9, 24, 96)]
    assert sizes == sorted(sizes, reverse=True)
    assert detectable_difference(of_spread(9, 0.5)).difference == pytest.approx(sizes[1] / 2)


@pytest.mark.parametrize(
    ("differences", "alpha", "reason"),
    [
        ([0.1, 0.2, 0.3], 0.05, "3 prompts have a number, at least 5 are needed."),
        ([], 0.05, "0 prompts have a number, at least 5 are needed."),
        ([0.1, 0.2, 0.3, 0.4, 0.5], 0.05, "no difference can be detected"),
        ([0.1 * i for i in range(9)], 0.001, "The smallest p of 9 prompts is 0.003906, above 0.001"),
        ([0.0] * 9, 0.05, "without spread"),
    ],
)
def test_reasons(differences: list[float], alpha: float, reason: str) -> None:
    found = detectable_difference(differences, alpha=alpha)
    assert math.isnan(found.difference) and found.method == "none"
    assert found.reason is not None and reason in found.reason


def test_refused_arguments() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        detectable_difference([0.1] * 9, alpha=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        detectable_difference([0.1] * 9, power=1)
