"""Where a floor is, how far it may be off, and why there is none: widths written down by hand."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest

from lm_eval_sensitivity.probes.bits.finding import BitsFinding, Floor, Width
from lm_eval_sensitivity.probes.bits.floors import dynamic_floor, lowest_passing, static_floor, usable_check
from lm_eval_sensitivity.statements.records import SystemDrift
from lm_eval_sensitivity.stats import Constants, Interval

LIMIT = math.log(1.05)


def interval(estimate: float, lower: float, upper: float) -> Interval:
    return Interval(estimate, lower, upper, 0.95, "two-sided", 16, "bootstrap-t", 99, 0, None)


def width(
    bits: float | None,
    rise: tuple[float, float, float] | None = (0.0, 0.0, 0.0),
    divergence: tuple[float, float, float] | None = None,
    perplexity: float = 30.0,
) -> Width:
    """Of one width, what a static floor reads."""
    found = (None if each is None else interval(*each) for each in (rise, divergence, divergence))
    return Width(bits, f"{bits}", 0.0, perplexity, *found, "" if rise else "no model", 0.9, 0.2)


def judged(drift: str, response: str = "alive") -> SystemDrift:
    """A system of which only its verdict is read."""

    class Verdict:
        drift_distance = 0.3

    verdict: Any = Verdict()
    verdict.drift, verdict.response, verdict.constants = drift, response, Constants(drift_factor=1)
    system: Any = type("System", (), {})()
    system.verdict = verdict
    return cast("SystemDrift", system)


def test_a_width_that_passes_below_one_that_fails_is_no_floor() -> None:
    assert lowest_passing([8, 6, 4], [True, False, True]) == 8
    assert lowest_passing([], []) is None


def test_the_static_floor_is_that_of_the_estimates_and_its_range_that_of_the_bounds() -> None:
    sizes = {8: 0.0, 6: 0.5, 5: 0.9, 4: 1.2, 3: 5.0}
    widths = [
        width(bits, (LIMIT * each, LIMIT * (each - 0.4), LIMIT * (each + 0.6)))
        for bits, each in sizes.items()
    ]
    assert static_floor(widths, "perplexity", 0.05) == Floor(5, 4, 8, "")
    assert static_floor(widths, "perplexity", 0.0) == Floor(8, 8, None, "")


def test_no_static_floor_where_the_largest_width_fails_or_nothing_can_be_checked() -> None:
    lost = [width(8, (0.1, 0.06, 0.2)), width(4, (0.9, 0.8, 1.0))]
    assert static_floor(lost, "perplexity", 0.05) == Floor(
        None, None, None, "it fails at 8 bits, the most that was measured"
    )
    assert usable_check(width(None), [width(8, rise=None)]) is None
    assert static_floor([width(8, rise=None)], None, 0.05).reason == "static check not usable: no model"


def test_a_text_that_the_reference_does_not_know_is_replaced_by_its_own_outputs() -> None:
    own = [width(8, (-0.3, -0.4, -0.2), (0.0, 0.0, 0.0)), width(2, (-1.4, -1.5, -1.3), (3.9, 3.0, 5.0))]
    assert usable_check(width(None, perplexity=99.9), own) == "perplexity"
    assert usable_check(width(None, perplexity=29_723.86), own) == "divergence"
    # The trap: perplexity falls while the model is destroyed.
    assert static_floor(own, "perplexity", 0.05).bits == 2
    assert static_floor(own, "divergence", 0.05).bits == 8


@pytest.mark.parametrize(
    ("words", "floor"),
    [
        (("near", "near", "unclear", "far"), Floor(6, 4, 6, "")),
        (("near", "far", "near", "far"), Floor(8, 8, 8, "")),
        (("near", "near", "near", "near"), Floor(3, 3, 3, "")),
        (("unclear", "far", "far", "far"), (None, 8, None)),
        (("far", "far", "far", "far"), (None, None, None)),
    ],
)
def test_the_dynamic_floor_is_the_last_width_shown_to_be_near(words: tuple[str, ...], floor: Any) -> None:
    found = dynamic_floor([8, 6, 4, 3], [judged(word) for word in words], lifeless=False)
    if isinstance(floor, Floor):
        assert found == floor
        return
    assert (found.bits, found.lowest, found.highest) == floor
    how = "further from" if words[0] == "far" else "not shown to be nearer to"
    said = f"outputs are {how} the unrounded model than a harmless edit moves it"
    assert found.reason == f"at 8 bits, the most that was measured, {said}"


def test_a_collapsed_width_is_never_near_and_a_lifeless_reference_has_no_floor() -> None:
    found = dynamic_floor([8, 4], [judged("near"), judged("near", "collapsed")], lifeless=False)
    assert found.bits == 8
    found = dynamic_floor([8], [judged("near", "indiscriminate")], lifeless=False)
    assert found == Floor(None, None, None, "it is indiscriminate at 8 bits, the most that was measured")
    found = dynamic_floor([8], [judged("near")], lifeless=True)
    assert found.bits is None and found.reason.startswith("the reference answers another request as")


@pytest.mark.parametrize(
    ("static", "dynamic", "silent"),
    [(6, 8, (6,)), (4, None, (8, 6, 4)), (6, 6, ()), (None, 8, ()), (8, 4, ())],
)
def test_the_silent_zone_passes_one_check_and_not_the_other(
    static: float | None, dynamic: float | None, silent: tuple[float, ...]
) -> None:
    assert finding(static, dynamic, (8, 6, 4)).silent == silent


def finding(
    static: float | None, dynamic: float | None, bits: tuple[float | None, ...], more: tuple[str, ...] = ()
) -> BitsFinding:
    """Of widths whose drift statement knows their names, and `more`."""
    widths = tuple(width(each) for each in bits)
    names = [f"{None}", *(each.system for each in widths), *more]
    statement: Any = type("Statement", (), {})()
    statement.systems = [type("System", (), {"system": name})() for name in names]
    floors = (Floor(each, each, each, "") for each in (static, dynamic))
    empty: Any = None
    return BitsFinding("perplexity", *floors, width(None), widths, empty, 1, 2, statement)


@pytest.mark.parametrize(
    ("bits", "more"), [((), ()), ((4, 8), ()), ((4, 4), ()), ((None,), ()), ((8,), ("another system",))]
)
def test_a_strangers_finding_that_does_not_fit_together_is_refused(
    bits: tuple[float | None, ...], more: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="one whose widths are"):
        finding(8, 8, bits, more)
