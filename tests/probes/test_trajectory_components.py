"""Variance components: unbiased under a known truth, the same as by loops, and honest about what one output hides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.probes.trajectory.components import decompose

CATEGORIES = ["a"] * 2 + ["b"] * 3 + ["c"] * 4
TRUTH = {"system": 1.5, "category": 0.8, "prompt in category": 0.5, "rest": 0.3}


def simulated(generator: np.random.Generator, n_systems: int = 3) -> np.ndarray:
    def effects(name: str, *shape: int) -> np.ndarray:
        return math.sqrt(TRUTH[name]) * generator.standard_normal(shape)

    category = effects("category", 3)[[ord(each) - ord("a") for each in CATEGORIES]]
    prompt = effects("prompt in category", len(CATEGORIES))
    system = effects("system", n_systems, 1)
    return system + category + prompt + effects("rest", n_systems, len(CATEGORIES)) + 4.0


def test_known_variances_come_back_over_2400_tables() -> None:
    generator = np.random.default_rng(0)
    found = np.mean(
        [[each.estimate for each in decompose(simulated(generator), CATEGORIES)] for _ in range(2_400)],
        axis=0,
    )
    assert found.tolist() == pytest.approx(list(TRUTH.values()), rel=0.1)


@given(st.integers(0, 1_000), st.integers(2, 4))
def test_sums_of_squares_by_loops(seed: int, n_systems: int) -> None:
    table = simulated(np.random.default_rng(seed), n_systems)
    n = table.shape[1]
    grand = sum(map(sum, table.tolist())) / table.size
    system = [sum(row) / n for row in table.tolist()]
    prompt = [sum(table[:, p]) / n_systems for p in range(n)]
    names = sorted(set(CATEGORIES))
    category = {name: np.mean([prompt[p] for p in range(n) if CATEGORIES[p] == name]) for name in names}
    total = sum((y - grand) ** 2 for row in table.tolist() for y in row)
    squares = [
        sum(n * (each - grand) ** 2 for each in system),
        sum(n_systems * (category[CATEGORIES[p]] - grand) ** 2 for p in range(n)),
        sum(n_systems * (prompt[p] - category[CATEGORIES[p]]) ** 2 for p in range(n)),
        sum((table[s, p] - system[s] - prompt[p] + grand) ** 2 for s in range(n_systems) for p in range(n)),
    ]
    found = decompose(table, CATEGORIES)
    assert [each.eta_squared for each in found] == pytest.approx([each / total for each in squares])
    assert sum(each.eta_squared for each in found) == pytest.approx(1)
    assert [each.degrees for each in found] == [n_systems - 1, 2, 6, (n_systems - 1) * 8]
    assert sum(each.chance for each in found) == pytest.approx(1)
    shares = [each.share for each in found]
    assert min(shares) >= 0 and sum(shares) == pytest.approx(1)


def test_two_systems_and_nine_prompts_have_a_chance_of_one_in_seventeen() -> None:
    found = decompose(simulated(np.random.default_rng(0), 2), CATEGORIES)
    assert found[0].chance == pytest.approx(1 / 17)


def test_a_negative_variance_counts_as_nothing_and_says_so() -> None:
    table = [[1.0, 3.0, 1.0, 3.0], [1.1, 3.1, 1.1, 3.1]]
    _, category, prompt, _ = decompose(table, ["a", "a", "b", "b"])
    assert category.estimate < 0 and category.is_negative and category.share == 0
    assert prompt.share > 0.9


def test_pure_sources_take_everything() -> None:
    by_system = decompose([[1.0] * 4, [2.0] * 4], ["a", "a", "b", "b"])
    assert by_system[0].share == 1 and by_system[0].estimate == pytest.approx(0.5)
    by_category = decompose([[1.0, 1.0, 2.0, 2.0]] * 2, ["a", "a", "b", "b"])
    assert by_category[1].share == 1


def test_one_prompt_in_each_category_leaves_both_open() -> None:
    found = decompose(simulated(np.random.default_rng(0))[:, :3], ["a", "b", "c"])
    assert math.isnan(found[1].estimate) and math.isnan(found[2].estimate)
    assert math.isnan(found[1].share) and found[0].share + found[3].share == pytest.approx(1)
    alone = decompose(simulated(np.random.default_rng(0))[:, :3], ["a", "a", "a"])
    assert math.isnan(alone[1].estimate) and not math.isnan(alone[2].estimate)


@pytest.mark.parametrize(
    ("table", "categories"), [([[1.0, 2.0]], "ab"), ([[1.0], [2.0]], "a"), ([[1.0, 2.0]] * 2, "a")]
)
def test_what_cannot_be_taken_apart(table: list[list[float]], categories: str) -> None:
    with pytest.raises(ValueError, match="two of each"):
        decompose(table, list(categories))
    with pytest.raises(ValueError, match="gap"):
        decompose([[1.0, math.nan], [1.0, 2.0]], ["a", "a"])
