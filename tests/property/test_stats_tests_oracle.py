"""Sign flips against full enumeration and scipy, adjusted p-values against their laws."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import permutation_test

from lm_eval_sensitivity.stats import (
    ContrastTable,
    PairCounts,
    attainable_p,
    contrast_table,
    max_t_test,
    partition_by_prompt,
    sign_flip_test,
)

# Whole numbers: sums are exact, and ties are ties in every implementation.
whole = st.integers(-20, 20).map(float)


def enumerated(differences: list[float]) -> float:
    """Two-sided p over all 2^n sign vectors, one after the other."""
    observed = abs(sum(differences))
    vectors = list(product((1, -1), repeat=len(differences)))
    hits = sum(abs(sum(s * d for s, d in zip(v, differences, strict=True))) >= observed for v in vectors)
    return hits / len(vectors)


@given(st.lists(whole, min_size=9, max_size=9))
@settings(deadline=None, max_examples=40)
def test_exact_p_is_full_enumeration(differences: list[float]) -> None:
    found = sign_flip_test(differences)
    assert found.p_value == enumerated(differences)
    assert found.p_value >= attainable_p(9) > 0


@given(st.lists(whole, min_size=5, max_size=8), st.sampled_from([0.1, 1e-7, 3.0]))
@settings(deadline=None, max_examples=40)
def test_a_factor_that_rounds_changes_nothing(differences: list[float], factor: float) -> None:
    """Sums of tenths tie only up to rounding."""
    assert sign_flip_test([factor * value for value in differences]).p_value == enumerated(differences)


@given(st.lists(whole, min_size=5, max_size=9))
@settings(deadline=None, max_examples=25)
def test_exact_p_is_scipys(differences: list[float]) -> None:
    expected = permutation_test(
        (np.array(differences),),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert sign_flip_test(differences).p_value == pytest.approx(expected.pvalue)


@given(arrays(np.float64, (7, 5), elements=whole))
@settings(deadline=None, max_examples=40)
def test_laws_of_the_adjusted_p(differences: NDArray[np.float64]) -> None:
    counts = (PairCounts(7, 0, 7, 0, 0, 0),) * 5
    names = tuple((f"m{i}", f"n{i}") for i in range(5))
    found = max_t_test(ContrastTable(tuple("abcdefg"), names, differences, counts))
    raw, adjusted = found.p_unadjusted, found.p_adjusted
    assert raw == pytest.approx([sign_flip_test(column).p_value for column in differences.T])
    assert (adjusted >= raw - 1e-15).all() and (adjusted <= 1).all() and (adjusted > 0).all()
    order = np.argsort(-np.abs(found.t))
    assert (np.diff(adjusted[order]) >= 0).all()
    alone = max_t_test(ContrastTable(tuple("abcdefg"), names[:1], differences[:, :1], counts[:1]))
    assert alone.p_adjusted == pytest.approx(raw[:1])


@given(st.permutations(["m", "n", "o", "p"]), st.integers(0, 3))
@settings(deadline=None, max_examples=25)
def test_names_of_systems_carry_no_information(names: list[str], seed: int) -> None:
    """Renaming systems renames the results: no draw depends on a name."""
    values = np.random.default_rng(seed).beta(1, 4, (16, 4))

    def adjusted(names: list[str]) -> dict[frozenset[int], float]:
        rows = [(f"q{i:02d}", "x", names[s], values[i, s]) for i in range(16) for s in range(4)]
        found = max_t_test(
            contrast_table(partition_by_prompt(*zip(*rows, strict=True))), draws=299, seed=seed
        )
        return {
            frozenset(map(names.index, pair)): float(p)
            for pair, p in zip(found.contrasts, found.p_adjusted, strict=True)
        }

    assert adjusted(names) == adjusted(["m", "n", "o", "p"])
