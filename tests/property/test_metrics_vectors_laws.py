"""Laws of the vector metrics and margins, and twins written as loops."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from lm_eval_sensitivity.metrics import (
    cosine_distance,
    low_margin_density,
    margin_statistics,
    output_spread,
    pool_windows,
    split_into_windows,
)

Floats = NDArray[np.float64]

# Zero or well away from it: a vector of subnormal numbers has no direction worth a law.
entries = st.floats(-10, 10).map(lambda x: 0.0 if abs(x) < 1e-3 else x)
vectors = arrays(np.float64, 5, elements=entries)
tables = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=entries)


def angle(u: Floats, v: Floats) -> float:
    return math.acos(1.0 - cosine_distance(u, v))


@given(vectors, vectors, st.floats(0.1, 10))
def test_laws_of_the_cosine_distance(u: Floats, v: Floats, scale: float) -> None:
    distance = cosine_distance(u, v)
    assert math.isnan(distance) == (not (u.any() and v.any()))
    assume(u.any() and v.any())
    assert 0.0 <= distance <= 2.0
    assert distance == cosine_distance(v, u)
    assert cosine_distance(u, u.copy()) == 0.0
    assert cosine_distance(u * scale, v) == pytest.approx(distance, abs=1e-12)
    assert cosine_distance(-u, v) == pytest.approx(2.0 - distance, abs=1e-12)
    order = np.array([3, 0, 4, 1, 2])
    assert cosine_distance(u[order], v[order]) == pytest.approx(distance, abs=1e-12)


@given(vectors, vectors, vectors)
def test_angles_satisfy_the_triangle_inequality(u: Floats, v: Floats, w: Floats) -> None:
    assume(u.any() and v.any() and w.any())
    assert angle(u, w) <= angle(u, v) + angle(v, w) + 1e-6


@given(st.integers(0, 2000), st.integers(1, 300))
def test_windows_cover_every_token_once(n_tokens: int, capacity: int) -> None:
    windows = split_into_windows(n_tokens, capacity=capacity)
    covered = [token for start, end in windows for token in range(start, end)]
    assert covered == list(range(n_tokens))
    assert all(1 <= end - start <= capacity for start, end in windows)
    assert len(windows) == math.ceil(n_tokens / capacity)


@given(tables, st.data())
def test_pooling_is_the_direction_of_the_weighted_sum(rows: Floats, data: st.DataObject) -> None:
    counts = data.draw(arrays(np.int64, len(rows), elements=st.integers(1, 254)))
    total = sum(row * count for row, count in zip(rows, counts, strict=True))
    assume(float(np.linalg.norm(total)) > 1e-6)
    pooled = pool_windows(rows, counts)
    assert float(np.linalg.norm(pooled)) == pytest.approx(1.0)
    assert cosine_distance(pooled, total) < 1e-9
    order = np.arange(len(rows))[::-1]
    np.testing.assert_allclose(pool_windows(rows[order], counts[order]), pooled, atol=1e-9)


@given(tables)
@settings(deadline=None)
def test_spread_is_the_mean_over_all_pairs(rows: Floats) -> None:
    there = rows.any(axis=1) & (rows.any(axis=1).sum() > 1)
    spread = output_spread(rows)
    assert (np.isnan(spread) == ~there).all()
    assert ((spread[there] >= 0.0) & (spread[there] <= 2.0)).all()
    np.testing.assert_allclose(output_spread(rows[::-1])[::-1], spread, atol=1e-12)
    kept = rows[there]
    for index, found in enumerate(spread[there]):
        others = np.delete(kept, index, axis=0)
        assert found == pytest.approx(np.mean([cosine_distance(kept[index], v) for v in others]), abs=1e-9)
    if len(kept):
        expected = np.mean([cosine_distance(u, v) for u, v in combinations(kept, 2)])
        assert spread[there].mean() == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(0, 20), min_size=1, max_size=40), st.lists(st.floats(0, 25), max_size=8))
def test_margins_against_a_loop(margins: list[float], thresholds: list[float]) -> None:
    density = low_margin_density(margins, thresholds)
    assert density.tolist() == [sum(m < tau for m in margins) / len(margins) for tau in thresholds]
    statistics = margin_statistics(margins)
    assert statistics.margin_min == min(margins)
    assert statistics.margin_min_step == margins.index(min(margins))
    assert statistics.n_tied == margins.count(0.0)
    assert list(statistics.low_margin_density) == sorted(statistics.low_margin_density)
