"""Bootstrap-t against a plain loop over the same resamples, its fallback, and its refusals."""

from __future__ import annotations

import math
from statistics import mean, stdev

import numpy as np
import pytest
from scipy import stats

from lm_eval_sensitivity.stats import difference_interval, mean_interval, one_sided_bounds
from lm_eval_sensitivity.stats.intervals import resample_indices, studentised_means
from lm_eval_sensitivity.stats.sample import sorted_sample

SAMPLE = [0.31, 0.02, 0.11, 0.05, 0.27, 0.08, 0.44, 0.19, 0.13]
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
def test_too_few_prompts_give_a_reason_and_no_number(interval, n) -> None:  # type: ignore[no-untyped-def]
    found = interval([*SAMPLE[:n], math.nan, math.nan, math.nan])
    assert math.isnan(found.estimate) and math.isnan(found.lower) and math.isnan(found.upper)
    assert (found.n, found.method, found.resamples) == (n, "none", 0)
    assert found.reason == f"{n} prompts have a number, at least 5 are needed."


@pytest.mark.parametrize("interval", ALL)
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_without_spread_there_are_no_bounds(interval, value) -> None:  # type: ignore[no-untyped-def]
    found = interval([value] * 24)
    assert found.estimate == pytest.approx(value)
    assert math.isnan(found.lower) and math.isnan(found.upper)
    assert "without spread" in found.reason


def test_five_prompts_are_enough_and_nan_is_left_out() -> None:
    with_gap = mean_interval([*SAMPLE[:5], math.nan])
    assert with_gap == mean_interval(SAMPLE[:5])
    assert with_gap.n == 5 and with_gap.reason is None


@pytest.mark.parametrize("interval", ALL)
def test_same_seed_same_bytes_in_any_order(interval) -> None:  # type: ignore[no-untyped-def]
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
