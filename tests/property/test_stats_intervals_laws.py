"""Intervals of bounded numbers: inside the range, around the mean, the same in any order, and of any unit."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_sensitivity.stats import difference_interval, largest_value, mean_interval, one_sided_bounds

distance = st.one_of(st.just(0.0), st.floats(0, 1, allow_subnormal=False), st.just(1.0))
samples = st.lists(distance, min_size=5, max_size=30)
OPTIONS = {"resamples": 199, "seed": 1}


@given(samples)
@settings(deadline=None, max_examples=60)
def test_half_points_lie_in_the_range_and_around_the_mean(values: list[float]) -> None:
    for interval in (mean_interval, one_sided_bounds):
        found = interval(values, largest=1.0, **OPTIONS)
        assert 0 <= found.lower <= found.estimate <= found.upper <= 1
        assert found.method == "half-point" and found.reason is None


@given(samples, st.randoms())
@settings(deadline=None, max_examples=40)
def test_corner_points_lie_in_the_range_and_around_the_mean(
    values: list[float], generator: random.Random
) -> None:
    differences = [value - generator.choice([0.0, value, 1.0]) for value in values]
    found = difference_interval(differences, largest=1.0, **OPTIONS)
    assert -1 <= found.lower <= found.estimate <= found.upper <= 1
    assert found.method == "corner-point" and found.reason is None


@given(samples, st.randoms())
@settings(deadline=None, max_examples=25)
def test_the_order_of_prompts_changes_no_byte(values: list[float], generator: random.Random) -> None:
    mixed = generator.sample([*values, math.nan], len(values) + 1)
    for interval in (mean_interval, one_sided_bounds, difference_interval):
        assert interval(mixed, largest=1.0, **OPTIONS) == interval(values, largest=1.0, **OPTIONS)


@given(samples, st.sampled_from([0.5, 2.0]))
@settings(deadline=None, max_examples=25)
def test_the_unit_changes_nothing(values: list[float], unit: float) -> None:
    found = mean_interval(values, largest=1.0, **OPTIONS)
    scaled = mean_interval([unit * value for value in values], largest=unit, **OPTIONS)
    assert (scaled.lower, scaled.upper) == pytest.approx((unit * found.lower, unit * found.upper))


@given(samples, st.sampled_from([0.5, 1.0, 2.0]))
@settings(deadline=None, max_examples=25)
def test_a_larger_largest_value_never_lowers_a_bound(values: list[float], high: float) -> None:
    values = [high * value for value in values]
    largest = largest_value(values, high)
    assert largest is not None and max(values) <= largest <= high
    near, far = (mean_interval(values, largest=each, **OPTIONS) for each in (largest, 2 * largest))
    assert near.lower <= far.lower and near.upper <= far.upper
