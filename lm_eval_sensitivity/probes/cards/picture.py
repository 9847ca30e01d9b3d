"""At which layer and place a copied state restores the token, over all cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.probes.cards.card import BranchCard
from lm_eval_sensitivity.probes.cards.finding import CardsFinding
from lm_eval_sensitivity.probes.cards.positions import PositionClass
from lm_eval_sensitivity.probes.cards.summary import CLASS_WORDS
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures.style import (
    FULL_WIDTH,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
)
from lm_eval_sensitivity.report.shades import shade_of

if TYPE_CHECKING:
    from lm_eval_sensitivity.report.figures.style import Figure

NAME, TITLE = "branch_cards", "Where copying a state restores the token"
_ROW = 0.34
"""Inches of a class."""
Counts = dict[tuple[PositionClass, int], tuple[int, int]]
"""(class, layer) -> cards in which a copy there restores the token, cards in which it was tried."""


def picture(result: ProbeResult[CardsFinding]) -> Picture | NotDrawn:
    """A heat map of classes by layers."""
    cards = result.finding.cards
    counts = restored(cards)
    if not counts:
        return NotDrawn(NAME, TITLE, "There is no card with copied states to draw.")
    n_cards = sum(card.patches.value is not None for card in cards)
    prompts = {card.case.prompt_id for card in cards}
    caption = Caption(
        "Share of cards in which a state of the unedited run, copied into the edited one at this place and layer, "
        "restores the unedited run's token. A framed cell is so by construction: the last position at the last block.",
        f"{n_cards} cards of {len(prompts)} prompts. {result.finding.rule}",
        "Where margins are small nearly any change restores the token: read it beside the random changes of the same "
        "size. The layer at which a copy works is not the layer at which something is decided.",
    )
    kinds = [kind for kind in CLASS_WORDS if any(own == kind for own, _ in counts)]
    size = FULL_WIDTH, _ROW * len(kinds) + 1.2
    last = result.finding.n_layers - 1
    return Picture(NAME, TITLE, caption, size, lambda figure: _draw(figure, kinds, counts, last))


def restored(cards: tuple[BranchCard, ...]) -> Counts:
    """How often each class and layer restores the token; of several positions of a class, any."""
    found: dict[tuple[PositionClass, int], list[bool]] = {}
    for card in cards:
        patches = card.patches.value
        if patches is None:
            continue
        for kind in dict.fromkeys(place.kind for place in patches.places):
            rows = [
                row for place, row in zip(patches.places, patches.replays, strict=True) if place.kind == kind
            ]
            for column, layer in enumerate(card.how.layers):
                found.setdefault((kind, layer), []).append(any(row[column] for row in rows))
    return {cell: (sum(each), len(each)) for cell, each in found.items()}


def _draw(figure: Figure, kinds: list[PositionClass], counts: Counts, last: int) -> None:
    axes = figure.subplots()
    layers = sorted({layer for _, layer in counts})
    for (kind, layer), (n, of) in counts.items():
        y, x = kinds.index(kind), layers.index(layer)
        shade = shade_of(n / of)
        trivial = layer == last and kind in ("final_context", "all_after_edit")
        look: dict[str, Any] = (
            {"edgecolor": MUTED, "linewidth": 1.2} if trivial else {"edgecolor": "none", "linewidth": 0}
        )
        axes.bar(x + 0.5, 0.88, 0.92, y + 0.06, facecolor=shade.light, **look)
        if len(layers) <= 16:
            words: dict[str, Any] = {
                "ha": "center",
                "va": "center_baseline",
                "fontsize": 7,
                "color": shade.light_letters,
            }
            axes.text(x + 0.5, y + 0.5, f"{n}/{of}", **words)
    axes.set_yticks([y + 0.5 for y in range(len(kinds))], [CLASS_WORDS[kind] for kind in kinds])
    shown = [at for at in range(len(layers)) if len(layers) <= 16 or at % 4 == 0 or at == len(layers) - 1]
    axes.set_xticks([at + 0.5 for at in shown], [str(layers[at]) for at in shown])
    axes.set_xlabel("layer whose output is copied")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlim(0, len(layers))
    axes.set_ylim(len(kinds), 0)
    legend_below(
        figure,
        [
            ({"facecolor": shade_of(0.0).light, "edgecolor": "none"}, "in no card"),
            ({"facecolor": shade_of(1.0).light, "edgecolor": "none"}, "in every card"),
            ({"facecolor": PAPER, "edgecolor": MUTED}, "framed: so by construction"),
        ],
    )
