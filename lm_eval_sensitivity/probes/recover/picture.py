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
    from lm_eval_sensitivity.report.figures.style import Figure

NAME, TITLE = "recover", "Does the state come back, and does the text change?"
_SIZES: tuple[tuple[str, float, str], ...] = ((INK, 0.8, "o"), (ACCENT, 1.4, "s"), (MUTED, 2.2, "^"))
"""Color, width and mark by size of the push, repeated where there are more."""
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
    sizes = {alpha: _SIZES[at % len(_SIZES)] for at, alpha in enumerate(alphas)}
    lines = {layer: _LINES[at % len(_LINES)] for at, layer in enumerate(layers)}
    for curve in found.curves:
        color, width, _ = sizes[curve.alpha]
        shown = [value if value > 0 else math.nan for value in curve.median]
        left.plot(range(len(shown)), shown, color=color, linewidth=width, linestyle=lines[curve.layer])
    left.set_yscale("log")
    left.yaxis.set_major_formatter(_plain)
    left.set_xlabel("tokens after the push")
    left.set_ylabel("state distance, tokens fixed")
    for push in found.pushes:
        if push.alpha != CONTROL and push.peak > 0 and not math.isnan(push.cosine):
            color, _, mark = sizes[push.alpha]
            face = color if push.path_changed else PAPER
            right.plot([push.peak], [push.cosine], mark, markersize=4, mec=color, mfc=face)
    right.set_xscale("log")
    right.xaxis.set_major_formatter(_plain)
    right.set_xlabel("peak state distance, tokens fixed")
    right.set_ylabel("text distance, tokens free")
    right.set_ylim(bottom=-0.02)
    legend_below(figure, _legend(sizes, lines), columns=4)


def _plain(value: float, _: int | None = None) -> str:
    """A tick of a log scale; matplotlib's own are mathematical markup."""
    return f"{value:g}"


def _legend(
    sizes: dict[float, tuple[str, float, str]], lines: dict[int, str]
) -> list[tuple[dict[str, Any], str]]:
    found: list[tuple[dict[str, Any], str]] = [
        ({"color": color, "linewidth": width, "marker": mark, "markersize": 4}, f"alpha {alpha:g}")
        for alpha, (color, width, mark) in sizes.items()
    ]
    found += [({"color": INK, "linestyle": line}, f"block {layer}") for layer, line in lines.items()]
    mark = {"linestyle": "none", "marker": "o", "markeredgecolor": INK, "markersize": 4}
    return [
        *found,
        ({**mark, "markerfacecolor": INK}, "path changed"),
        ({**mark, "markerfacecolor": PAPER}, "unchanged"),
    ]
