"""Two axes beside a reference: how far harmless edits move a system, and how far it is from the reference."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    FULL_WIDTH,
    INK,
    LINE,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
    prompts_and_pairs,
    wrapped,
)
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "two_axes", "Moved by harmless edits, and moved away from the reference"
MARKERS = {
    "reference": "*",
    "STABLE": "o",
    "DRIFTED": "s",
    "RESPONSIVE": "^",
    "INDISCRIMINATE": "X",
    "COLLAPSED": "v",
    "UNDETERMINED": "D",
    "INVALID PROBE": "P",
}
"""Shape by verdict; the words stand beside every point, too."""
_HOLLOW = ("UNDETERMINED", "INVALID PROBE")
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
    placed = [each for each in found.systems if _place(each) is not None]
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
    absent = [each.system for each in found.systems if _place(each) is None]
    without = f" Without a place here, for want of a number: {', '.join(absent)}." if absent else ""
    drifted = [each.drift.mean.n for each in found.systems if each.drift is not None]
    span = f"{min(drifted)}" if min(drifted) == max(drifted) else f"{min(drifted)} to {max(drifted)}"
    return Caption(
        f"Across: mean {selection.metric} (filter {selection.filter_name}) under meaning-preserving edits; up: "
        f"distance from the outputs of {found.reference} on the identical prompts. Crosses are 95 % intervals over "
        f"prompts. The shape and the words are the verdict, which also needs the positive control (table below). "
        f"Dotted lines: {1 + k.k_harmless:g} times the reference's distance, and {k.drift_factor:g} times as drift. A "
        f"thin line joins systems whose names differ in bits only.{without}",
        f"{prompts_and_pairs([each.preserving.counts for each in found.systems])}; drift over {span} prompts.",
        "Both axes are small for a system that always says the same: the verdict reads the positive control, the place "
        "does not. Drift alone does not say worse: another, equally good wording drifts, too. Verdicts are each by "
        "itself, not adjusted for the number of systems.",
    )


def _place(each: SystemDrift) -> tuple[float, float] | None:
    up = 0.0 if each.is_reference else math.nan if each.drift is None else each.drift.mean.estimate
    across = each.preserving.mean.estimate
    return None if math.isnan(up) or math.isnan(across) else (across, up)


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


def spread(places: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Places for labels that do not overlap, each as near to its own as its neighbors allow.

    Args:
        places: where labels would stand, in rising order.
        sizes: how much room each needs.
        low: lower end.
        high: upper end.

    Returns:
        [label] its middle; where there is not enough room, all are packed closer in proportion.

    Example:
        >>> spread([0.5, 0.5], [0.2, 0.2], 0.0, 1.0)
        [0.4, 0.6]
    """
    total = sum(sizes)
    scale = min(1.0, (high - low) / total) if total else 1.0
    room = [size * scale for size in sizes]
    blocks: list[tuple[float, float, list[int]]] = []
    for index, place in enumerate(places):
        center, size, members = place, room[index], [index]
        while True:
            center = min(max(center, low + size / 2), high - size / 2)
            if not blocks or blocks[-1][0] + blocks[-1][1] / 2 <= center - size / 2 + 1e-12:
                break
            before = blocks.pop()
            center = (before[0] * before[1] + center * size) / (before[1] + size)
            size += before[1]
            members = before[2] + members
        blocks.append((center, size, members))
    found = [0.0] * len(places)
    for center, size, members in blocks:
        edge = center - size / 2
        for index in members:
            found[index] = round(edge + room[index] / 2, 9)
            edge += room[index]
    return found


