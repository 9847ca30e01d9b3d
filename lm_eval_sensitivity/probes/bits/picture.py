"""Perplexity above, drift below, over the width of the weights; one model beside the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.probes.bits.finding import BitsFinding, Floor, Width
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
        f"Above: {used}, at each width of the weights, nats; with the limit of the static check. Below: drift from the "
        "unrounded model's outputs, with the band of what a harmless edit moves that model (95 % interval over "
        "prompts). Vertical lines: the static floor (dashed), down to which the first stays within the limit, and the "
        "dynamic floor, down to which drift stays below the band's mean by its upper 95 % bound. Between them: the "
        "silent zone.",
        "; ".join(
            f"{len(each.widths)} widths, {each.axes(each.reference).preserving.mean.n} prompts"
            for each in findings
        )
        + ".",
        "A text that the model does not know: its perplexity can fall while the model breaks. A model that says one "
        "thing drifts far and is moved by nothing.",
    )
    return Picture(NAME, TITLE, caption, (FULL_WIDTH, 4.6), lambda figure: _draw(figure, drawn))


def _missing(finding: BitsFinding) -> bool:
    return all(_static(finding, each) is None and finding.axes(each).drift is None for each in finding.widths)


def _axis(finding: BitsFinding) -> str:
    return (
        "KL to the reference" if finding.check == "divergence" else "log of perplexity over the reference's"
    )


def _static(finding: BitsFinding, width: Width) -> Interval | None:
    """What the static floor is read from, nats: both checks have one scale and one limit."""
    return width.divergence if finding.check == "divergence" else width.rise


def _draw(figure: Figure, results: Sequence[ProbeResult[BitsFinding]]) -> None:
    grid = figure.subplots(2, len(results), sharex="col", sharey="row", squeeze=False)
    for (above, below), result in zip(grid.T, results, strict=True):
        finding = result.finding
        places = _places(finding)
        above.set_title(wrapped(result.name, 60 // len(results)), loc="left")
        tolerance = float(result.settings.get("tolerance") or 0)
        _draw_static(above, finding, places, math.log1p(tolerance))
        _draw_drift(below, finding, places)
        for axes in (above, below):
            _draw_floors(axes, finding, places)
        below.set_xticks(list(places.values()), [f"{bits:g}" for bits in places])
        below.set_xlabel("bits")
        above.set_ylabel("KL, nats" if finding.check == "divergence" else "log perplexity ratio")
    grid[1][0].set_ylabel("drift")
    grid[1][0].set_ylim(bottom=0)
    legend_below(
        figure,
        [
            ({"color": INK, "marker": "o", "markersize": 4}, "with 95 % interval"),
            ({"color": MUTED, "linestyle": ":"}, "static limit"),
            ({"facecolor": MUTED, "alpha": 0.25}, "what a harmless edit moves"),
            ({"color": ACCENT, "linestyle": "--"}, "static floor"),
            ({"color": ACCENT, "linestyle": "-"}, "dynamic floor"),
            ({"facecolor": ACCENT, "alpha": 0.15}, "silent zone"),
        ],
        columns=3,
    )


def _places(finding: BitsFinding) -> dict[float, float]:
    """Where each width stands: at its number, most bits at the left."""
    return {each.bits: -each.bits for each in finding.widths if each.bits is not None}


def _draw_static(axes: Any, finding: BitsFinding, places: dict[float, float], limit: float) -> None:
    rows = ((places[each.bits or 0], _static(finding, each)) for each in finding.widths)
    shown = [(place, each) for place, each in rows if each is not None and not math.isnan(each.estimate)]
    # Linear around 0: where a width changes nothing, perplexity may as well fall a little.
    axes.set_yscale("symlog", linthresh=0.01)
    axes.axhline(limit, color=MUTED, linestyle=":", linewidth=1.1)
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
    if finding.silent:
        top = finding.dynamic_floor.bits or finding.silent[0]
        axes.axvspan(places[top], places[finding.silent[-1]], color=ACCENT, alpha=0.15, linewidth=0)


def _drawn(floor: Floor, places: dict[float, float]) -> bool:
    return floor.bits is not None and floor.bits in places
