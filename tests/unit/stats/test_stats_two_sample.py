"""Two clouds of samples: against brute force, by its laws, and by its error rate under exchangeability."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lm_eval_sensitivity.stats import mean_distances, two_sample_attainable_p, two_sample_test
from lm_eval_sensitivity.stats.two_sample import EXACT_UP_TO_SPLITS

Matrix = NDArray[np.float64]


def between_points(points: Matrix) -> Matrix:
    """[point, point] Euclidean distances of [point, dim]."""
    return np.asarray(np.linalg.norm(points[:, None] - points[None], axis=2))


def first(n: int, n_a: int) -> NDArray[np.bool_]:
    return np.arange(n) < n_a


def slow_excess(distances: Matrix, a: tuple[int, ...]) -> float:
    """The statistic by its definition, one pair of samples at a time."""
    b = [i for i in range(len(distances)) if i not in a]
    within = [
        float(np.mean([distances[i, j] for i, j in itertools.combinations(side, 2)])) for side in (a, b)
    ]
    return float(np.mean([distances[i, j] for i in a for j in b])) - sum(within) / 2


@pytest.mark.parametrize(("n_a", "n_b"), [(2, 2), (2, 5), (3, 3), (4, 3), (5, 5)])
def test_all_splits_tried_one_by_one_give_the_same(n_a: int, n_b: int) -> None:
    distances = between_points(np.random.default_rng(n_a * 10 + n_b).normal(size=(n_a + n_b, 2)))
    test = two_sample_test(distances, first(n_a + n_b, n_a))
    observed = slow_excess(distances, tuple(range(n_a)))
    every = [slow_excess(distances, split) for split in itertools.combinations(range(n_a + n_b), n_a)]
    assert test.excess == pytest.approx(observed)
    assert test.p_value == pytest.approx(np.mean([value >= observed - 1e-12 for value in every]))
    assert (test.method, test.draws) == ("exact", 0)


def test_means_by_hand() -> None:
    distances = np.array([[0, 1, 4, 5], [1, 0, 6, 7], [4, 6, 0, 2], [5, 7, 2, 0]], dtype=float)
    test = two_sample_test(distances, [True, True, False, False])
    assert (test.within_a, test.within_b, test.between, test.excess) == (1.0, 2.0, 5.5, 4.0)


@pytest.mark.parametrize(("n_a", "n_b"), [(4, 6), (9, 14), (12, 12)])
def test_neither_order_nor_the_name_of_a_set_matters(n_a: int, n_b: int) -> None:
    """Both where all splits are tried and where they are drawn; the seed is the same, so that p is."""
    rng = np.random.default_rng(5)
    points = rng.normal(size=(n_a + n_b, 2)) + 0.8 * first(n_a + n_b, n_a)[:, None]
    distances, labels = between_points(points), first(n_a + n_b, n_a)
    test = two_sample_test(distances, labels, draws=499)
    swapped = two_sample_test(distances, ~labels, draws=499)
    assert (swapped.within_a, swapped.within_b) == (test.within_b, test.within_a)
    assert (swapped.excess, swapped.p_value) == (test.excess, test.p_value)
    order = rng.permutation(n_a + n_b)
    shuffled = two_sample_test(distances[np.ix_(order, order)], labels[order], draws=499)
    assert shuffled == test
    scaled = two_sample_test(1e-9 * distances, labels, draws=499)
    assert scaled.p_value == test.p_value


def test_error_rate_under_exchangeability() -> None:
    """p is valid: P(p <= alpha) <= alpha, whether exact or drawn; and not much smaller, with alpha on the grid.

    400 tests: the number of rejections is binomial; five standard deviations are allowed. With 5 against 5
    samples p comes in steps of 2/252, with 49 draws in steps of 1/50.
    """
    rng = np.random.default_rng(11)
    for n, draws, alpha in ((5, 49, 26 / 252), (9, 49, 0.1)):
        ps = [
            two_sample_test(
                between_points(rng.normal(size=(2 * n, 2))), first(2 * n, n), draws=draws, seed=repeat
            ).p_value
            for repeat in range(400)
        ]
        assert min(ps) > 0
        allowed = 5 * math.sqrt(400 * alpha * (1 - alpha))
        assert abs(sum(p <= alpha + 1e-12 for p in ps) - 400 * alpha) <= allowed


def test_separated_sets_get_the_smallest_p() -> None:
    for n_a, n_b in ((3, 3), (3, 4), (20, 20)):
        # Two points far apart: no other split can be as extreme as the one that puts each set at one point.
        points = np.r_[np.zeros((n_a, 1)), np.ones((n_b, 1))]
        test = two_sample_test(between_points(points), first(n_a + n_b, n_a), draws=199)
        assert test.p_value == test.attainable_p == two_sample_attainable_p(n_a, n_b, draws=199)
        assert (test.within_a, test.within_b, test.between, test.excess) == (0, 0, 1, 1)


def test_attainable_p_counts_the_mirror_image_of_equal_sizes_only() -> None:
    assert two_sample_attainable_p(3, 3) == 2 / 20
    assert two_sample_attainable_p(3, 4) == 1 / 35
    assert math.comb(18, 9) > EXACT_UP_TO_SPLITS
    assert two_sample_attainable_p(9, 9, draws=99) == 0.01
    assert two_sample_attainable_p(9, 9, draws=10**6) == 2 / math.comb(18, 9)


@pytest.mark.parametrize("n", [3, 15])
def test_equal_outputs_have_a_p_of_one_and_a_reason(n: int) -> None:
    test = two_sample_test(np.zeros((2 * n, 2 * n)), first(2 * n, n), draws=99)
    assert (test.p_value, test.excess) == (1.0, 0.0)
    assert test.reason is not None
    assert "nothing to test" in test.reason


@pytest.mark.parametrize(("n_a", "n_b"), [(0, 0), (0, 3), (1, 3), (3, 1), (1, 1)])
def test_too_few_samples_have_a_reason_and_no_p(n_a: int, n_b: int) -> None:
    distances = 1 - np.eye(n_a + n_b)
    test = two_sample_test(distances, first(n_a + n_b, n_a))
    assert math.isnan(test.p_value)
    assert math.isnan(test.excess)
    assert math.isnan(test.attainable_p)
    assert test.reason == f"{n_a} and {n_b} samples: each side needs at least 2."
    assert (test.method, test.n_a, test.n_b) == ("none", n_a, n_b)
    assert math.isnan(test.between) == (0 in (n_a, n_b))


def test_expected_excess_of_cosine_distances_is_half_the_squared_distance_of_the_means() -> None:
    """Unbiased under resampling: the mean over all ways to draw two sets of three from two finite populations."""
    rng = np.random.default_rng(2)
    units = rng.normal(size=(8, 3))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    means = units[:4].mean(axis=0), units[4:].mean(axis=0)
    found = [
        two_sample_test(
            np.clip((1 - units[chosen] @ units[chosen].T) * (1 - np.eye(6)), 0, None), first(6, 3)
        )
        for a in itertools.combinations(range(4), 3)
        for b in itertools.combinations(range(4, 8), 3)
        for chosen in [list(a + b)]
    ]
    # Distinct pairs of a finite population of four: its variance is corrected by 4/3.
    spread = [1 - float(mean @ mean) for mean in means]
    expected = 1 - float(means[0] @ means[1]) - sum(spread) * 4 / 3 / 2
    assert np.mean([test.excess for test in found]) == pytest.approx(expected)
    infinite = 1 - float(means[0] @ means[1]) - sum(spread) / 2
    assert infinite == pytest.approx(float(np.sum((means[0] - means[1]) ** 2)) / 2)


@pytest.mark.parametrize(
    ("distances", "labels", "words"),
    [
        (np.zeros((3, 2)), [True, False, True], "distances .sample, sample. and true-or-false"),
        (np.zeros((2, 2)), [1, 0], "true-or-false"),
        ([[0, 1], [2, 0]], [True, False], "symmetric"),
        ([[1, 1], [1, 0]], [True, False], "0 on the diagonal"),
        ([[0, -1], [-1, 0]], [True, False], "not negative"),
        ([[0, math.nan], [math.nan, 0]], [True, False], "finite"),
    ],
)
def test_what_is_no_matrix_of_distances_is_refused(distances: Matrix, labels: list[bool], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        two_sample_test(distances, labels)


def test_no_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="draws"):
        two_sample_test(np.zeros((4, 4)), first(4, 2), draws=0)


def test_the_root_of_twice_a_cosine_distance_gives_the_energy_distance() -> None:
    """Against the definition of Szekely and Rizzo, with each pair of points one at a time."""
    rng = np.random.default_rng(8)
    units = rng.normal(size=(9, 4))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    cosine = np.clip(1 - units @ units.T, 0, None) * (1 - np.eye(9))
    a, b = units[:4], units[4:]
    between = np.mean([np.linalg.norm(x - y) for x in a for y in b])
    within = [np.mean([np.linalg.norm(x - y) for x, y in itertools.combinations(side, 2)]) for side in (a, b)]
    energy = 2 * between - within[0] - within[1]
    assert 2 * two_sample_test(np.sqrt(2 * cosine), first(9, 4)).excess == pytest.approx(energy)
    means = mean_distances(cosine, first(9, 4))
    assert means.excess == pytest.approx(slow_excess(cosine, (0, 1, 2, 3)))


def outputs(rng: np.random.Generator, *, modes: bool, n: int = 30) -> Matrix:
    """[sample, dim] unit vectors around one direction: of any kind, or of two opposite ones; of one mean."""
    beside = rng.normal(size=(n, 7))
    if modes:
        beside = 0.2 * beside + 3 * np.outer(rng.choice([-1, 1], n), np.eye(7)[0])
    beside /= np.linalg.norm(beside, axis=1, keepdims=True)
    return np.column_stack([np.full(n, 0.8), 0.6 * beside])


def test_two_modes_are_told_from_one_with_the_same_mean_and_equal_clouds_are_not() -> None:
    rng = np.random.default_rng(3)

    def rejected(modes: bool, root: bool, replicates: int) -> float:
        count = 0
        for seed in range(replicates):
            units = np.concatenate([outputs(rng, modes=False), outputs(rng, modes=modes)])
            cosine = np.clip(1 - units @ units.T, 0, None) * (1 - np.eye(60))
            distances = np.sqrt(2 * cosine) if root else cosine
            count += two_sample_test(distances, first(60, 30), draws=199, seed=seed).p_value <= 0.05
        return count / replicates

    assert rejected(True, root=True, replicates=30) == 1 and rejected(True, root=False, replicates=30) < 0.4
    assert rejected(False, root=True, replicates=200) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