def _draw(figure: Figure, found: DriftStatement, placed: Sequence[SystemDrift]) -> None:
    # The right part of the figure belongs to the labels.
    axes, beside = figure.subplots(1, 2, width_ratios=[3, 1.15], sharey=True)
    beside.set_axis_off()
    by_name = {each.system: _place(each) for each in placed}
    for series in bit_series([each.system for each in placed]):
        points = [place for name in series if (place := by_name[name]) is not None]
        axes.plot([x for x, _ in points], [y for _, y in points], color=MUTED, linewidth=0.8)
    for each in placed:
        _point(axes, each)
    reference = by_name.get(found.reference or "")
    if reference is not None:
        k = found.constants
        across, up = reference[0] * (1 + k.k_harmless), reference[0] * k.drift_factor
        axes.axvline(across, color=ACCENT, linestyle=":", linewidth=1)
        axes.axhline(up, color=ACCENT, linestyle=":", linewidth=1)
        look = {"fontsize": 7, "color": ACCENT, "va": "bottom"}
        words = f"{1 + k.k_harmless:g} p of the reference"
        axes.text(across, 1.005, words, ha="center", transform=axes.get_xaxis_transform(), **look)
        words = f"{k.drift_factor:g} p of the reference"
        # Most points are near the reference's distance: the words belong on the other side.
        x, side = (0.01, "left") if 2 * reference[0] > axes.get_xlim()[1] else (0.99, "right")
        axes.text(x, up, words, ha=side, transform=axes.get_yaxis_transform(), **look)
    axes.set_xlim(left=0)
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.03 * top, top * 1.02)
    axes.set_xlabel("distance under harmless edits (p)")
    axes.set_ylabel("distance from the reference's outputs (b)")
    _labels(axes, beside, placed, figure.bbox.height / figure.dpi - 1.2)
    labels = dict.fromkeys(each.label for each in placed)
    legend_below(
        figure,
        [
            (
                {
                    "color": INK,
                    "marker": MARKERS.get(label, "D"),
                    "linestyle": "none",
                    "markersize": 7,
                    "markerfacecolor": PAPER if label in _HOLLOW else INK,
                },
                label,
            )
            for label in labels
        ],
        columns=4,
    )


def _point(axes: Axes, each: SystemDrift) -> None:
    place = _place(each)
    assert place is not None
    x, y = place
    p, b = each.preserving.mean, None if each.drift is None else each.drift.mean
    if not math.isnan(p.lower):
        axes.plot([p.lower, p.upper], [y, y], color=MUTED, linewidth=0.9)
    if b is not None and not math.isnan(b.lower):
        axes.plot([x, x], [b.lower, b.upper], color=MUTED, linewidth=0.9)
    axes.plot(
        [x],
        [y],
        marker=MARKERS.get(each.label, "D"),
        markersize=12 if each.is_reference else 7,
        color=INK,
        markerfacecolor=PAPER if each.label in _HOLLOW else INK,
        clip_on=False,
        zorder=3,
    )


def _labels(axes: Axes, beside: Axes, placed: Sequence[SystemDrift], inches: float) -> None:
    """Names at the right, each with a thin line to its point."""
    from matplotlib.patches import ConnectionPatch

    low, high = axes.get_ylim()
    points = {each.system: place for each in placed if (place := _place(each)) is not None}
    # Labels of one place read downwards by name.
    by_name = sorted(placed, key=lambda each: each.system, reverse=True)
    rising = sorted(by_name, key=lambda each: (points[each.system][1], points[each.system][0]))
    sizes = [(_words(each).count("\n") + 1.6) * LINE * 0.9 / inches * (high - low) for each in rising]
    ys = spread([points[each.system][1] for each in rising], sizes, low, high)
    for each, y in zip(rising, ys, strict=True):
        beside.text(0.12, y, _words(each), va="center", fontsize=8, transform=beside.get_yaxis_transform())
        line = ConnectionPatch(
            points[each.system],
            (0.09, y),
            coordsA=axes.transData,
            coordsB=beside.get_yaxis_transform(),
            color=MUTED,
            linewidth=0.5,
            linestyle=(0, (4, 2)),
        )
        line.set_in_layout(False)
        axes.figure.add_artist(line)
