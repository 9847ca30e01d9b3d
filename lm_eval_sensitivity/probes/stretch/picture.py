"""Growth over depth, and below it whose the residual is in each convention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.stretch.finding import LayerGrowth, NetworkGrowth, Spread, StretchFinding
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

NAME, TITLE = "stretch", "Growth of the residual and of a disturbance, layer by layer"
_CURVES: tuple[tuple[str, Callable[[LayerGrowth], Spread], str, str], ...] = (
    ("magnitude", lambda each: each.magnitude, MUTED, "--"),
    ("disturbance", lambda each: each.disturbance, ACCENT, "-."),
    ("relative", lambda each: each.relative, INK, "-"),
)
_PARTS = (("embedding", ACCENT, ""), ("attention", PAPER, "////"), ("mlp", MUTED, ""))
_FACTORS = tuple(2.0**power for power in range(-8, 9))
"""Where the axis of factors may have a label."""


def picture(result: ProbeResult[StretchFinding]) -> Picture | NotDrawn:
    """Three curves over depth per network, and one stacked bar per convention.

    Args:
        result: of one system.
    """
    finding = result.finding
    loaded = finding.loaded
    if all(math.isnan(each.magnitude.middle) for each in loaded.layers):
        return NotDrawn(NAME, TITLE, "No residual of this run has a size.")
    beside = (
        ""
        if finding.untrained is None
        else " Right: the same architecture with random weights, on "
        f"{finding.untrained.n_prompts} of these prompts."
    )
    positions = "the end of the prompt" if finding.positions == "prompt_end" else "the steps of the output"
    caption = Caption(
        f"Factor by which each block enlarges the residual and a disturbance of {100 * finding.size:g} %, and the "
        f"second over the first (relative), at {positions}; geometric mean over prompts, quartiles as a band. The line "
        "is 1, nothing changes. Below: whose the residual before the final norm is, in three conventions; a projection "
        f"may leave the range from 0 to 100 %.{beside}",
        f"{loaded.n_prompts} prompts, {loaded.n_positions} positions.",
        "Block 0 adds to small embeddings, in an untrained network too: its growth is the scale of the initialization. "
        "A rise of magnitude alone is no rise of sensitivity, since every block reads a normalized residual.",
    )
    return Picture(NAME, TITLE, caption, (FULL_WIDTH, 4.6), lambda figure: _draw(figure, finding))


def _draw(figure: Figure, finding: StretchFinding) -> None:
    networks = finding.networks
    grid = figure.subplots(
        2, len(networks), sharex="row", sharey="row", squeeze=False, gridspec_kw={"height_ratios": [3, 2]}
    )
    for column, network in enumerate(networks):
        _draw_growth(grid[0][column], network)
        _draw_shares(grid[1][column], network)
    _label_factors(grid[0][0])
    grid[1][0].invert_yaxis()
    legend_below(
        figure,
        [
            *(({"color": color, "linestyle": line}, name) for name, _, color, line in _CURVES),
            *(
                ({"facecolor": color, "edgecolor": INK, "hatch": hatch}, "MLP" if name == "mlp" else name)
                for name, color, hatch in _PARTS
            ),
        ],
    )


def _draw_growth(axes: Any, network: NetworkGrowth) -> None:
    axes.set_title(network.network, loc="left")
    axes.set_yscale("log")
    axes.axhline(1, color=MUTED, linewidth=0.8)
    layers = [each.layer for each in network.layers]
    for _, chosen, color, line in _CURVES:
        spreads = [chosen(each) for each in network.layers]
        axes.plot(layers, [each.middle for each in spreads], color=color, linestyle=line)
        low, high = ([getattr(each, end) for each in spreads] for end in ("low", "high"))
        axes.fill_between(layers, low, high, color=color, alpha=0.25, linewidth=0)
    axes.set_xlabel("layer")


def _label_factors(axes: Any) -> None:
    """Powers of 2 in digits: labels of a logarithmic axis are mathematical markup, which is off."""
    low, high = axes.get_ylim()
    factors = [each for each in _FACTORS if low <= each <= high]
    axes.set_yticks(factors, [f"{each:g}" for each in factors])
    axes.minorticks_off()
    axes.set_ylabel("factor")


def _draw_shares(axes: Any, network: NetworkGrowth) -> None:
    places = range(len(network.shares))
    for place, shares in zip(places, network.shares, strict=True):
        right = left = 0.0
        for name, color, hatch in _PARTS:
            share = 100 * getattr(shares, name).estimate
            # What is negative stands left of 0, so that nothing covers anything.
            start = right if share >= 0 else left
            axes.barh(
                place,
                share,
                left=start,
                height=0.6,
                facecolor=color,
                edgecolor=INK,
                hatch=hatch,
                linewidth=0.6,
            )
            if share >= 0:
                right += share
            else:
                left += share
    axes.set_yticks(list(places), [each.convention for each in network.shares])
    axes.set_xlabel("share of the residual, %")
