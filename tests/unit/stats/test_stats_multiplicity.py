"""Step-down max-|t| against a slow loop, its degenerate contrasts, and the simple alternatives."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from lm_eval_sensitivity.stats import (
    ContrastTable,
    MaxT,
    PairCounts,
    contrast_table,
    holm,
    max_t_test,
    partition_by_prompt,
    sign_flip_test,
)
from lm_eval_sensitivity.stats.permutation import sign_vectors

Floats = NDArray[np.float64]
RNG = np.random.default_rng(11)


def table(differences: Floats) -> ContrastTable:
    prompts, contrasts = differences.shape
    names = tuple((f"m{i:02d}", f"n{i:02d}") for i in range(contrasts))
    counts = (PairCounts(prompts, 0, prompts, 0, 0, 0),) * contrasts
    return ContrastTable(tuple(f"q{i:02d}" for i in range(prompts)), names, differences, counts)


def loop_t(column: list[float]) -> float:
    values = [value for value in column if not math.isnan(value)]
    n, mean = len(values), sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (n - 1)
    if variance < 1e-20:
        return math.inf if abs(mean) > 1e-10 else 0.0
    return abs(mean) / math.sqrt(variance / n)


def loop_max_t(differences: Floats, signs: list[tuple[float, ...]], *, add_one: bool) -> list[float]:
    """Westfall and Young's step-down procedure, as their book writes it down."""
    columns = range(differences.shape[1])
    observed = [loop_t(differences[:, c].tolist()) for c in columns]
    flipped = [[loop_t((np.array(s) * differences[:, c]).tolist()) for c in columns] for s in signs]
    order = sorted(columns, key=lambda c: -observed[c])
    adjusted, largest = [0.0] * len(order), 0.0
    for place, c in enumerate(order):
        rest = order[place:]
        count = sum(max(row[r] for r in rest) >= observed[c] * (1 - 1e-9) for row in flipped)
        largest = max(largest, (count + add_one) / (len(signs) + add_one))
        adjusted[c] = largest
    return adjusted


def with_gaps(prompts: int, contrasts: int) -> Floats:
    differences = RNG.normal(RNG.choice([0.0, 0.8], contrasts), 1, (prompts, contrasts))
    differences[RNG.random(differences.shape) < 0.2] = np.nan
    differences[:5] = np.where(np.isnan(differences[:5]), 0.1, differences[:5])
    return differences


@pytest.mark.parametrize("gaps", [False, True])
def test_exact_against_a_slow_loop(gaps: bool) -> None:
    differences = with_gaps(8, 5) if gaps else RNG.normal(0.5, 1, (8, 5))
    differences[:, 4] = 0.0
    signs = list(product((1.0, -1.0), repeat=8))
    found = max_t_test(table(differences), alpha=1.0)
    assert found.p_adjusted == pytest.approx(loop_max_t(differences, signs, add_one=False))
    assert np.abs(found.t) == pytest.approx([loop_t(differences[:, c].tolist()) for c in range(5)])
    assert (found.method, found.draws, found.family, found.n_prompts) == ("exact", 0, 5, 8)


@pytest.mark.parametrize("gaps", [False, True])
def test_draws_against_a_slow_loop_over_the_same_signs(gaps: bool) -> None:
    differences = with_gaps(16, 4) if gaps else RNG.normal(0.3, 1, (16, 4))
    signs = [tuple(row) for block in sign_vectors(16, draws=299, seed=3) for row in block.tolist()]
    found = max_t_test(table(differences), alpha=1.0, draws=299, seed=3)
    assert found.p_adjusted == pytest.approx(loop_max_t(differences, signs, add_one=True))
    assert (found.method, found.draws, found.attainable_p) == ("draws", 299, 1 / 300)


def test_blocks_of_signs_add_up() -> None:
    """More draws than one block holds, counted one by one."""
    differences = RNG.normal(0.2, 1, (15, 1))
    signs = np.concatenate(list(sign_vectors(15, draws=5_000, seed=0)))
    extreme = np.abs(signs @ differences[:, 0]) >= abs(differences.sum()) * (1 - 1e-9)
    assert max_t_test(table(differences), draws=5_000).p_adjusted == pytest.approx(
        [(extreme.sum() + 1) / 5_001]
    )


def test_a_missing_prompt_changes_the_unadjusted_p_of_no_contrast() -> None:
    differences = with_gaps(9, 6)
    found = max_t_test(table(differences), alpha=1.0)
    alone = [sign_flip_test(differences[:, c]).p_value for c in range(6)]
    assert found.p_unadjusted == pytest.approx(alone)
    assert (found.p_adjusted >= found.p_unadjusted).all()
    assert found.n == tuple((~np.isnan(differences)).sum(axis=0).tolist())


def test_all_zero_differences_have_t_zero_and_p_one() -> None:
    differences = np.concatenate([np.zeros((9, 2)), RNG.normal(3, 1, (9, 1))], axis=1)
    found = max_t_test(table(differences))
    assert found.t[:2].tolist() == [0.0, 0.0]
    assert found.p_adjusted[:2].tolist() == found.p_unadjusted[:2].tolist() == [1.0, 1.0]
    assert found.p_adjusted[2] == 2 / 512


def test_equal_differences_have_an_infinite_t() -> None:
    found = max_t_test(table(np.stack([np.full(9, -0.1), np.arange(9) / 9], axis=1)))
    assert found.t[0] == -math.inf and found.p_adjusted[0] == 2 / 512


