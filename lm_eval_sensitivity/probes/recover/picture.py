"""How states come back on fixed tokens, and what the text did on free ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.probes.recover.finding import RecoverFinding
from lm_eval_sensitivity.probes.recover.settings import CONTROL
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    FULL_WIDTH,
    INK,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "recover", "Does the state come back, and does the text change?"
_COLORS = (INK, ACCENT, MUTED)
"""By size of the push, repeated where there are more."""
_LINES = ("-", "--", ":", "-.")
"""By layer, likewise."""


def picture(result: ProbeResult[RecoverFinding]) -> Picture | NotDrawn:
    """Curves of state distance, and state against text.

    Args:
        result: of the probe.

    Returns:
        The figure; where nothing was pushed, why there is none.
    """
    found = result.finding
    if not found.curves:
        return NotDrawn(NAME, TITLE, "No push was asked for but the control.")
    texts = (
        "Right: each push, its largest state distance against the distance of the two free texts; full marks are paths "
        "that changed."
        if not found.cosine_missing
        else f"Right: nothing, because texts have no distance ({found.cosine_missing})."
    )
    caption = Caption(
        f"Left: relative distance of the final state after a push at generated token {found.step}, tokens held fixed, "
        f"median over prompts. {texts}",
        f"{found.n_prompts} prompts of {result.name}, {found.overall.n_pushes} pushes, one random direction for each "
        "prompt, layer and size.",
        "Fixed tokens pull a state back whatever the model would have said. Large pushes change the text and move the "
        "state, so that both grow together without one causing the other.",
    )
    return Picture(NAME, TITLE, caption, (FULL_WIDTH, 3.4), lambda figure: _draw(figure, found))


def _draw(figure: Figure, found: RecoverFinding) -> None:
    left, right = figure.subplots(1, 2)
    layers = sorted({each.layer for each in found.curves})
    alphas = sorted({each.alpha for each in found.curves})
    look = {
        (layer, alpha): {
            "color": _COLORS[alphas.index(alpha) % len(_COLORS)],
            "linestyle": _LINES[layers.index(layer) % len(_LINES)],
        }
        for layer in layers
        for alpha in alphas
    }
    for curve in found.curves:
        steps = range(len(curve.median))
        shown = [value if value > 0 else math.nan for value in curve.median]
        left.plot(steps, shown, linewidth=1.2, **look[curve.layer, curve.alpha])
    left.set_yscale("log")
    left.set_xlabel("tokens after the push")
    left.set_ylabel("state distance, tokens fixed")
    for push in found.pushes:
        if push.alpha != CONTROL and push.peak > 0 and not math.isnan(push.cosine):
            color = _COLORS[alphas.index(push.alpha) % len(_COLORS)]
            face = color if push.path_changed else PAPER
            right.plot(
                [push.peak], [push.cosine], "o", markersize=4, markeredgecolor=color, markerfacecolor=face
            )
    right.set_xscale("log")
    right.set_xlabel("peak state distance, tokens fixed")
    right.set_ylabel("text distance, tokens free")
    right.set_ylim(bottom=-0.02)
    entries: list[tuple[dict[str, Any], str]] = [
        ({"color": _COLORS[at % len(_COLORS)], "linewidth": 3}, f"alpha {alpha:g}")
        for at, alpha in enumerate(alphas)
    ]
    entries += [
        ({"color": INK, "linestyle": _LINES[at % len(_LINES)]}, f"block {layer}")
        for at, layer in enumerate(layers)
    ]
    marks = {"linestyle": "none", "marker": "o", "markeredgecolor": INK, "markersize": 4}
    entries += [
        ({**marks, "markerfacecolor": INK}, "path changed"),
        ({**marks, "markerfacecolor": PAPER}, "unchanged"),
    ]
    legend_below(figure, entries, columns=4)
