"""Edits beside repetitions: all exchanges by hand, theory, laws, and the level under simulated noise."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import beta

from lm_eval_sensitivity.stats import repetition_test

RNG = np.random.default_rng(0)
DRAWS = 9_999


def by_hand(edits: np.ndarray, repeated: np.ndarray) -> float:
    """The share of all exchanges within prompts in which the mean difference is at least the observed one."""
    pools = [
        [float(floor), *row[~np.isnan(row)].tolist()] for row, floor in zip(edits, repeated, strict=True)
    ]

    def difference(places: tuple[int, ...]) -> float:
        each = []
        for pool, place in zip(pools, places, strict=True):
            others = [value for index, value in enumerate(pool) if index != place]
            each.append(sum(others) / len(others) - pool[place])
        return sum(each) / len(each)

    observed = difference((0,) * len(pools))
    every = [difference(places) for places in product(*(range(len(pool)) for pool in pools))]
    return sum(value >= observed - 1e-12 for value in every) / len(every)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_p_is_the_share_of_all_exchanges(shift: float) -> None:
    edits = RNG.uniform(0, 1, (6, 3)) + shift
    edits[0, 0] = edits[1, 1:] = math.nan  # prompts with two edits and with one
    repeated = RNG.uniform(0, 1, 6)
    exact = by_hand(edits, repeated)
    error = 5 * math.sqrt(exact * (1 - exact) / DRAWS) + 1 / DRAWS
    assert repetition_test(edits, repeated).p_value == pytest.approx(exact, abs=error)


@pytest.mark.parametrize("n_moved", [0, 1, 3])
def test_repetitions_that_all_agree_prove_as_much_as_they_are_many(n_moved: int) -> None:
    """With zeros in the repetitions, only exchanges with another zero are as extreme."""
    edits = np.zeros((8, 3))
    edits[:, :n_moved] = RNG.uniform(0.5, 0.9, (8, n_moved))
    exact = ((4 - n_moved) / 4) ** 8
    error = 5 * math.sqrt(exact * (1 - exact) / DRAWS) + 1 / DRAWS
    found = repetition_test(edits, np.zeros(8))
    assert found.p_value == pytest.approx(exact, abs=error)
    # Three of three moved by 0.5 and more is p < 1e-4, and eight prompts may hide noise of up to 0.2.
    assert found.standing == {0: "within", 1: "not above", 3: "above"}[n_moved]


def test_the_means_are_over_prompts_that_have_both() -> None:
    found = repetition_test(
        [[0.2, 0.4], [0.1, math.nan], [math.nan, math.nan], [0.9, 0.9], *[[0.2, 0.2]] * 3],
        [0.1, 0.3, 0.5, math.nan, 0.2, 0.2, 0.2],
    )
    assert found.n == 5
    assert found.distance == pytest.approx((0.3 + 0.1 + 0.2 * 3) / 5)
    assert found.floor == pytest.approx((0.1 + 0.3 + 0.2 * 3) / 5)


def test_the_order_of_prompts_and_of_edits_changes_nothing() -> None:
    edits, repeated = RNG.uniform(0, 1, (9, 4)), RNG.uniform(0, 0.6, 9)
    edits[2, 1] = math.nan
    order = RNG.permutation(9)
    assert repetition_test(edits, repeated) == repetition_test(edits[order][:, ::-1], repeated[order])


def test_edits_that_are_like_repetitions_are_rarely_above() -> None:
    """The level, where distances are independent, most are 0 and the others large: at most 5 % and its error."""
    for n_prompts, n_edits, zeros in ((9, 1, 0.7), (9, 4, 0.9), (24, 4, 0.9), (24, 18, 0.5)):
        above = 0
        for _ in range(200):
            shape = n_prompts, n_edits + 1
            noise = RNG.uniform(0, 1, shape) * (RNG.random(shape) > zeros)
            above += repetition_test(noise[:, 1:], noise[:, 0], draws=199, resamples=99).standing == "above"
        assert above / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200), (n_prompts, n_edits, zeros)


def test_edits_that_move_more_than_repetitions_are_above() -> None:
    noise = RNG.uniform(0, 0.1, (24, 5))
    found = repetition_test(noise[:, 1:] + 0.2, noise[:, 0])
    assert found.standing == "above" and found.p_value == 1 / (DRAWS + 1)


def test_too_few_prompts_give_no_p() -> None:
    found = repetition_test([[0.5]] * 4, [0.0] * 4)
    assert math.isnan(found.p_value) and found.standing == "not judged"
    assert found.reason == "4 prompts have a number, at least 5 are needed."
    nothing = repetition_test(np.zeros((0, 0)), np.zeros(0))
    assert nothing.n == 0 and math.isnan(nothing.distance) and nothing.standing == "not judged"


@pytest.mark.parametrize(
    ("edits", "repeated", "draws"),
    [([0.1], [0.1], 9), ([[0.1]], [0.1, 0.2], 9), ([[math.inf]], [0.1], 9), ([[0.1]], [0.1], 0)],
)
def test_what_is_no_table_of_distances_is_refused(edits: list, repeated: list, draws: int) -> None:
    with pytest.raises(ValueError, match="distances"):
        repetition_test(edits, repeated, draws=draws)


def test_noise_that_is_rare_and_far_is_told_from_edits_of_the_same_mean() -> None:
    """Repetitions move one prompt in ten by 0.6, every edit moves all by 0.06: distances differ, means do not."""
    for n_prompts, exchanged in ((9, 0.30), (24, 0.15)):
        found = []
        for _ in range(100):
            far = RNG.uniform(0.5, 0.7, n_prompts) * (RNG.random(n_prompts) < 0.1)
            found.append(
                repetition_test(RNG.uniform(0.02, 0.1, (n_prompts, 18)), far, draws=199, resamples=99)
            )
        assert sum(each.p_value <= 0.05 for each in found) / 100 > exchanged - 0.1, (
            "an exchange sees a difference"
        )
        assert sum(each.standing == "above" for each in found) / 100 <= 0.05 + 3 * math.sqrt(
            0.05 * 0.95 / 100
        )


@pytest.mark.parametrize("n", [9, 24])
def test_both_bounds_are_those_of_half_a_point(n: int) -> None:
    """Equal differences: only the weight of the half point is random, and it is beta-distributed."""
    hidden = float(beta(0.5, n).ppf(0.95))
    found = repetition_test(np.full((n, 4), 0.2), np.zeros(n))
    assert found.floor_upper == pytest.approx(hidden, abs=0.012)
    assert found.lower == pytest.approx(0.2 * (1 - hidden) - hidden, abs=0.012)
    assert repetition_test(np.full((n, 4), 1.5), np.zeros(n), high=2).floor_upper > 1.4 * hidden


@pytest.mark.parametrize(("n", "level", "floor"), [(9, 0.1, 0.0), (24, 0.05, 0.0), (9, 0.15, 0.02)])
def test_so_many_prompts_as_are_said_settle_it_and_half_as_many_do_not(
    n: int, level: float, floor: float
) -> None:
    edits = level * np.linspace(0, 2, 4) * np.ones((n, 1))
    repeated = np.zeros(n)
    repeated[0] = n * floor
    found = repetition_test(edits, repeated)
    assert found.standing == "not above" and found.n_needed is not None

    def standing(size: int) -> str:
        alike = np.arange(size) * n // size  # as many of each as there is room for
        return repetition_test(edits[alike], repeated[alike]).standing

    more = found.n_needed - n
    assert standing(n + math.ceil(1.3 * more)) == "above" and standing(n + more // 2) == "not above"


def test_few_moved_prompts_need_more_of_them_for_the_exchange_alone() -> None:
    """Three of 24 prompts moved, by 0.9 in their only edit: the mean may be settled, p is 1/8."""
    edits = np.zeros((24, 1))
    edits[:3] = 0.9
    found = repetition_test(edits, np.zeros(24))
    assert found.p_value == pytest.approx(1 / 8, abs=0.02) and found.standing == "not above"
    assert found.n_needed is not None
    tripled = np.tile(edits, (math.ceil(1.3 * found.n_needed / 24), 1))
    assert repetition_test(tripled, np.zeros(len(tripled))).standing == "above"


def test_distances_without_a_largest_value_have_bounds_by_resampling() -> None:
    noise = RNG.uniform(0, 1, (12, 5))
    found = repetition_test(noise[:, 1:] + 3, noise[:, 0], high=math.inf)
    assert found.standing == "above" and 2 < found.lower < 3.5 and found.floor < found.floor_upper < 1
    equal = repetition_test(np.ones((12, 2)), np.zeros(12), high=math.inf)
    assert equal.standing == "not above" and math.isnan(equal.lower) and equal.n_needed is None


def test_the_mean_is_weighted_as_everywhere_and_the_exchange_is_not() -> None:
    edits, repeated = RNG.uniform(0, 1, (9, 4)), RNG.uniform(0, 0.3, 9)
    repeated[4] = math.nan
    weighted = edits @ [0.7, 0.1, 0.1, 0.1]
    found, plain = repetition_test(edits, repeated, means=weighted), repetition_test(edits, repeated)
    assert found.distance == pytest.approx(np.delete(weighted, 4).mean()) and found.n == 8
    assert found.p_value == plain.p_value and found.lower != plain.lower
