"""Cosine distance, windows and pooling on vectors small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cosine

from lm_eval_sensitivity.metrics import (
    cosine_distance,
    hidden_distance,
    output_spread,
    pool_windows,
    split_into_windows,
)


def test_against_scipy_on_random_float32_vectors() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        u, v = rng.normal(size=(2, 384)).astype(np.float32)
        assert cosine_distance(u, v) == pytest.approx(
            float(cosine(u.astype(float), v.astype(float))), abs=1e-12
        )


def test_identical_vectors_are_exactly_zero_apart_where_the_formula_misses() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(200, 7))
    naive = [1 - (v @ v) / (np.linalg.norm(v) * np.linalg.norm(v)) for v in vectors]
    assert any(value != 0.0 for value in naive)  # else this test would show nothing
    assert all(cosine_distance(v, v.copy()) == 0.0 for v in vectors)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_scale_does_not_matter(scale: float) -> None:
    u, v = np.array([1.0, 2.0, -1.0]), np.array([0.5, 0.1, 2.0])
    assert cosine_distance(u * scale, v) == pytest.approx(cosine_distance(u, v), abs=1e-12)


@pytest.mark.parametrize(
    "bad",
    [None, [], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]],
    ids=["none", "empty", "zero", "nan", "inf"],
)
def test_undefined_is_nan_on_either_side_and_on_both(bad: list[float] | None) -> None:
    good = [] if bad == [] else [1.0, 2.0]
    assert math.isnan(cosine_distance(bad, good))
    assert math.isnan(cosine_distance(good, bad))
    assert math.isnan(cosine_distance(bad, bad))


@pytest.mark.parametrize(("u", "v"), [([1.0], [1.0, 2.0]), ([[1.0, 2.0]], [[1.0, 2.0]]), (1.0, 1.0)])
def test_shapes_that_are_not_two_equal_vectors_are_refused(u: object, v: object) -> None:
    with pytest.raises(ValueError, match="one shape"):
        cosine_distance(u, v)


def test_hidden_distance_is_the_cosine_distance_of_the_means() -> None:
    rng = np.random.default_rng(2)
    states_a, states_b = rng.normal(size=(5, 16)), rng.normal(size=(9, 16))
    mean_a, mean_b = states_a.mean(axis=0), states_b.mean(axis=0)
    assert hidden_distance(mean_a, mean_b) == pytest.approx(float(cosine(mean_a, mean_b)), abs=1e-12)
    assert hidden_distance(mean_a, mean_a) == 0.0
    assert math.isnan(hidden_distance(None, mean_b))


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split_into_windows(10, capacity=0)


@pytest.mark.parametrize(
    ("vectors", "n_tokens"),
    [(np.zeros((0, 3)), np.zeros(0)), (np.array([[1.0, 0, 0], [-1.0, 0, 0]]), np.array([5, 5]))],
    ids=["no window", "opposite windows"],
)
def test_pooling_without_a_direction_is_nan(
    vectors: NDArray[np.float64], n_tokens: NDArray[np.float64]
) -> None:
    pooled = pool_windows(vectors, n_tokens)
    assert pooled.shape == (3,)
    assert np.isnan(pooled).all()


def test_pooling_refuses_mismatched_weights() -> None:
    with pytest.raises(ValueError, match="pool_windows"):
        pool_windows([[1.0, 0.0]], [1, 2])


def test_spread_of_one_answer_to_everything_is_exactly_zero() -> None:
    vector = np.random.default_rng(0).normal(size=384).astype(np.float32)
    assert output_spread(np.tile(vector, (9, 1))).tolist() == [0.0] * 9


def test_spread_leaves_out_outputs_without_a_vector() -> None:
    nan = [math.nan, math.nan]
    found = output_spread([[1.0, 0.0], nan, [0.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(found, [1.0, math.nan, 1.0, math.nan])


@pytest.mark.parametrize(
    "vectors", [np.zeros((0, 3)), np.ones((1, 3)), np.array([[1.0, 0.0], [math.nan, 0.0]])]
)
def test_spread_below_two_outputs_is_undefined(vectors: NDArray[np.float64]) -> None:
    found = output_spread(vectors)
    assert found.shape == vectors.shape[:1] and np.isnan(found).all()


def test_spread_needs_a_table() -> None:
    with pytest.raises(ValueError, match="prompt, dim"):
        output_spread([1.0, 2.0])
