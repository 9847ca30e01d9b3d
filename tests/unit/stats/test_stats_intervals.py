"""Half points against known distributions, the bootstrap-t against a plain loop, its fallback, and refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import mean, stdev

import numpy as np
import pytest
from scipy import stats

from lm_eval_sensitivity.stats import (
    Interval,
    difference_interval,
    largest_value,
    mean_interval,
    one_sided_bounds,
)
from lm_eval_sensitivity.stats.intervals import resample_indices, studentised_means
from lm_eval_sensitivity.stats.sample import sorted_sample
from tests.unit.stats.simulated import rare_and_often

SAMPLE = [0.31, 0.02, 0.11, 0.05, 0.27, 0.08, 0.44, 0.19, 0.13]
Make = Callable[..., Interval]
ALL = (mean_interval, difference_interval, one_sided_bounds)


def loop(values: list[float], resamples: int, seed: int) -> list[float]:
    """Studentised means of the same resamples, one number after the other."""
    ordered, n = sorted(values), len(values)
    found = []
    for row in resample_indices(n, resamples, seed).tolist():
        drawn = [ordered[index] for index in row]
        if len(set(drawn)) == 1:
            found.append(math.copysign(math.inf, drawn[0] - mean(ordered)))
        else:
            found.append((mean(drawn) - mean(ordered)) / (stdev(drawn) / math.sqrt(n)))
    return sorted(found)


def studentised(values: list[float], resamples: int, seed: int) -> list[float]:
    means = studentised_means(sorted_sample(values), resample_indices(len(values), resamples, seed))
    return sorted(means.tolist())


def test_against_a_plain_loop() -> None:
    resamples, seed = 399, 5
    t, estimate, error = loop(SAMPLE, resamples, seed), mean(SAMPLE), stdev(SAMPLE) / 3
    options = {"resamples": resamples, "seed": seed}
    found = mean_interval(SAMPLE, **options)
    assert studentised(SAMPLE, resamples, seed) == pytest.approx(t)
    assert found.estimate == pytest.approx(estimate)
    # Of 399 ordered values, the 10th and the 390th cut off 2.5 % each.
    assert (found.lower, found.upper) == pytest.approx((estimate - t[389] * error, estimate - t[9] * error))
    bounds = one_sided_bounds(SAMPLE, **options)
    assert (bounds.lower, bounds.upper) == pytest.approx(
        (estimate - t[379] * error, estimate - t[19] * error)
    )
    half = sorted(abs(value) for value in t)[379] * error
    symmetric = difference_interval(SAMPLE, **options)
    assert (symmetric.lower, symmetric.upper) == pytest.approx((estimate - half, estimate + half))


def test_resamples_are_uniform_and_of_full_length() -> None:
    indices = resample_indices(9, 9_999, 0)
    assert indices.shape == (9_999, 9)
    counts = np.bincount(indices.ravel(), minlength=9)
    assert stats.chisquare(counts).pvalue > 0.001


def test_resamples_without_spread_are_infinite_as_in_the_loop() -> None:
    values = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.3]
    found = studentised(values, 999, 1)
    assert found == pytest.approx(loop(values, 999, 1))
    assert math.isinf(found[0])


def test_student_where_too_many_resamples_have_no_spread() -> None:
    values = [0.0] * 7 + [0.5]  # a third of the resamples are all 0
    both = {"loc": mean(values), "scale": stdev(values) / math.sqrt(8)}
    for interval, level in ((mean_interval, 0.95), (difference_interval, 0.95), (one_sided_bounds, 0.90)):
        found = interval(values)
        assert found.method == "student-t"
        assert (found.lower, found.upper) == pytest.approx(stats.t.interval(level, 7, **both))


def test_bootstrap_t_where_it_can() -> None:
    assert mean_interval(SAMPLE).method == "bootstrap-t"
    assert mean_interval([0.0] * 4 + [0.1, 0.2, 0.3, 0.4, 0.5]).method == "bootstrap-t"


@pytest.mark.parametrize("interval", ALL)
@pytest.mark.parametrize("n", [0, 1, 3, 4])
def test_too_few_prompts_give_a_reason_and_no_number(interval: Make, n: int) -> None:
    found = interval([*SAMPLE[:n], math.nan, math.nan, math.nan])
    assert math.isnan(found.estimate) and math.isnan(found.lower) and math.isnan(found.upper)
    assert (found.n, found.method, found.resamples) == (n, "none", 0)
    assert found.reason == f"{n} prompts have a number, at least 5 are needed."


@pytest.mark.parametrize("interval", ALL)
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_without_spread_there_are_no_bounds(interval: Make, value: float) -> None:
    found = interval([value] * 24)
    assert found.estimate == pytest.approx(value)
    assert math.isnan(found.lower) and math.isnan(found.upper)
    assert "without spread" in str(found.reason)


def test_five_prompts_are_enough_and_nan_is_left_out() -> None:
    with_gap = mean_interval([*SAMPLE[:5], math.nan])
    assert with_gap == mean_interval(SAMPLE[:5])
    assert with_gap.n == 5 and with_gap.reason is None


@pytest.mark.parametrize("interval", ALL)
def test_same_seed_same_bytes_in_any_order(interval: Make) -> None:
    first, second = interval(SAMPLE, seed=3), interval(SAMPLE[::-1], seed=3)
    assert first == second
    assert interval(SAMPLE, seed=4).lower != first.lower


def test_scale_and_shift_move_the_bounds_along() -> None:
    found = mean_interval(SAMPLE)
    moved = mean_interval([1e-6 * value + 3 for value in SAMPLE])
    assert moved.lower == pytest.approx(1e-6 * found.lower + 3, rel=1e-12)
    mirrored = one_sided_bounds([-value for value in SAMPLE], resamples=99_999)
    bounds = one_sided_bounds(SAMPLE, resamples=99_999)
    assert mirrored.upper == pytest.approx(-bounds.lower, abs=0.01)


def test_refused_arguments() -> None:
    with pytest.raises(ValueError, match="take more resamples"):
        mean_interval(SAMPLE, resamples=19)
    with pytest.raises(ValueError, match=r"`level` is 0\.05"):
        mean_interval(SAMPLE, level=0.05)  # an alpha, where the confidence belongs
    with pytest.raises(ValueError, match="`level` is 1"):
        mean_interval(SAMPLE, level=1.0)
    with pytest.raises(ValueError, match="finite"):
        mean_interval([*SAMPLE, math.inf])
    with pytest.raises(ValueError, match=r"\[prompt\]"):
        mean_interval([SAMPLE])


# ---- half points and corner points


@pytest.mark.parametrize("ones", [0, 1, 4, 12, 24])
def test_half_points_of_zeros_and_ones_are_jeffreys(ones: int) -> None:
    found = mean_interval([0.0] * (24 - ones) + [1.0] * ones, largest=1.0, resamples=39_999)
    lower, upper = stats.beta.ppf([0.025, 0.975], ones + 0.5, 24 - ones + 0.5)
    assert found.lower == (0 if ones == 0 else pytest.approx(lower, abs=0.006))
    assert found.upper == (1 if ones == 24 else pytest.approx(upper, abs=0.006))


def test_one_half_point_at_the_end_that_bounds() -> None:
    found = one_sided_bounds([0.0] * 20 + [1.0] * 4, largest=1.0, resamples=39_999)
    assert found.lower == pytest.approx(stats.beta.ppf(0.05, 4, 20.5), abs=0.004)
    assert found.upper == pytest.approx(stats.beta.ppf(0.95, 4.5, 20), abs=0.004)
    two_sided = mean_interval([0.0] * 20 + [1.0] * 4, largest=1.0, level=0.9, resamples=39_999)
    assert found.lower < two_sided.lower + 0.004 and found.upper > two_sided.upper - 0.004


@pytest.mark.parametrize(("n", "upper"), [(24, 0.098), (9, 0.238)])
def test_what_could_hide_behind_zeros_alone(n: int, upper: float) -> None:
    found = mean_interval([0.0] * n, largest=1.0, resamples=39_999)
    assert (found.estimate, found.lower, found.method, found.reason) == (0, 0, "half-point", None)
    assert found.upper == pytest.approx(upper, abs=0.01)
    one_sided = one_sided_bounds([0.0] * n, largest=1.0, resamples=39_999)
    assert one_sided.lower == 0
    assert one_sided.upper == pytest.approx(stats.beta.ppf(0.95, 0.5, n), abs=0.01)


def test_half_points_where_twenty_of_twenty_four_are_zero() -> None:
    found = mean_interval([0.0] * 20 + [0.05, 0.2, 0.5, 0.9], largest=1.0, resamples=39_999)
    assert (found.lower, found.upper) == pytest.approx((0.021, 0.200), abs=0.003)


def test_half_points_against_a_plain_loop() -> None:
    generator, means = np.random.default_rng(3), []
    for _ in range(20_000):
        weights = generator.dirichlet([*[1.0] * 9, 0.5, 0.5])
        means.append(sum(w * x for w, x in zip(weights, [*SAMPLE, 0.0, 0.6], strict=True)))
    found = mean_interval(SAMPLE, largest=0.6, resamples=19_999)
    assert (found.lower, found.upper) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.005)


def test_corner_points_against_a_plain_loop() -> None:
    values = [0.0] * 8 + [0.5]
    generator, means = np.random.default_rng(3), []
    for _ in range(20_000):
        weights = generator.dirichlet([*[1.0] * 9, 0.25, 0.5, 0.25])
        means.append(sum(w * x for w, x in zip(weights, [*values, -1.0, 0.0, 1.0], strict=True)))
    found = difference_interval(values, largest=1.0, resamples=19_999)
    assert found.method == "corner-point"
    assert (found.lower, found.upper) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.01)


def test_a_difference_without_a_largest_value_is_by_the_bootstrap_t() -> None:
    rare = [0.0] * 18 + [0.05, 0.1, 0.1, 0.2, 0.3, 0.9]
    whole, bounded = difference_interval(rare), difference_interval(rare, largest=1.0)
    assert (whole.method, bounded.method) == ("bootstrap-t", "corner-point")
    assert whole.estimate == bounded.estimate and whole.lower < -0.03 < bounded.lower


def test_rare_and_far_differences_are_covered() -> None:
    """Two systems of one mean; a bootstrap-t that sees only small differences would be far too narrow."""
    covered = {1.0: 0, None: 0}
    for differences in rare_and_often(np.random.default_rng(1), 300, 9):
        for largest in covered:
            found = difference_interval(differences, largest=largest, resamples=499)
            covered[largest] += found.lower <= 0 <= found.upper
    assert covered[None] < 0.8 * 300 and covered[1.0] > 0.9 * 300


@pytest.mark.parametrize(
    ("values", "high", "expected"),
    [
        ([[0.1, 0.4], [0.2, math.nan], [0.0, 0.3]], 2, 1.0),  # what was seen is not all there is
        ([0.1, 0.4], math.log(2), math.log(2)),
        ([[0.1, 1.4], [0.2, 0.3]], 2, 1.4),
        ([[math.nan, math.nan]], 1, 1.0),
        ([], 1, 1.0),
        ([0.1, 0.4], math.inf, None),
    ],
)
def test_the_largest_value(values: list[float], high: float, expected: float | None) -> None:
    assert largest_value(values, high) == expected


@pytest.mark.parametrize("values", [[-0.1, *SAMPLE], [*SAMPLE, 1.1]])
@pytest.mark.parametrize("interval", [mean_interval, one_sided_bounds])
def test_values_outside_the_range_are_refused(interval: Make, values: list[float]) -> None:
    with pytest.raises(ValueError, match="values from 0 to 1 needed"):
        interval(values, largest=1.0)


@pytest.mark.parametrize("interval", ALL)
def test_few_prompts_have_no_half_points_either(interval: Make) -> None:
    found = interval(SAMPLE[:4], largest=1.0)
    assert math.isnan(found.lower) and found.method == "none" and found.resamples == 0
    assert found.reason == "4 prompts have a number, at least 5 are needed."
