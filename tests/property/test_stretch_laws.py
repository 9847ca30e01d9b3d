"""Laws of growth and of shares, and an oracle with whole vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lm_eval_sensitivity.probes.stretch.growth import Growth, layer_growth, log_growth, range_growth
from lm_eval_sensitivity.probes.stretch.shares import Products, shares_of

sizes = arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 4)), elements=st.floats(1e-3, 1e3))
vectors = arrays(np.float64, (3, 2, 5), elements=st.floats(-100, 100))


@given(sizes, st.floats(1e-3, 1e3))
def test_growth_has_no_unit(table: np.ndarray, factor: float) -> None:
    np.testing.assert_allclose(log_growth(table * factor), log_growth(table), atol=1e-9)


@given(sizes)
def test_growth_of_all_layers_is_from_the_first_size_to_the_last(table: np.ndarray) -> None:
    assert log_growth(table).sum() == pytest.approx(np.log(table[-1] / table[0]).mean(), abs=1e-9)


@given(st.integers(3, 14), st.integers(5, 8), st.integers(0, 99))
def test_ranges_add_up(n_layers: int, n_prompts: int, seed: int) -> None:
    logs = np.random.default_rng(seed).normal(size=(3, n_prompts, n_layers))
    growth = Growth(logs[0], logs[1], logs[2], logs[1] - logs[0])
    by_range = {each.range: each for each in range_growth(growth)}
    total = by_range["all"].relative_total.estimate
    parts = [by_range[name].relative_total.estimate for name in ("first", "inner", "last")]
    assert total == pytest.approx(np.prod(parts))
    assert total == pytest.approx(by_range["all"].relative.estimate ** n_layers)
    ratio = by_range["inner"].disturbance.estimate / by_range["inner"].magnitude.estimate
    assert by_range["inner"].relative.estimate == pytest.approx(ratio)
    layers = layer_growth(growth)
    assert by_range["first"].magnitude.estimate == pytest.approx(layers[0].magnitude.middle)
    assert all(each.relative.low <= each.relative.high for each in layers)


@given(vectors)
def test_shares_as_by_whole_vectors(parts: np.ndarray) -> None:
    """[part, position, width] of x_0, A and M."""
    whole = parts.sum(axis=0)
    products = Products(
        (parts * whole).sum(axis=-1), np.linalg.norm(parts, axis=-1), np.linalg.norm(whole, axis=-1)
    )
    for convention in ("projection", "squared", "norm"):
        per_position = []
        for position in range(2):
            if convention == "projection":
                top = [part @ whole[position] for part in parts[:, position]]
                bottom = whole[position] @ whole[position]
            else:
                power = 2 if convention == "squared" else 1
                top = [np.sqrt(part @ part) ** power for part in parts[:, position]]
                bottom = sum(top)
            if bottom > 1e-6:
                per_position.append(np.array(top) / bottom)
        found = shares_of(products, convention)
        if len(per_position) == 2:
            np.testing.assert_allclose(found, np.mean(per_position, axis=0), rtol=1e-6, atol=1e-9)
            assert found.sum() == pytest.approx(1)
