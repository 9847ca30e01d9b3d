"""Equal within a margin: the words, the margin, and the error at the margin itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lm_eval_sensitivity.stats import equivalence_test, one_sided_bounds
from tests.unit.stats.simulated import distances

REFERENCE = np.array([0.20, 0.25, 0.15, 0.30, 0.22, 0.18, 0.26, 0.24, 0.20])
NOISE = np.array([1, -1, 1, -1, 0, 1, -1, 1, -1])


def test_the_three_words() -> None:
    assert equivalence_test(REFERENCE + 0.01 * NOISE, REFERENCE).word == "equal within the margin"
    assert equivalence_test(2 * REFERENCE + 0.01 * NOISE, REFERENCE).word == "different"
    assert equivalence_test(REFERENCE / 2 + 0.01 * NOISE, REFERENCE).word == "different"
    assert equivalence_test(REFERENCE + 0.2 * NOISE, REFERENCE).word == "not distinguishable"


def test_each_side_needs_its_own_test() -> None:
    """Surely not lower is not equal, and neither is surely not higher."""
    for factor in (1.24, 0.76):
        found = equivalence_test(factor * REFERENCE + 0.02 * NOISE, REFERENCE)
        assert found.word == "different"


def test_a_real_difference_may_be_smaller_than_the_margin() -> None:
    found = equivalence_test(1.05 * REFERENCE, REFERENCE)
    assert found.word == "equal within the margin" and found.p_difference == 2 / 512


def test_the_margin_is_a_share_of_the_reference() -> None:
    values = 1.15 * REFERENCE + 0.004 * NOISE
    found = equivalence_test(values, REFERENCE)
    assert found.margin == pytest.approx(0.25 * REFERENCE.mean())
    assert found.word == "equal within the margin"
    assert equivalence_test(values, REFERENCE, margin_share=0.1).word == "different"
    assert found.above_minus_margin == one_sided_bounds(values - REFERENCE + 0.25 * REFERENCE)
    assert found.below_plus_margin == one_sided_bounds(values - REFERENCE - 0.25 * REFERENCE)


def test_an_adjusted_p_can_stand_in() -> None:
    found = equivalence_test(2 * REFERENCE + 0.01 * NOISE, REFERENCE, p_difference=0.2)
    assert found.word == "not distinguishable" and found.p_difference == 0.2


def test_identical_systems_are_equal() -> None:
    assert equivalence_test(REFERENCE, REFERENCE).word == "equal within the margin"
    constant = np.full(9, 0.2)
    assert equivalence_test(constant, constant).word == "equal within the margin"
    assert equivalence_test(constant / 4, constant).word == "different"


def test_degenerate_inputs_give_a_reason() -> None:
    few = equivalence_test([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    assert few.word is None and few.reason == "3 prompts have a number, at least 5 are needed."
    silent = equivalence_test([math.nan] * 9, REFERENCE)
    assert silent.word is None and math.isnan(silent.margin) and silent.n == 0
    still = equivalence_test(REFERENCE, np.zeros(9))
    assert still.word is None and still.reason is not None and "no margin" in still.reason
    with pytest.raises(ValueError, match="margin_share"):
        equivalence_test(REFERENCE, REFERENCE, margin_share=0)
    with pytest.raises(ValueError, match="both sides"):
        equivalence_test(REFERENCE, REFERENCE[:5])


@pytest.mark.parametrize("ratio", [1.25, 0.75])
def test_at_the_margin_equality_is_rarely_claimed(ratio: float) -> None:
    rng = np.random.default_rng(3)
    tables = distances(rng, (100, 48, 8, 2), means=(0.2, 0.2), zero=0.2).mean(axis=2)
    words = [
        equivalence_test(ratio * table[:, 0], table[:, 1], resamples=999, p_difference=1.0).word
        for table in tables
    ]
    assert words.count("equal within the margin") <= stats.binom.ppf(0.999, 100, 0.05)
