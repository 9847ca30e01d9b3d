"""Which mean is lower: against a plain loop over resamples, and where sign flips alone would be wrong."""

from __future__ import annotations

import math
from statistics import mean, stdev

import numpy as np
import pytest
from scipy import stats

from lm_eval_sensitivity.stats import difference_interval, order_p, sign_flip_test
from lm_eval_sensitivity.stats.order import _weights
from tests.unit.stats.simulated import rare_and_often

RNG = np.random.default_rng(5)
NUMBERS = RNG.normal([0.1, 0.02, 0.0], [0.1, 0.2, 0.15], (12, 3))


def loop(columns: list[list[float]], weights: np.ndarray) -> list[float]:
    """Step-down p-values, one resample and one contrast after the other."""

    def size(values: list[float], counts: list[int]) -> float:
        drawn = [value for value, count in zip(values, counts, strict=True) for _ in range(count)]
        return abs(mean(drawn) - mean(values)) / (stdev(drawn) / math.sqrt(len(drawn)))

    observed = [abs(mean(each)) / (stdev(each) / math.sqrt(len(each))) for each in columns]
    found = []
    for own in observed:
        below = [column for column, other in zip(columns, observed, strict=True) if other <= own]
        hits = sum(
            max(size(each, counts) for each in below) >= own for counts in weights.astype(int).tolist()
        )
        found.append((hits + 1) / (len(weights) + 1))
    return [max(p for p, other in zip(found, observed, strict=True) if other >= own) for own in observed]


def test_against_a_plain_loop() -> None:
    weights = _weights(12, 99, np.random.default_rng(3))
    assert (weights.sum(axis=1) == 12).all()
    expected = loop(NUMBERS.T.tolist(), weights)
    assert order_p(NUMBERS, resamples=99, seed=3).tolist() == pytest.approx(expected)


def test_one_contrast_agrees_with_its_interval() -> None:
    """p at most 0.05 and an interval of 95 % without 0 are one thing, up to the resamples."""
    for shift in (0.02, 0.05, 0.08, 0.12, 0.2):
        values = NUMBERS[:, 0] - NUMBERS[:, 0].mean() + shift
        p = float(order_p(values[:, None])[0])
        assert abs(p - 0.05) < 0.005 or (p <= 0.05) == (difference_interval(values).lower > 0)


def test_a_missing_prompt_and_a_larger_family() -> None:
    lacking = NUMBERS.copy()
    lacking[3, 1] = math.nan
    p = order_p(lacking, resamples=999)
    assert ((p > 0) & (p <= 1)).all()
    together, alone = (order_p(NUMBERS[:, :width], resamples=999)[0] for width in (3, 1))
    assert together >= alone


def test_without_spread() -> None:
    p = order_p(np.array([[0.0] * 9, [0.3] * 9, [0.1 + 0.2] * 9]).T, resamples=199)
    assert p.tolist() == [1.0, 1 / 200, 1 / 200]


def test_corner_points_say_the_same_as_their_interval() -> None:
    """The bootstrap-t sees no spread here, so that the corner points decide."""
    for size in (0.02, 0.05, 0.1, 0.3, 0.6):
        values = np.full(9, size)
        found = difference_interval(values, largest=1.0)
        p = float(order_p(values[:, None], largest=[1.0])[0])
        assert found.method == "corner-point" and (p <= 0.05) == (found.lower > 0)
    unbounded = order_p(np.array([[0.3] * 9, [0.02] * 9]).T, largest=[None, 1.0], resamples=199)
    assert unbounded[0] == 1 / 200 and unbounded[1] > 0.05


@pytest.mark.parametrize(("n", "wrong"), [(9, 0.3), (24, 0.12)])
def test_rare_and_far_is_not_called_lower_than_often_and_little(n: int, wrong: float) -> None:
    """Equal means: sign flips reject far too often, all tests together do not."""
    naive = settled = 0
    for differences in rare_and_often(np.random.default_rng(n), 200, n):
        flipped = sign_flip_test(differences, draws=499).p_value <= 0.05
        naive += flipped
        p = order_p(differences[:, None], largest=[1.0], resamples=499)
        settled += flipped and float(p[0]) <= 0.05
    assert naive > wrong * 200 and settled <= stats.binom.ppf(0.999, 200, 0.05)
