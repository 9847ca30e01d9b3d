"""From a curve to its way back: curves by hand, and a slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.recover.analysis import first_difference
from lm_eval_sensitivity.probes.recover.recovery import recovery_of
from lm_eval_sensitivity.probes.recover.settings import Cell, Settings


def slow(curve: list[float]) -> tuple[int | None, int | None, bool | None]:
    """Steps, half-life and whether it recovered, by looking at one step after the other."""
    peak = max(curve)
    at = curve.index(peak)
    half = next((s - at for s in range(at + 1, len(curve)) if curve[s] <= peak / 2), None)
    if len(curve) - at - 1 < 5:
        return None, half, None
    for s in range(at + 1, len(curve) - 4):
        if all(each < 0.1 * peak for each in curve[s : s + 5]):
            return s - at, half, True
    return None, half, False


@given(st.lists(st.sampled_from([0.01, 0.05, 0.09, 0.3, 0.6, 1.0]), min_size=1, max_size=14))
def test_it_is_its_definition(curve: list[float]) -> None:
    found = recovery_of(curve)
    assert (found.steps, found.half_life, found.recovered) == slow(curve)
    assert (found.peak, found.peak_step) == (max(curve), curve.index(max(curve)))


@pytest.mark.parametrize("s", [0, 3])
def test_a_peak_that_comes_later_counts_from_there(s: int) -> None:
    found = recovery_of([0.2] * s + [1.0, 0.5, 0.09, 0.09, 0.09, 0.09, 0.09])
    assert (found.peak_step, found.half_life, found.steps) == (s, 1, 2)


def test_four_steps_below_are_not_five() -> None:
    assert recovery_of([1.0, 0.05, 0.05, 0.05, 0.05, 0.2, 0.05, 0.05]).recovered is False
    assert recovery_of([1.0, 0.1, 0.1, 0.1, 0.1, 0.1]).recovered is False, "a tenth is not below it"


def test_what_cannot_be_told_is_none_and_not_no() -> None:
    assert recovery_of([1.0, 0.01, 0.01, 0.01, 0.01]).recovered is None
    nothing = recovery_of([0.0] * 20)
    assert (nothing.peak, nothing.recovered, nothing.half_life) == (0, None, None)
    for bad in ([], [math.nan, 1.0]):
        with pytest.raises(ValueError, match="finite distances"):
            recovery_of(np.array(bad))


def test_a_geometric_way_back_has_its_closed_form() -> None:
    found = recovery_of(0.8 ** np.arange(40))
    assert found.half_life == math.ceil(math.log(0.5) / math.log(0.8))
    assert found.steps == math.ceil(math.log(0.1) / math.log(0.8))


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_first_difference(one: list[int], two: list[int]) -> None:
    step = first_difference(tuple(one), tuple(two))
    if step is None:
        assert one == two
    else:
        assert one[:step] == two[:step] and one[step : step + 1] != two[step : step + 1]


def test_default_layers_of_depths() -> None:
    assert [[each.layer for each in Settings(alphas=()).cells(n)] for n in (30, 12, 5, 2, 1)] == [
        [5, 15, 25],
        [2, 6, 10],
        [0, 2, 4],
        [0, 1],
        [0],
    ]
    assert Settings().cells(30)[:5] == (
        Cell(5, 0.0),
        Cell(5, 0.03),
        Cell(5, 0.3),
        Cell(5, 1.0),
        Cell(15, 0.0),
    )


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"alphas": (-0.1,)}, "finite numbers from 0"),
        ({"alphas": (math.inf,)}, "finite numbers from 0"),
        ({"step": -1}, "`step` is -1"),
        ({"limit": 8}, "give a larger limit"),
    ],
)
def test_settings_are_refused(bad: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Settings(**bad)


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(InputError, match="`layers` holds 30; accepted are 0 to 29"):
        Settings(layers=(2, 30)).cells(30)
