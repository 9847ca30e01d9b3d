"""Thin steps, branches and the race of margins against shifts, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.probes.boundary.branches import numerics, parted_by_edit, strip, triggers, where
from lm_eval_sensitivity.probes.boundary.density import bins_of, density, lag_1
from lm_eval_sensitivity.probes.boundary.hazard import at, survival, survivals, survived
from lm_eval_sensitivity.probes.outputs import RunPair
from tests.probes.models_boundary import output, pair


def test_shares_are_means_of_prompts() -> None:
    margins = {name: np.array([0.1, 3.0]) for name in "abcd"} | {"e": np.array([0.0, 0.3, 0.1, 0.2])}
    found = density(margins, dict.fromkeys("abcd", "x") | {"e": "y"}, 0.5)
    assert found.thin.estimate == pytest.approx((4 * 0.5 + 1) / 5) and found.n_steps == 12
    assert [each.share.estimate for each in found.curve] == pytest.approx(
        [(2 + 0.5) / 5, (2 + 0.75) / 5, (2 + 1) / 5, (2 + 1) / 5, (2 + 1) / 5]
    )
    assert [(each.what, each.n_steps) for each in found.by_position] == [("0", 5), ("1-3", 7)]
    assert found.by_position[0].share.estimate == 1 and found.n_tied == 1
    assert found.binomial == pytest.approx(math.sqrt(0.6 * 0.4 * (4 / 2 + 1 / 4) / 5))
    assert found.between_prompts == pytest.approx(np.std([0.5, 0.5, 0.5, 0.5, 1], ddof=1))
    assert [(each.what, each.share.estimate) for each in found.by_category] == [("x", 0.5), ("y", 1.0)]
    assert math.isnan(found.by_category[0].share.upper) and found.by_side == (), (
        "four prompts have no interval"
    )


def test_thin_is_strictly_below() -> None:
    assert (
        density({name: np.array([0.5]) for name in "abcde"}, dict.fromkeys("abcde", "x"), 0.5).thin.estimate
        == 0
    )


def test_sides_of_the_answer_are_of_outputs_that_have_both() -> None:
    margins = {name: np.array([0.1, 0.1, 3.0, 3.0]) for name in "abcdef"}
    starts = dict.fromkeys("abcde", 2) | {"f": 0}
    found = density(margins, dict.fromkeys("abcdef", "x"), 0.5, starts)
    assert [(each.what, each.share.estimate, each.n_steps) for each in found.by_side] == [
        ("scaffold", 1.0, 10),
        ("answer", 0.0, 10),
    ]


@given(st.integers(0, 500))
def test_spans_of_positions_are_the_slow_ones(step: int) -> None:
    ends = [1, 4, 16, 32, 64, math.inf]
    assert bins_of(step) == next(number for number, end in enumerate(ends) if step < end)


def test_prompts_that_only_differ_by_chance_spread_as_chance_does() -> None:
    generator = np.random.default_rng(0)
    margins = {
        f"p{n}": generator.random(int(length)) for n, length in enumerate(generator.integers(20, 60, 400))
    }
    found = density(margins, dict.fromkeys(margins, "x"), 0.3)
    assert found.between_prompts == pytest.approx(found.binomial, rel=0.15)
    assert abs(found.lag_1) < 0.05
    uneven = {name: each * (0.5 + (n % 2)) for n, (name, each) in enumerate(margins.items())}
    spread = density(uneven, dict.fromkeys(margins, "x"), 0.3)
    assert spread.between_prompts > 1.5 * spread.binomial


def test_clusters_of_thin_steps_show() -> None:
    assert lag_1([[0, 0, 0, 0, 1, 1, 1, 1]]) > 0.5
    assert lag_1([[0, 1] * 10]) < -0.9
    assert math.isnan(lag_1([[], [1, 1]]))


BASE = output("p0", (1,), range(8), [3, 2, 1, 4, 0.3, 2, 2, 2])


def branching(name: str, step: int | None, edit: str = "nbsp", rung: str = "noop") -> RunPair:
    base = output(name, (1,), range(8), BASE.margins)
    changed = list(range(8))
    if step is not None:
        changed[step] = 99
    return pair(name, edit, rung, base, output(name, (2,), changed))


def test_where_counts_branches_at_the_smallest_margin_so_far() -> None:
    names = ["p0", "p1", "p2", "p3", "p4"]
    margins = {name: np.asarray(BASE.margins, float) for name in names}
    pairs = [branching(name, 4) for name in names] + [branching("p0", 3, "b"), branching("p1", None, "c")]
    found = where(pairs, margins, 0.5)
    assert (found.n_branches, found.n_prompts, found.n_thin, found.n_late) == (6, 5, 5, 5)
    assert found.smallest_so_far.estimate == pytest.approx((0.5 + 4) / 5)
    assert found.chance == pytest.approx(((1 / 5 + 1 / 4) / 2 + 4 / 5) / 5)
    assert found.gain.estimate == pytest.approx(found.smallest_so_far.estimate - found.chance)
    assert found.earlier_wider.estimate == 1 and found.below_2 == pytest.approx(5 / 6)
    later = where([branching(name, 5) for name in names], margins, 0.5)
    assert later.smallest_so_far.estimate == 0, "narrower than at first, and not the narrowest"
    nothing = where([branching("p0", None)], margins, 0.5)
    assert nothing.n_branches == 0 and math.isnan(nothing.median_margin) and math.isnan(nothing.chance)


def test_a_branch_behind_the_base_has_no_margin() -> None:
    base, longer = output("p0", (1,), range(3), [1, 1, 1]), output("p0", (2,), range(5))
    found = where([pair("p0", "e", "noop", base, longer)], {"p0": np.ones(3)}, 0.5)
    assert found.n_branches == 0


def test_triggers_set_what_is_checked_against_what_is_caught() -> None:
    margins = {"p0": np.asarray(BASE.margins, float)}
    found = triggers(
        margins, [branching("p0", 4), branching("p0", 3, "b")], [branching("p0", None, "identical")]
    )
    assert [each.steps for each in found] == [0, 0, 1 / 8, 1 / 8, 2 / 8]
    assert [each.caught for each in found] == [0, 0, 0.5, 0.5, 0.5]
    assert all(math.isnan(each.caught_noise) for each in found)


def test_numeric_noise_is_the_largest_that_was_seen() -> None:
    margins = {"p0": np.asarray(BASE.margins, float)}
    quiet = numerics(margins, [branching("p0", None, "identical", "identical")], 1e-5)
    assert (quiet.threshold, quiet.share, quiet.n_repetitions, quiet.n_parted) == (1e-5, 0, 1, 0)
    loud = numerics(margins, [branching("p0", 4, "identical", "identical")], 1e-5)
    assert loud.threshold == pytest.approx(0.3) and loud.share == 1 / 8 and loud.n_parted == 1
    assert math.isnan(numerics(margins, [], math.nan).threshold)


def test_edits_are_counted_in_the_order_of_the_ladder() -> None:
    pairs = [
        branching("p0", 2, "z", "noop"),
        branching("p1", None, "z", "noop"),
        branching("p0", 0, "a", "synonym"),
    ]
    found = parted_by_edit(pairs)
    assert [(each.edit, each.n_parted, each.share, each.median_step) for each in found] == [
        ("z", 1, 0.5, 2),
        ("a", 1, 1, 0),
    ]


def test_the_strip_is_of_the_most_branches() -> None:
    margins = {name: np.asarray(BASE.margins, float) for name in ("p0", "p1")}
    found = strip([branching("p1", 4), branching("p0", 2), branching("p1", 1, "b")], margins)
    assert found is not None and (found.prompt_id, found.branches) == ("p1", (1, 4))
    assert strip([], margins) is None


def test_survival_is_the_slow_product() -> None:
    generator = np.random.default_rng(1)
    margins = generator.random(40)
    shifts = [np.sort(generator.random(30)) for _ in range(6)]
    expected, left = [], 1.0
    for step, margin in enumerate(margins):
        own = shifts[int(bins_of(step))]
        left *= 1 - np.mean([each > margin for each in own])
        expected.append(left)
    assert survival(margins, shifts).tolist() == pytest.approx(expected)


def test_only_other_prompts_at_risk_decide() -> None:
    margins = [np.ones(3), np.ones(3), np.ones(3)]
    shifts = [np.full(3, 9.0), np.zeros(3), np.array([0.0, 0.5, 2.0, 9.0])]
    curves = survivals(margins, shifts, [0, None, 2], ["a", "a", "b"])
    # Of a's only step at risk, one of two pairs flips; behind it the other goes on alone.
    assert curves[2].tolist() == [0.5, 0.5, 0.5]
    assert curves[0].tolist() == [1.0, 0.5, 0.25] and curves[1].tolist() == curves[0].tolist()
    assert at(curves[0], 99) == 0.25


def test_a_hazard_of_shifts_that_are_drawn_is_calibrated() -> None:
    """Margins and shifts drawn independently: predicted and observed survival agree."""
    generator = np.random.default_rng(2)
    margins = [generator.exponential(2.0, 30) for _ in range(600)]
    shifts = [generator.exponential(0.4, 30) for _ in range(600)]
    flips = [int((d > m).argmax()) if (d > m).any() else None for d, m in zip(shifts, margins, strict=True)]
    curves = survivals(margins, shifts, flips, [f"p{n % 20}" for n in range(600)])
    for step in (0, 3, 8):
        assert np.mean([at(each, step) for each in curves]) == pytest.approx(survived(flips, step), abs=0.05)
