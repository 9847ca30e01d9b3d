"""Perplexity above, drift below, over the width of the weights; one model beside the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.probes.bits.finding import BitsFinding, Floor, Width, from_nats
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    FULL_WIDTH,
    INK,
    MUTED,
    Caption,
    NotDrawn,
    Picture,
    interval_bar,
    legend_below,
    wrapped,
)
from lm_eval_sensitivity.stats import Interval

if TYPE_CHECKING:
    from lm_eval_sensitivity.report.figures.style import Figure

NAME, TITLE = "bits", "Perplexity and drift over the width of the weights"
_MOST_SYSTEMS = 4


def picture(result: ProbeResult[BitsFinding]) -> Picture | NotDrawn:
    """One model."""
    return together([result])


def together(results: Sequence[ProbeResult[BitsFinding]]) -> Picture | NotDrawn:
    """Some models side by side, on shared scales.

    Args:
        results: one or more; the first `_MOST_SYSTEMS` are drawn.
    """
    drawn = results[:_MOST_SYSTEMS]
    findings = [each.finding for each in drawn]
    if all(_missing(each) for each in findings):
        return NotDrawn(NAME, TITLE, "No width has a number of the static check or a drift.")
    used = " or ".join(sorted({_axis(each) for each in findings}))
    caption = Caption(
        f"Above: {used}, at each width of the weights. Below: drift from the unrounded model's outputs, with the band "
        "of what a harmless edit moves that model (95 % interval over prompts). Vertical lines: the static floor "
        "(dashed), down to which the first stays within the limit, and the dynamic floor, down to which drift stays "
        "below the band's mean by its upper 95 % bound.",
        "; ".join(
            f"{len(each.widths)} widths, {each.axes(each.reference).preserving.mean.n} prompts"
            for each in findings
        )
        + ".",
        "A text that the model does not know: its perplexity can fall while the model breaks. A model that says one "
        "thing drifts far and is moved by nothing.",
    )
    names = [each.name for each in drawn]
    return Picture(NAME, TITLE, caption, (FULL_WIDTH, 4.6), lambda figure: _draw(figure, findings, names))


def _counted(finding: BitsFinding) -> str:
    prompts = finding.axes(finding.reference).preserving.mean.n
    return f"{len(finding.widths)} widths, {prompts} prompts"


def _missing(finding: BitsFinding) -> bool:
    return all(
        math.isnan(_static(finding, each).estimate) and finding.axes(each).drift is None
        for each in finding.widths
    )


def _axis(finding: BitsFinding) -> str:
    return "KL to the reference, nats" if finding.check == "divergence" else "perplexity over the reference's"


def _static(finding: BitsFinding, width: Width) -> Interval:
    """What the static floor is read from, as it is drawn."""
    found = width.divergence if finding.check == "divergence" else width.rise
    if found is None:
        return Interval(math.nan, math.nan, math.nan, 0.95, "two-sided", 0, "none", 0, 0, "missing")
    if finding.check == "divergence":
        return found
    ends = map(from_nats, (found.estimate, found.lower, found.upper))
    estimate, lower, upper = ends
    return replace(found, estimate=estimate, lower=lower, upper=upper)


def _draw(figure: Figure, findings: Sequence[BitsFinding], names: Sequence[str]) -> None:
    grid = figure.subplots(
        2, len(findings), sharex="col", sharey="row" if _alike(findings) else False, squeeze=False
    )
    for column, (finding, name) in enumerate(zip(findings, names, strict=True)):
        above, below = grid[0][column], grid[1][column]
        places = _places(finding)
        above.set_title(wrapped(name, 60 // len(findings)), loc="left")
        _draw_static(above, finding, places)
        _draw_drift(below, finding, places)
        for axes in (above, below):
            _draw_floors(axes, finding, places)
        below.set_xticks(list(places.values()), [f"{bits:g}" for bits in places])
        below.set_xlabel("bits")
        if not column or not _alike(findings):
            above.set_ylabel("KL, nats" if finding.check == "divergence" else "perplexity ratio")
        if not column:
            below.set_ylabel("drift")
    # Drift is on one scale whatever the check above is.
    most = max(axes.get_ylim()[1] for axes in grid[1])
    for axes in grid[1]:
        axes.set_ylim(0, most)
    legend_below(
        figure,
        [
            ({"color": INK, "marker": "o", "markersize": 4}, "with 95 % interval"),
            ({"color": ACCENT, "linestyle": "--"}, "static floor"),
            ({"color": ACCENT, "linestyle": "-"}, "dynamic floor"),
            ({"facecolor": MUTED, "alpha": 0.25}, "what a harmless edit moves"),
        ],
        columns=4,
    )


def _alike(findings: Sequence[BitsFinding]) -> bool:
    return len({each.check for each in findings}) == 1


def _places(finding: BitsFinding) -> dict[float, float]:
    """Where each width stands: at its number, most bits at the left."""
    return {each.bits: -each.bits for each in finding.widths if each.bits is not None}


def _draw_static(axes: Any, finding: BitsFinding, places: dict[float, float]) -> None:
    found = [(places[each.bits or 0], _static(finding, each)) for each in finding.widths]
    shown = [(place, each) for place, each in found if each.estimate > 0]
    axes.set_yscale("log")
    if finding.check != "divergence":
        axes.axhline(1, color=MUTED, linewidth=0.8)
    axes.plot([place for place, _ in shown], [each.estimate for _, each in shown], color=INK, linewidth=0.8)
    for place, each in shown:
        interval_bar(axes, place, each)


def _draw_drift(axes: Any, finding: BitsFinding, places: dict[float, float]) -> None:
    band = finding.axes(finding.reference).preserving.mean
    if not math.isnan(band.lower):
        axes.axhspan(band.lower, band.upper, color=MUTED, alpha=0.25, linewidth=0)
    axes.axhline(band.estimate, color=MUTED, linewidth=0.8)
    rows = ((places[each.bits or 0], finding.axes(each).drift) for each in finding.widths)
    found = [(place, drift.mean) for place, drift in rows if drift is not None]
    axes.plot([place for place, _ in found], [each.estimate for _, each in found], color=INK, linewidth=0.8)
    for place, each in found:
        interval_bar(axes, place, each)


def _draw_floors(axes: Any, finding: BitsFinding, places: dict[float, float]) -> None:
    """Half a line's width apart, so that two floors at one width are both seen."""
    for floor, line, shift in ((finding.static_floor, "--", 0.04), (finding.dynamic_floor, "-", -0.04)):
        if _drawn(floor, places):
            axes.axvline(places[floor.bits or 0] + shift, color=ACCENT, linestyle=line, linewidth=1.1)


def _drawn(floor: Floor, places: dict[float, float]) -> bool:
    return floor.bits is not None and floor.bits in places
