"""The detectable difference: against the noncentral t, against simulation, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lm_eval_sensitivity.stats import detectable_difference
from lm_eval_sensitivity.stats.permutation import sign_flip_p
from lm_eval_sensitivity.stats.power import equivalence_prompts, t_power


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
        ([0.1 * i for i in range(1, 10)], 0.001, "The smallest p of 9 prompts is 0.003906, above 0.001"),
        ([0.2] * 9, 0.05, "without spread"),
        ([0.0] * 9, 0.05, "The smallest p of 9 prompts (9 of them do not differ) is 1, above 0.05"),
        ([0.0] * 20 + [0.6, 0.7, 0.8, 0.9], 0.05, "(20 of them do not differ) is 0.125, above 0.05"),
    ],
)
def test_reasons(differences: list[float], alpha: float, reason: str) -> None:
    found = detectable_difference(differences, alpha=alpha)
    assert math.isnan(found.difference) and found.method == "none"
    assert found.reason is not None and reason in found.reason


@pytest.mark.parametrize("n", [6, 9, 24, 96, 960])
@pytest.mark.parametrize("level", [0.05, 0.0033, 1e-4])
def test_power_is_that_of_scipys_noncentral_t(n: int, level: float) -> None:
    for effect in (0.0, 0.1, 0.6):
        shift, critical = effect * math.sqrt(n), stats.t.ppf(1 - level / 2, n - 1)
        expected = stats.nct.sf(critical, n - 1, shift) + np.nan_to_num(
            stats.nct.cdf(-critical, n - 1, shift)
        )
        assert t_power(effect, n, level) == pytest.approx(expected, abs=2e-4)


def test_a_small_level_has_its_own_difference() -> None:
    """A solver that stops early gave 0.906 standard deviations here, with a power of 0.24."""
    found = detectable_difference(of_spread(24, 1.0), alpha=1e-5)
    assert found.difference == pytest.approx(1.358, abs=0.002)


def test_prompts_for_equivalence_have_the_power_that_is_asked_for() -> None:
    n = equivalence_prompts(0.1, 0.12, margin=0.05, alpha=0.05, power=0.8)
    assert n is not None

    def power(prompts: int) -> float:
        samples = np.random.default_rng(0).normal(0, 1, (2, prompts, 20_000))
        rejected = []
        for values, deviation in zip(samples, (0.1, 0.12), strict=True):
            shifted = 0.05 + deviation * values
            t = shifted.mean(axis=0) / (shifted.std(axis=0, ddof=1) / math.sqrt(prompts))
            rejected.append((t > stats.t.ppf(0.95, prompts - 1)).mean())
        return float(sum(rejected) - 1)

    assert power(n) == pytest.approx(0.8, abs=0.02) and power(n - 5) < 0.8
    assert equivalence_prompts(0.0, 0.1, margin=0.05, alpha=0.05, power=0.8) is None
    assert equivalence_prompts(1e3, 1e3, margin=1e-3, alpha=0.05, power=0.8) is None


def test_refused_arguments() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        detectable_difference([0.1] * 9, alpha=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        detectable_difference([0.1] * 9, power=1)
