"""The partition against its definition, written as loops over the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_sensitivity.stats import PairCounts, Partition, contrast_table, partition_by_prompt

Row = tuple[str, str, str, float, str]

cells = st.tuples(st.sampled_from("abcd"), st.sampled_from("uvwxyz"), st.sampled_from("mno"))
numbers = st.floats(0, 2).map(lambda value: round(value, 3))


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    keys = draw(st.lists(cells, min_size=1, max_size=40, unique=True))
    statuses = [draw(st.sampled_from(["scored"] * 4 + ["erased", "unscored"])) for _ in keys]
    values = [draw(numbers) if status != "unscored" else math.nan for status in statuses]
    return [(*key, value, status) for key, value, status in zip(keys, values, statuses, strict=True)]


def partition(rows: list[Row]) -> Partition:
    prompts, edits, systems, values, statuses = zip(*rows, strict=True)
    return partition_by_prompt(prompts, edits, systems, values, statuses)


def usable(rows: list[Row], prompt: str, system: str) -> dict[str, float]:
    return {edit: value for p, edit, s, value, status in rows if (p, s, status) == (prompt, system, "scored")}


@given(tables())
@settings(deadline=None)
def test_means_and_contrasts_by_brute_force(rows: list[Row]) -> None:
    table = partition(rows)
    for i, prompt in enumerate(table.prompts):
        own = {system: usable(rows, prompt, system) for system in table.systems}
        for j, system in enumerate(table.systems):
            values = list(own[system].values())
            expected = sum(values) / len(values) if values else math.nan
            assert table.means()[i, j] == pytest.approx(expected, nan_ok=True)
        for first in table.systems:
            for second in table.systems:
                shared = sorted(own[first].keys() & own[second].keys())
                found = table.contrast(first, second)
                for side, system in ((found.first_means, first), (found.second_means, second)):
                    values = [own[system][edit] for edit in shared]
                    expected = sum(values) / len(values) if values else math.nan
                    assert side[i] == pytest.approx(expected, nan_ok=True)
                expected = found.first_means[i] - found.second_means[i]
                assert found.differences[i] == pytest.approx(expected, nan_ok=True, abs=1e-12)


@given(tables())
@settings(deadline=None)
def test_every_pair_is_counted_exactly_once(rows: list[Row]) -> None:
    table = partition(rows)
    for first in table.systems:
        for second in table.systems:
            fates: dict[tuple[str, str], list[str]] = {}
            for prompt, edit, system, _, status in rows:
                if system in (first, second):
                    fates.setdefault((prompt, edit), []).append(status)
            needed = 1 if first == second else 2
            kinds = {
                pair: "erased"
                if "erased" in fate
                else "unscored"
                if "unscored" in fate
                else "pairs"
                if len(fate) == needed
                else "not_shared"
                for pair, fate in fates.items()
            }
            n = {
                kind: list(kinds.values()).count(kind)
                for kind in ("pairs", "erased", "unscored", "not_shared")
            }
            good = {prompt for (prompt, _), kind in kinds.items() if kind == "pairs"}
            lost = {prompt for prompt, _ in kinds} - good
            expected = PairCounts(
                len(good), len(lost), n["pairs"], n["erased"], n["unscored"], n["not_shared"]
            )
            found = table.counts(first) if first == second else table.contrast(first, second).counts
            assert found == expected


@given(tables(), st.randoms())
@settings(deadline=None)
def test_the_order_of_rows_changes_no_byte(rows: list[Row], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(rows, len(rows))
    first, second = partition(rows), partition(shuffled)
    assert (first.prompts, first.edits, first.systems) == (second.prompts, second.edits, second.systems)
    assert first.status.tobytes() == second.status.tobytes()
    assert first.values.tobytes() == second.values.tobytes()
    assert first.means().tobytes() == second.means().tobytes()
    assert contrast_table(first).differences.tobytes() == contrast_table(second).differences.tobytes()


@given(tables(), st.floats(0.125, 8))
@settings(deadline=None)
def test_scale_and_antisymmetry(rows: list[Row], factor: float) -> None:
    table = partition(rows)
    scaled = partition([(*row[:3], factor * row[3], row[4]) for row in rows])
    np.testing.assert_allclose(scaled.means(), factor * table.means())
    first, second = table.systems[0], table.systems[-1]
    forth, back = table.contrast(first, second), table.contrast(second, first)
    np.testing.assert_array_equal(forth.differences, -back.differences)
    assert forth.counts == back.counts
