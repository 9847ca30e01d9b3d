"""Two axes beside a reference: how far harmless edits move a system, and how far it is from the reference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.report.figures.style import (
    FULL_WIDTH,
    LINE,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
    prompts_and_pairs,
    span_line,
    wrapped,
)
from lm_eval_sensitivity.report.labels import beside as heights_beside
from lm_eval_sensitivity.report.marks import mark_of
from lm_eval_sensitivity.report.plane import Plane, axes_in_words, place_of, plane_of
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.text.format import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "two_axes", "Moved by harmless edits, and moved away from the reference"
MARK_POINTS = 4.2
"""Radius of a mark."""
TINT = 0.09
"""Of the regions of verdicts."""
_KINDS = r"(?:u?int|fp|bf|float|bfloat|q)"
_BITS = re.compile(
    rf"(?<![^\W_])(?:{_KINDS}?(\d{{1,2}})[ -]?bits?|{_KINDS}(\d{{1,2}}))(?![^\W_])", re.IGNORECASE
)


def picture(found: DriftStatement | None) -> Picture | NotDrawn:
    """The two axes: drift from the reference across, distance under harmless edits up.

    Args:
        found: of all systems; None, or one without a reference, gives a sentence.

    Returns:
        The figure; without a reference, or a system that has both numbers, why there is none.
    """
    if found is None or found.reference is None:
        return NotDrawn(
            NAME,
            TITLE,
            "Drift is a distance from a reference, and none was given. Give `--reference RUN` to see it.",
        )
    placed = [each for each in found.systems if place_of(each) is not None]
    if all(each.is_reference for each in placed):
        messages = sorted({each.drift_message for each in found.systems if each.drift_message})
        return NotDrawn(NAME, TITLE, " ".join(["No system has both a distance and a drift.", *messages]))
    lines = sum(_words(each).count("\n") + 2 for each in placed)
    height = max(4.2, lines * LINE * 0.95 + 1.2)
    return Picture(
        NAME, TITLE, _caption(found), (FULL_WIDTH, height), lambda figure: _draw(figure, found, placed)
    )


def _caption(found: DriftStatement) -> Caption:
    k, selection = found.constants, found.selection
    about, control, alive = selection.metric, "", ""
    if not selection.of_answers:
        about += f" (filter {selection.filter_name})"
        control = ", which also needs the positive control (table below)"
        alive = " that responds to meaning"
    absent = [each.system for each in found.systems if place_of(each) is None]
    without = f" Without a place here, for want of a number: {listed(absent)}." if absent else ""
    drifted = [each.drift.mean.n for each in found.systems if each.drift is not None]
    span = f"{min(drifted)}" if min(drifted) == max(drifted) else f"{min(drifted)} to {max(drifted)}"
    return Caption(
        f"Across: mean {about} under meaning-preserving edits; up: distance from the outputs of {found.reference} on "
        "the identical prompts. Thin lines are 95 % intervals; an arrow ends one that goes on. The shape and the words "
        f"are the verdict{control}. Dotted lines: {1 + k.k_harmless:g} times the reference's distance, and "
        f"{k.drift_factor:g} times as drift; a tint names the verdict of a system there{alive}. A "
        f"line joins systems whose names differ in bits only.{without}",
        f"{prompts_and_pairs([each.preserving.counts for each in found.systems])}; drift over {span} prompts.",
        "Both axes are small for a system that always says the same: the verdict reads the positive control, the place "
        "does not. Drift alone does not say worse: another, equally good wording drifts, too. Verdicts are each by "
        "itself, not adjusted for the number of systems.",
    )


def _words(each: SystemDrift) -> str:
    return f"{wrapped(each.system, 24)}\n{wrapped(each.in_words, 24)}"


def bit_series(names: Sequence[str]) -> list[list[str]]:
    """Groups of names that differ in bits only, most bits first.

    Returns:
        [series][system] names; those alone are in none.

    Example:
        >>> bit_series(["m-4bit", "m-8bit", "other", "m-q3"])
        [['m-8bit', 'm-4bit', 'm-q3']]
        >>> bit_series(["m-4B-int8", "m-8B-int4"])
        []
    """
    groups: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        found = _BITS.findall(name)
        if len(found) == 1:
            bits = int(found[0][0] or found[0][1])
            groups.setdefault(_BITS.sub("#", name), []).append((-bits, name))
    return [[name for _, name in sorted(group)] for group in groups.values() if len(group) > 1]


def marker_of(label: str, radius: float = MARK_POINTS) -> dict[str, Any]:
    """The mark of a verdict, for a point or a legend.

    Args:
        label: of a system, or `reference`.
        radius: in points, of a circle that is as large.

    Returns:
        Properties of a line without a line.
    """
    mark = mark_of(label)
    return {
        "linestyle": "none",
        "marker": (*mark.outline, mark.outline[0]),
        # A marker's size is that of its box.
        "markersize": 2 * radius * mark.reach,
        "color": mark.light,
        "markerfacecolor": PAPER if mark.is_hollow else mark.light,
    }


def _draw(figure: Figure, found: DriftStatement, placed: Sequence[SystemDrift]) -> None:
    # The right part of the figure belongs to the names.
    axes, beside = figure.subplots(1, 2, width_ratios=[3, 1.15], sharey=True)
    beside.set_axis_off()
    plane = plane_of(found)
    axes.set_xlim(0, plane.across)
    axes.set_ylim(-0.03 * plane.up, plane.up)
    _regions(axes, plane, found)
    by_name = {each.system: place_of(each) for each in placed}
    for series in bit_series([each.system for each in placed]):
        points = [place for name in series if (place := by_name[name]) is not None]
        axes.plot([x for x, _ in points], [y for _, y in points], color=MUTED, linewidth=0.8)
    for each in placed:
        _point(axes, each, plane)
    across, up = axes_in_words(found)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    _labels(axes, beside, placed, figure.bbox.height / figure.dpi - 1.2)
    legend_below(
        figure,
        [(marker_of(label), label) for label in dict.fromkeys(each.label for each in placed)],
        columns=4,
    )


def _regions(axes: Axes, plane: Plane, found: DriftStatement) -> None:
    """Tints, and the lines between them with what they are."""
    for each in plane.regions:
        color = mark_of(each.label).light
        axes.fill_between(
            [each.left, each.right], each.low, each.high, color=color, alpha=TINT, linewidth=0, zorder=0
        )
        words = each.words.replace(" ", "\n", 1)  # a region may be narrow
        axes.annotate(words, (each.left, each.high), (4, -4), textcoords="offset points", fontsize=7,
                      color=color, va="top")  # fmt: skip
    if plane.more is None or plane.far is None:
        return
    k = found.constants
    look: dict[str, Any] = {"color": MUTED, "linestyle": ":", "linewidth": 1}
    axes.axvline(plane.more, **look)
    axes.plot([0, plane.more], [plane.far] * 2, **look)
    small: dict[str, Any] = {"fontsize": 7, "color": MUTED, "va": "bottom"}
    at_top = axes.get_xaxis_transform()
    axes.text(
        plane.more, 1.005, f"{1 + k.k_harmless:g} p of the reference", ha="center", transform=at_top, **small
    )
    said = f"{k.drift_factor:g} p of the reference"
    axes.annotate(said, (0, plane.far), (4, 2), textcoords="offset points", **small)


def _point(axes: Axes, each: SystemDrift, plane: Plane) -> None:
    place = place_of(each)
    assert place is not None
    p, b = each.preserving.mean, None if each.drift is None else each.drift.mean
    span_line(axes, place[1], p, plane.across, across=True, color=MUTED)
    if b is not None:
        span_line(axes, place[0], b, plane.up, across=False, color=MUTED)
    axes.plot(*([each_] for each_ in place), clip_on=False, zorder=3, **marker_of(each.label))


def _labels(axes: Axes, beside: Axes, placed: Sequence[SystemDrift], inches: float) -> None:
    """Names at the right, each with a thin line to its point."""
    from matplotlib.patches import ConnectionPatch

    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    places = {each.system: place for each in placed if (place := place_of(each)) is not None}
    # Names of one place read downwards by name.
    by_name = sorted(placed, key=lambda each: each.system, reverse=True)
    points = [places[each.system] for each in by_name]
    sizes = [(_words(each).count("\n") + 1.6) * LINE * 0.9 / inches * (high - low) for each in by_name]
    ys = heights_beside(points, sizes, right + 0.05 * (right - left), low, high)
    for each, y in zip(by_name, ys, strict=True):
        beside.text(0.12, y, _words(each), va="center", fontsize=8, transform=beside.get_yaxis_transform())
        line = ConnectionPatch(
            places[each.system],
            (0.09, y),
            coordsA=axes.transData,
            coordsB=beside.get_yaxis_transform(),
            color=MUTED,
            linewidth=0.5,
            linestyle=(0, (4, 2)),
        )
        line.set_in_layout(False)
        axes.figure.add_artist(line)
