"""Margins of one output: hand-made lists, empty ones, NaN, ties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lm_eval_sensitivity.metrics import (
    LOW_MARGIN_THRESHOLDS_NATS,
    low_margin_density,
    margin_at_divergence,
    margin_statistics,
)


def test_statistics_by_hand() -> None:
    statistics = margin_statistics(np.array([4.0, 0.0, 0.125, 1.5, 0.0], dtype=np.float32))
    assert (statistics.margin_min, statistics.margin_min_step) == (0.0, 1)
    assert statistics.margin_median == 0.125
    assert (statistics.n_steps, statistics.n_tied) == (5, 2)
    # 0.125 is not below 0.125: one unit in the last place is not counted as less than one.
    assert statistics.low_margin_density == (0.4, 0.6, 0.6, 0.6, 0.8)


def test_no_step_is_undefined_and_not_zero() -> None:
    statistics = margin_statistics([])
    assert math.isnan(statistics.margin_min)
    assert math.isnan(statistics.margin_median)
    assert statistics.margin_min_step is None
    assert (statistics.n_steps, statistics.n_tied) == (0, 0)
    assert len(statistics.low_margin_density) == len(LOW_MARGIN_THRESHOLDS_NATS)
    assert all(math.isnan(share) for share in statistics.low_margin_density)


def test_a_margin_that_is_nan_makes_the_statistics_nan() -> None:
    statistics = margin_statistics([1.0, math.nan, 0.0])
    assert math.isnan(statistics.margin_min)
    assert math.isnan(statistics.margin_median)
    assert math.isnan(statistics.low_margin_density[-1])
    assert (statistics.margin_min_step, statistics.n_steps, statistics.n_tied) == (None, 3, 1)


def test_a_step_with_one_allowed_token_is_safe() -> None:
    statistics = margin_statistics([math.inf, 3.0])
    assert statistics.margin_min == 3.0
    assert low_margin_density([math.inf, 3.0], [100.0]).tolist() == [0.5]


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 3.0), (2, 4.0), (3, math.nan), (None, math.nan), (-1, math.nan)]
)
def test_margin_at_the_branch(step: int | None, expected: float) -> None:
    assert margin_at_divergence([3.0, 0.5, 4.0], step) == pytest.approx(expected, nan_ok=True)


def test_a_table_of_margins_is_refused() -> None:
    for function in (
        margin_statistics,
        lambda m: low_margin_density(m, [1.0]),
        lambda m: margin_at_divergence(m, 0),
    ):
        with pytest.raises(ValueError, match="shape"):
            function(np.zeros((2, 2)))