def test_contrasts_with_too_few_prompts_are_no_part_of_the_family() -> None:
    differences = RNG.normal(1, 1, (9, 3))
    differences[4:, 1] = np.nan
    found = max_t_test(table(differences))
    assert found.family == 2 and found.n == (9, 4, 9)
    assert found.reasons == (None, "4 prompts have a number, at least 5 are needed.", None)
    assert np.isnan([found.p_adjusted[1], found.p_unadjusted[1], found.t[1], found.estimates[1]]).all()
    without = max_t_test(table(differences[:, [0, 2]]))
    assert found.p_adjusted[[0, 2]].tobytes() == without.p_adjusted.tobytes()


@pytest.mark.parametrize("n_sparse", [5, 6])
def test_a_sparse_contrast_that_could_never_be_rejected_does_not_silence_the_others(n_sparse: int) -> None:
    # The sparse contrast is as extreme as can be under 2 of 2^n vectors, so it would lie above the other's t there.
    solid = np.array([0.5, 0.1, 0.9, 0.2, 0.7, 0.4, 0.3, 0.6, 0.8])
    sparse = np.where(np.arange(9) < n_sparse, 1.0, np.nan)
    both = table(np.stack([solid, sparse], axis=1))
    assert max_t_test(both, alpha=1.0).p_adjusted[0] == 2 / 2**n_sparse  # held back
    found = max_t_test(both)
    assert found.attainable_ps == (2 / 512, 2 / 2**n_sparse)
    if n_sparse == 5:  # 0.0625 can be no finding
        assert found.p_adjusted[0] == 2 / 512 and math.isnan(found.p_adjusted[1])
        assert (found.family, found.n_hopeless, found.reasons[0]) == (1, 1, None)
        assert found.reasons[1] is not None and "0.0625, above alpha 0.05" in found.reasons[1]
    else:  # 0.03125 can
        assert (found.family, found.n_hopeless) == (2, 0)
        assert max_t_test(both, alpha=0.03).family == 1
    with pytest.raises(ValueError, match="alpha"):
        max_t_test(both, alpha=0.0)


def test_too_few_draws_for_alpha_leave_everything_out() -> None:
    found = max_t_test(table(RNG.normal(1, 1, (20, 2))), draws=9)
    assert (found.family, found.n_hopeless, found.attainable_ps) == (0, 2, (0.1, 0.1))


def test_a_prompt_that_no_contrast_has_gets_no_sign() -> None:
    differences = RNG.normal(0.5, 1, (17, 3))
    differences[3:6] = np.nan
    found = max_t_test(table(differences))
    assert (found.n_prompts, found.method) == (14, "exact")


@pytest.mark.parametrize("shape", [(9, 0), (0, 0), (3, 4)])
def test_nothing_to_test(shape: tuple[int, int]) -> None:
    found = max_t_test(table(np.ones(shape)))
    assert (found.family, found.method, found.draws) == (0, "none", 0)
    assert math.isnan(found.attainable_p)
    assert np.isnan(found.p_adjusted).all() and len(found.reasons) == shape[1]


def test_power_of_the_shared_signs() -> None:
    """Holm at nine prompts and six systems cannot reject; max-|t| knows that contrasts hang together."""
    effect = {f"m{s}": 1.0 if s == 5 else 0.001 * s for s in range(6)}
    noise = RNG.normal(0, 0.05, (9, 6))
    rows = [(f"q{i}", "x", m, effect[m] + noise[i, s]) for i in range(9) for s, m in enumerate(effect)]
    found = max_t_test(contrast_table(partition_by_prompt(*zip(*rows, strict=True))))
    assert found.p("m5", "m0") == found.p("m0", "m5") <= 0.05
    assert holm(found.p_unadjusted).min() > 0.05
    with pytest.raises(KeyError, match="were not compared"):
        found.p("m0", "other")


def test_order_of_systems_prompts_and_rows_changes_nothing() -> None:
    rows = [
        (f"q{i:02d}", f"e{e}", f"m{s}", float(RNG.beta(1, 4)))
        for i in range(16)
        for e in range(3)
        for s in range(4)
    ]

    def run(ordered: list[tuple[str, str, str, float]]) -> MaxT:
        return max_t_test(contrast_table(partition_by_prompt(*zip(*ordered, strict=True))), draws=499, seed=1)

    found = run(rows)
    for _ in range(3):
        again = run([rows[i] for i in RNG.permutation(len(rows))])
        assert (again.contrasts, again.n, again.family) == (found.contrasts, found.n, found.family)
        for array in ("estimates", "t", "p_unadjusted", "p_adjusted"):
            assert getattr(again, array).tobytes() == getattr(found, array).tobytes()
    assert (
        max_t_test(contrast_table(partition_by_prompt(*zip(*rows, strict=True))), draws=499, seed=2).seed == 2
    )


def test_holm_by_its_definition() -> None:
    random = np.random.default_rng(0)
    for n in (1, 2, 5, 40):
        p = random.uniform(0, 0.3, n).round(2)  # with ties
        ordered = sorted(p)
        steps = [(n - index) * value for index, value in enumerate(ordered)]
        expected = [min(1.0, max(steps[: ordered.index(value) + ordered.count(value)])) for value in p]
        assert holm(p) == pytest.approx(expected, abs=1e-12)


def test_holm_by_hand() -> None:
    p = [0.04, 0.01, math.nan, 0.03]
    assert holm(p) == pytest.approx([0.06, 0.03, math.nan, 0.06], nan_ok=True)
    assert holm([]).shape == (0,)
