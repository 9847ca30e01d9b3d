"""Boundary and bulk: closed forms, the identity, and what the null does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.probes.boundary.attribution import (
    attribution,
    permuted_splits,
    range_growth,
    split_at,
    splits_of,
)
from tests.probes.models_boundary import forced_steps

GENERATOR = np.random.default_rng
positive = st.floats(1e-3, 1e3)


def test_steps_alike_leave_nothing_to_attribute() -> None:
    found = split_at(np.full(6, 2.0), np.ones(6), 5)
    assert (found.boundary, found.bulk, found.identity_error) == (0, 0, 0)


def test_a_gap_that_shrinks_by_e_is_boundary_and_a_shift_that_grows_by_e_is_bulk() -> None:
    shift, gap = np.full(6, 2.0), np.ones(6)
    narrow = split_at(shift, np.append(gap[:5], 1 / math.e), 5)
    assert (narrow.boundary, narrow.bulk, narrow.share) == pytest.approx((1, 0, 1))
    large = split_at(np.append(shift[:5], 2 * math.e), gap, 5)
    assert (large.boundary, large.bulk, large.share) == pytest.approx((0, 1, 0))


@given(st.lists(st.tuples(positive, positive), min_size=5, max_size=30))
def test_both_parts_are_all_of_log_rho(steps: list[tuple[float, float]]) -> None:
    shift, gap = np.array(steps).T
    branch = len(steps) - 1
    found = split_at(shift, gap, branch)
    log_rho = [math.log(d) - math.log(g) for d, g in steps]
    slow = log_rho[branch] - sum(log_rho[:branch]) / branch
    assert found.boundary + found.bulk == pytest.approx(slow, abs=1e-9)
    assert found.identity_error < 1e-9 and found.reference == "own"


def test_what_has_no_reference_is_missing() -> None:
    shift, gap = np.full(6, 2.0), np.ones(6)
    assert math.isnan(split_at(shift, gap, None).boundary)
    assert math.isnan(split_at(shift, gap, 3).boundary), "three steps before"
    tie = np.append(gap[:5], 0.0)
    assert math.isnan(split_at(shift, tie, 5).bulk), "log 0"
    excluded = np.where(np.arange(6) == 1, 0.0, gap)
    assert math.isnan(split_at(shift, excluded, 4).bulk), "three usable steps before"


def test_a_shift_the_other_way_counts_as_the_smallest() -> None:
    found = split_at(np.array([-3.0, -1, -2, -1, 1e-6]), np.ones(5), 4)
    assert found.bulk == pytest.approx(0)


def test_an_early_branch_is_held_against_other_prompts_before_their_branches() -> None:
    early = forced_steps([9.0, 9], [1.0, 4])
    # Six steps of two other prompts in span 0-0; behind their own flips nothing counts.
    others = [forced_steps([0.5, 9], [2.0, 1]) for _ in range(6)]
    splits = splits_of([early, *others], ["a", *"bcdefg"])
    assert splits[0].reference == "population"
    assert splits[0].boundary == pytest.approx(math.log(2)) and splits[0].bulk == pytest.approx(math.log(18))
    own_prompt_only = splits_of([early, *others], ["a"] * 7)
    assert own_prompt_only[0].reference is None


def test_dealing_equal_shifts_changes_nothing() -> None:
    gap = np.array([3.0, 2, 4, 3, 2, 0.5, 3])
    steps = forced_steps(np.ones(7), gap)
    deals = permuted_splits(steps, 20, GENERATOR(0))
    observed = split_at(steps.shift, gap, 5)
    assert len(deals) == 20
    assert {(each.boundary, each.bulk) for each in deals} == {(observed.boundary, observed.bulk)}


def test_the_null_keeps_shifts_and_gaps_and_deals_only_their_meeting() -> None:
    """A shift that knows the gap (large where it is narrow) is told from one that does not."""
    generator = GENERATOR(1)
    knowing, blind = [], []
    for _ in range(40):
        gap = generator.uniform(2, 4, 40)
        gap[20] = 1.0
        aimed = np.full(40, 0.5)
        aimed[20] = 8.0
        knowing.append(forced_steps(aimed, gap))
        blind.append(forced_steps(generator.permutation(np.append(np.full(39, 0.5), 8.0)), gap))
    names = [f"p{each % 8}" for each in range(40)]
    aimed_found, blind_found = attribution(knowing, names, 30), attribution(blind, names, 30)
    assert aimed_found is not None and blind_found is not None
    assert aimed_found.boundary_beside_null.lower > 0.5
    assert blind_found.boundary_beside_null.lower < 0 < blind_found.boundary_beside_null.upper


def test_means_are_of_prompts_and_in_no_order() -> None:
    steps = [forced_steps([1.0] * 4 + [3], [2.0] * 4 + [g]) for g in (1.0, 0.5, 0.25, 0.1, 0.7, 0.9, 0.2)]
    names = ["a", "a", "b", "c", "d", "e", "e"]
    found = attribution(steps, names, 5)
    again = attribution(steps[::-1], names[::-1], 5)
    assert found is not None and again is not None
    logs = np.log(2) - np.log([1.0, 0.5, 0.25, 0.1, 0.7, 0.9, 0.2])
    expected = np.mean([logs[:2].mean(), logs[2], logs[3], logs[4], logs[5:].mean()])
    assert found.boundary.estimate == pytest.approx(expected) and found.boundary.n == 5
    assert (found.boundary, found.bulk) == (again.boundary, again.bulk)
    assert attribution([forced_steps([0.1] * 9, [1.0] * 9)], ["a"], 5) is None


def test_the_range_tells_a_larger_edit_from_another_token() -> None:
    """At the branch another token is nearest, its shift small and its gap narrow; the edit moves twice as much."""
    wide, alone = np.full(8, 4.0), np.full(8, 4.0)
    wide[7], alone[7] = 8.0, 4.0
    gap = np.append(np.full(7, 10.0), 0.1)
    shift = np.append(np.full(7, 3.0), 0.3)
    parts = [
        forced_steps(shift, gap, oscillation=wide, margin=np.append(np.full(7, 5.0), 0.1)) for _ in range(6)
    ]
    goes_on = [forced_steps(np.full(9, 0.3), np.full(9, 5.0), oscillation=np.full(9, 4.0)) for _ in range(6)]
    found = attribution([*parts, *goes_on], [*"abcdef", *"abcdef"], 5)
    assert found is not None
    assert found.bulk.estimate == pytest.approx(math.log(0.1)), "the token's own shift is smaller"
    assert found.range_growth.estimate == pytest.approx(math.log(2))
    assert found.range_control.estimate == 0 and found.range_beside_control.estimate == pytest.approx(
        math.log(2)
    )
    assert (found.runner_up_before, found.runner_up_at_branch) == (0, 1)


def test_what_goes_on_is_of_other_prompts_and_has_not_parted() -> None:
    parts = forced_steps([0.1] * 5 + [9], [1.0] * 6, oscillation=np.full(6, 1.0))
    parted = forced_steps([9, *[0.1] * 7], [1.0] * 8, oscillation=np.arange(1, 9.0))
    short = forced_steps([0.1] * 3, [1.0] * 3, oscillation=np.arange(1, 4.0))
    own = forced_steps([0.1] * 8, [1.0] * 8, oscillation=np.arange(1, 9.0))
    found = attribution([parts, parted, short, own], ["a", "b", "c", "a"], 5)
    # Nothing of one prompt has an estimate: what was counted shows in how many prompts did.
    assert found is not None and found.range_control.n == 0 and found.range_growth.n == 1
    assert range_growth(parts, None) != range_growth(parts, 5)
    assert range_growth(short, 2) == pytest.approx(math.log(3) - math.log(2) / 2)
