"""Sign flips: what degenerate and ordinary data give, and that p is never 0."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lm_eval_sensitivity.stats import attainable_p, sign_flip_test
from lm_eval_sensitivity.stats.permutation import sign_vectors

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("n", [5, 9, 14])
def test_equal_signs_give_the_smallest_p_exactly(n: int) -> None:
    found = sign_flip_test(np.arange(1, n + 1) / 10)
    assert found.p_value == found.attainable_p == 2 / 2**n
    assert (found.method, found.draws) == ("exact", 0)


@pytest.mark.parametrize("n", [15, 24, 96])
def test_draws_never_give_zero(n: int) -> None:
    found = sign_flip_test(np.arange(1, n + 1) / 10, draws=999)
    assert found.p_value >= 1 / 1000
    assert (found.method, found.draws) == ("draws", 999)
    if n > 20:
        assert found.p_value == found.attainable_p == 1 / 1000


def test_draws_agree_with_the_exact_p() -> None:
    """The same numbers beside one that is next to nothing: 15 prompts are drawn, and 14 are exact."""
    differences = RNG.normal(0.4, 1, 14)
    exact = sign_flip_test(differences).p_value
    drawn = sign_flip_test([*differences, 1e-9]).p_value
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 99_999))


def test_prompts_that_do_not_differ_carry_no_sign() -> None:
    found = sign_flip_test([0.0] * 20 + [0.6, 0.7, 0.8, 0.9])
    assert (found.p_value, found.attainable_p, found.method, found.draws) == (0.125, 0.125, "exact", 0)
    assert (found.n, found.n_zero, found.n_moved) == (24, 20, 4)
    alone = RNG.normal(0.4, 1, 9)
    assert sign_flip_test([*alone, *[0.0] * 40]).p_value == sign_flip_test(alone).p_value
    assert sign_flip_test([0.0] * 23 + [0.9]).p_value == 1.0


def test_sign_vectors() -> None:
    (exact,) = sign_vectors(6, draws=10, seed=0)
    assert exact.shape == (32, 6)
    assert len({tuple(row) for row in exact.tolist()}) == 32
    assert exact[0].tolist() == [1.0] * 6 and (exact[:, 0] == 1).all()
    drawn = np.concatenate(list(sign_vectors(20, draws=5_000, seed=0)))
    assert drawn.shape == (5_000, 20) and set(np.unique(drawn)) == {-1.0, 1.0}
    assert abs(drawn.mean()) < 4 / math.sqrt(drawn.size)


def test_nothing_but_zeros_is_p_one_with_a_reason() -> None:
    found = sign_flip_test([0.0] * 9)
    assert (found.p_value, found.estimate, found.n_zero) == (1.0, 0.0, 9)
    assert found.reason == "All 9 differences are exactly 0: there is nothing to test."


@pytest.mark.parametrize("n", [0, 1, 3, 4])
def test_too_few_prompts_give_a_reason_and_no_number(n: int) -> None:
    found = sign_flip_test([0.1] * n + [math.nan] * 5)
    assert math.isnan(found.p_value) and math.isnan(found.estimate)
    assert (found.n, found.method) == (n, "none")
    assert found.reason == f"{n} prompts have a number, at least 5 are needed."


@pytest.mark.parametrize("n", [9, 24])
def test_any_order_and_scale_give_the_same_bytes(n: int) -> None:
    differences = RNG.normal(0.3, 1, n)
    found = sign_flip_test(differences, draws=999, seed=2)
    assert sign_flip_test(RNG.permutation(differences), draws=999, seed=2) == found
    assert sign_flip_test(-1e-200 * differences, draws=999, seed=2).p_value == pytest.approx(
        found.p_value, abs=0.02
    )


def test_attainable_p() -> None:
    assert attainable_p(9) == 2 / 512
    assert attainable_p(14, draws=9) == 2 / 2**14  # exact, so the draws do not matter
    assert attainable_p(15, draws=99) == 0.01
