"""The partition against its definition, written as loops over the rows."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lm_eval.api.metrics import aggregate_subtask_metrics

from lm_eval_sensitivity.harness.close.table_rows import OfPair, mean_of_scored
from lm_eval_sensitivity.stats import PairCounts, Partition, contrast_table, partition_by_prompt
from lm_eval_sensitivity.stats.partition import SCORED

Row = tuple[str, str, str, float, str]

cells = st.tuples(st.sampled_from("abcd"), st.sampled_from("uvwxyz"), st.sampled_from("mno"))
numbers = st.floats(0, 2).map(lambda value: round(value, 3))


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    keys = draw(st.lists(cells, min_size=1, max_size=40, unique=True))
    statuses = [draw(st.sampled_from(["scored"] * 4 + ["erased", "unscored"])) for _ in keys]
    values = [draw(numbers) if status != "unscored" else math.nan for status in statuses]
    return [(*key, value, status) for key, value, status in zip(keys, values, statuses, strict=True)]


RUNGS = dict(zip("uvwxyz", ("noop", "noop", "noop", "synonym", "synonym", "paraphrase"), strict=True))


def partition(rows: list[Row], *, by_rung: bool = False) -> Partition:
    prompts, edits, systems, values, statuses = zip(*rows, strict=True)
    rungs = [RUNGS[edit] for edit in edits] if by_rung else None
    return partition_by_prompt(prompts, edits, systems, values, statuses, rungs=rungs)


def mean(numbers: dict[str, float], *, by_rung: bool) -> float:
    """Of one prompt, by edit: every edit the same, or every rung and within it every edit."""
    groups = {RUNGS[edit] for edit in numbers} if by_rung else {""}
    means = []
    for group in groups if numbers else ():
        own = [value for edit, value in numbers.items() if not by_rung or RUNGS[edit] == group]
        means.append(sum(own) / len(own))
    return sum(means) / len(means) if means else math.nan


def usable(rows: list[Row], prompt: str, system: str) -> dict[str, float]:
    return {edit: value for p, edit, s, value, status in rows if (p, s, status) == (prompt, system, "scored")}


@given(tables(), st.booleans())
@settings(deadline=None)
def test_means_and_contrasts_by_brute_force(rows: list[Row], by_rung: bool) -> None:
    table = partition(rows, by_rung=by_rung)
    for i, prompt in enumerate(table.prompts):
        own = {system: usable(rows, prompt, system) for system in table.systems}
        for j, system in enumerate(table.systems):
            expected = mean(own[system], by_rung=by_rung)
            assert table.means()[i, j] == pytest.approx(expected, nan_ok=True)
        for first in table.systems:
            for second in table.systems:
                shared = sorted(own[first].keys() & own[second].keys())
                found = table.contrast(first, second)
                for side, system in ((found.first_means, first), (found.second_means, second)):
                    expected = mean({edit: own[system][edit] for edit in shared}, by_rung=by_rung)
                    assert side[i] == pytest.approx(expected, nan_ok=True)
                expected = found.first_means[i] - found.second_means[i]
                assert found.differences[i] == pytest.approx(expected, nan_ok=True, abs=1e-12)


@given(tables(), st.booleans())
@settings(deadline=None)
def test_the_shares_of_a_prompt_give_its_mean(rows: list[Row], by_rung: bool) -> None:
    table = partition(rows, by_rung=by_rung)
    for index, system in enumerate(table.systems):
        there = table.status[:, :, index] == SCORED
        shares, values = table.shares(there), np.where(there, table.values[:, :, index], 0.0)
        assert (shares[~there] == 0).all()
        expected = np.where(there.any(axis=1), (shares * values).sum(axis=1), np.nan)
        np.testing.assert_allclose(table.system(system), expected, atol=1e-12)
        np.testing.assert_allclose(shares.sum(axis=1), there.any(axis=1), atol=1e-12)


@given(tables())
@settings(deadline=None)
def test_the_group_row_of_lm_eval_is_the_mean_of_every_other_table(rows: list[Row]) -> None:
    table = partition(rows, by_rung=True)
    for system in table.systems:
        means = [
            mean_of_scored(
                [
                    OfPair(value if status == "scored" else math.nan, prompt, "raw")
                    for prompt, edit, name, value, status in rows
                    if name == system and RUNGS[edit] == rung
                ]
            )
            for rung in sorted(set(RUNGS.values()))
        ]
        values = table.system(system)
        scored = values[~np.isnan(values)]
        expected = scored.mean() if len(scored) else math.nan
        group = aggregate_subtask_metrics(means, [3] * len(means), weight_by_size=False)
        assert group == pytest.approx(expected, nan_ok=True)
        plain = [float(each) for each in means]
        weighted = aggregate_subtask_metrics(plain, [3, 1, 2], weight_by_size=True)
        assert aggregate_subtask_metrics(means, [3, 1, 2]) == pytest.approx(weighted, nan_ok=True)


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
def test_the_order_of_rows_changes_no_byte(rows: list[Row], random: Random) -> None:
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
