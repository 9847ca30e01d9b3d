"""States of certainty and what follows them: lists by hand, slow twins, and statsmodels as a second opinion."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from lm_eval_sensitivity.probes.trajectory.states import (
    CENSORED,
    COLLAPSE,
    ENDED,
    NEUTRAL,
    REOPENED,
    RIVALRY,
    classify,
    cycles,
    dwells,
    exits,
    gaps_of,
    joined,
)
from lm_eval_sensitivity.probes.trajectory.survival import cumulative_incidence

LETTERS = {"C": COLLAPSE, "R": RIVALRY, "N": NEUTRAL}
paths = st.lists(st.sampled_from("CRN"), max_size=14).map("".join)


def codes(text: str) -> np.ndarray:
    return np.array([LETTERS[each] for each in text], dtype=np.int8)


def test_collapse_comes_before_rivalry_and_limits_are_outside() -> None:
    found = classify([0.05, 0.0999, 0.1, 0.1, 2.0], [0.01, 0.9, 0.0999, 0.1, 0.9])
    assert found.tolist() == [COLLAPSE, COLLAPSE, RIVALRY, NEUTRAL, NEUTRAL]


def test_a_step_without_numbers_has_no_state() -> None:
    with pytest.raises(ValueError, match="has no state"):
        classify([math.nan], [0.5])
    with pytest.raises(ValueError, match="of one length"):
        classify([0.1], [0.5, 0.5])


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
def test_the_gap_follows_from_what_is_recorded(weights: list[float]) -> None:
    p = np.sort(np.array(weights) / sum(weights))[::-1]
    assert gaps_of([np.log(p[0])], [np.log(p[0]) - np.log(p[1])])[0] == pytest.approx(p[0] - p[1], abs=1e-12)


def test_a_token_without_a_rival_has_the_whole_gap() -> None:
    assert gaps_of([0.0], [math.inf]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("path", "cut", "expected"),
    [
        ("", True, []),
        ("NRN", True, []),
        ("CCR", True, [(2, 1, REOPENED)]),
        ("CNNR", False, [(1, 3, REOPENED)]),
        ("CNCR", True, [(1, 3, REOPENED), (1, 1, REOPENED)]),
        ("CNN", True, [(1, 2, CENSORED)]),
        ("CNN", False, [(1, 3, ENDED)]),
        ("NCC", True, [(2, 0, CENSORED)]),
        ("NCC", False, [(2, 1, ENDED)]),
        ("RCNRCN", True, [(1, 2, REOPENED), (1, 1, CENSORED)]),
        ("RCNRCN", False, [(1, 2, REOPENED), (1, 2, ENDED)]),
    ],
)
def test_cycles_by_hand(path: str, cut: bool, expected: list[tuple[int, int, int]]) -> None:
    found = cycles(codes(path), cut)
    assert list(zip(found.lengths, found.waits, found.outcomes, strict=True)) == expected


@given(paths, st.booleans())
def test_cycles_by_the_slow_way(path: str, cut: bool) -> None:
    expected = []
    for start, letter in enumerate(path):
        if letter == "C" and (start == 0 or path[start - 1] != "C"):
            end = start
            while end < len(path) and path[end] == "C":
                end += 1
            later = path.find("R", end)
            if later >= 0:
                expected.append((end - start, later - (end - 1), REOPENED))
            elif cut:
                expected.append((end - start, len(path) - end, CENSORED))
            else:
                expected.append((end - start, len(path) - end + 1, ENDED))
    found = cycles(codes(path), cut)
    assert list(zip(found.lengths, found.waits, found.outcomes, strict=True)) == expected


def test_shares_leave_out_or_count_what_was_cut() -> None:
    found = joined([cycles(codes("CRCN"), True), cycles(codes("CRCN"), False)])
    assert found.counts == (2, 1, 1)
    assert found.share == pytest.approx(2 / 3) and found.share_of_all == pytest.approx(1 / 2)
    assert math.isnan(joined([]).share)


@given(paths)
def test_dwells_spell_the_path(path: str) -> None:
    names = "CRN"
    found = dwells(codes(path))
    assert "".join(names[state] * length for state, length in found) == path
    assert all(one[0] != two[0] for one, two in pairwise(found))


def test_exits_count_steps_that_have_a_next_one() -> None:
    assert exits([codes("CCN"), codes("NC")]) == pytest.approx(1 / 2)
    assert exits([codes("CNCRCN")]) == 1
    assert math.isnan(exits([codes("NNC")]))


# ---- survival

observations = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=25)


def slow_incidence(pairs: list[tuple[int, int]]) -> dict[int, float]:
    """The sum over times, with the survival before each of them."""
    found, survival, total = {}, 1.0, 0.0
    for time in sorted({time for time, outcome in pairs if outcome}):
        at_risk = sum(each >= time for each, _ in pairs)
        total += survival * sum(each == (time, 1) for each in pairs) / at_risk
        survival *= 1 - sum(each[0] == time and each[1] > 0 for each in pairs) / at_risk
        found[time] = total
    return found


@given(observations)
def test_incidence_by_the_slow_way(pairs: list[tuple[int, int]]) -> None:
    times, outcomes = zip(*pairs, strict=True)
    found = cumulative_incidence(times, outcomes)
    assert dict(zip(found.times.tolist(), found.share.tolist(), strict=True)) == pytest.approx(
        slow_incidence(pairs)
    )


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=30))
def test_without_a_competing_outcome_it_is_kaplan_and_meier(pairs: list[tuple[int, bool]]) -> None:
    times, seen = (np.array(each) for each in zip(*pairs, strict=True))
    found = cumulative_incidence(times, seen.astype(int))
    if not seen.any():
        assert math.isnan(found.last) and found.last_time == 0
        return
    other = SurvfuncRight(times, seen.astype(int))
    assert found.times.tolist() == other.surv_times.tolist()
    assert found.share.tolist() == pytest.approx((1 - other.surv_prob).tolist())


def test_with_a_competing_outcome_it_is_that_of_statsmodels() -> None:
    generator = np.random.default_rng(0)
    times, outcomes = generator.integers(1, 30, 200), generator.integers(0, 3, 200)
    found = cumulative_incidence(times, outcomes)
    other = CumIncidenceRight(times, outcomes)
    assert [found.at(int(time)) for time in other.times] == pytest.approx(other.cinc[0].tolist())


def test_where_nothing_is_cut_it_is_a_share_and_cutting_does_not_bias_it() -> None:
    generator = np.random.default_rng(1)
    waits = generator.geometric(0.2, 20_000)
    limit = generator.integers(1, 12, 20_000)
    whole = cumulative_incidence(waits, np.ones(20_000, int))
    assert whole.at(5) == pytest.approx((waits <= 5).mean()) == pytest.approx(1 - 0.8**5, abs=0.01)
    cut = cumulative_incidence(np.minimum(waits, limit), (waits <= limit).astype(int))
    assert cut.at(5) == pytest.approx(1 - 0.8**5, abs=0.01)
    naive = (waits <= limit).mean()
    assert abs(naive - cut.at(11)) > 0.1
    assert cut.at(0) == 0
