"""What every number in the pairs table means: one card per metric, printed by reports and cards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Needs = Literal["text", "token ids", "logits", "hidden states"]
"""The least an engine must give for a metric. Text is what every engine gives."""

Direction = Literal["larger = further apart", "larger = parted later", "larger = more certain"]

WINDOWS_TOKENS = (64, 128, 256, 512)
"""Windows of the cosine distance: the first w generated tokens of the same generation."""


@dataclass(frozen=True)
class MetricCard:
    """Description of one metric of a pair."""

    name: str
    """Column name in the pairs table."""
    what: str
    """What it measures, in one sentence."""
    range: str
    """Interval of its values; nan, for undefined, is outside it."""
    direction: Direction
    unit: str
    """`none`, `nats` or `tokens`."""
    needs: Needs
    source: str
    """Paper that defines it, or the definition where it is this project's own."""
    computed_by: str
    """Dotted name of the function inside the package whose docstring has formula and edge cases."""


_COSINE_SOURCE = "Reimers & Gurevych 2019, section 3 (cosine similarity of sentence vectors), one minus it"


def _cosine_window(w: int) -> MetricCard:
    return MetricCard(
        name=f"cosine_distance_{w}",
        what=f"Cosine distance of the sentence vectors of the first {w} generated tokens.",
        range="[0, 2]",
        direction="larger = further apart",
        unit="none",
        needs="token ids",
        source=_COSINE_SOURCE,
        computed_by="metrics.embedding.cosine_distance",
    )


_TEXT_CARDS = (
    MetricCard(
        name="cosine_distance",
        what="Cosine distance of the sentence vectors of the two outputs.",
        range="[0, 2]",
        direction="larger = further apart",
        unit="none",
        needs="text",
        source=_COSINE_SOURCE,
        computed_by="metrics.embedding.cosine_distance",
    ),
    *(_cosine_window(w) for w in WINDOWS_TOKENS),
    MetricCard(
        name="baseline_drift",
        what="Cosine distance of a reference's and this system's output on the identical prompt.",
        range="[0, 2]",
        direction="larger = further apart",
        unit="none",
        needs="text",
        source="this project: the cosine distance between two systems instead of two prompts",
        computed_by="metrics.embedding.cosine_distance",
    ),
)

_TOKEN_CARDS = (
    MetricCard(
        name="token_edit_distance",
        what="Share of the longer output's tokens that must be edited to get the other.",
        range="[0, 1]",
        direction="larger = further apart",
        unit="none",
        needs="token ids",
        source="Levenshtein 1966, divided by the longer length",
        computed_by="metrics.token_path.token_edit_distance",
    ),
    MetricCard(
        name="first_divergence",
        what="0-based step of the first token that differs; nan where none was seen.",
        range="[0, shorter length]",
        direction="larger = parted later",
        unit="tokens",
        needs="token ids",
        source="this project: length of the common prefix, right-censored at the token limit",
        computed_by="metrics.token_path.first_divergence",
    ),
)

_LOGIT_CARDS = (
    MetricCard(
        name="js_divergence",
        what="Jensen-Shannon divergence of the next-token distributions at the prompt end.",
        range="[0, ln 2]",
        direction="larger = further apart",
        unit="nats",
        needs="logits",
        source="Lin 1991, section IV, equal weights",
        computed_by="metrics.logits.js_divergence",
    ),
    MetricCard(
        name="kl_forward",
        what="KL divergence from the base's next-token distribution to the variant's.",
        range="[0, inf]",
        direction="larger = further apart",
        unit="nats",
        needs="logits",
        source="Kullback & Leibler 1951, section 2",
        computed_by="metrics.logits.kl_divergence",
    ),
    MetricCard(
        name="kl_backward",
        what="KL divergence from the variant's next-token distribution to the base's.",
        range="[0, inf]",
        direction="larger = further apart",
        unit="nats",
        needs="logits",
        source="Kullback & Leibler 1951, section 2, arguments exchanged",
        computed_by="metrics.logits.kl_divergence",
    ),
    MetricCard(
        name="top1_probability",
        what="Probability of the most probable first token after the base prompt.",
        range="(0, 1]",
        direction="larger = more certain",
        unit="none",
        needs="logits",
        source="this project: maximum of the softmax",
        computed_by="metrics.logits.top1",
    ),
    MetricCard(
        name="margin_min",
        what="Smallest margin of the largest over the second largest logit in one output.",
        range="[0, inf]",
        direction="larger = more certain",
        unit="nats",
        needs="logits",
        source="this project: minimum over steps of log p_(1) - log p_(2)",
        computed_by="metrics.margins.margin_statistics",
    ),
)

_HIDDEN_CARDS = (
    MetricCard(
        name="hidden_distance",
        what="Cosine distance of the final hidden states, averaged over the generated tokens.",
        range="[0, 2]",
        direction="larger = further apart",
        unit="none",
        needs="hidden states",
        source="this project: cosine distance of states after the final norm",
        computed_by="metrics.hidden.hidden_distance",
    ),
    MetricCard(
        name="prompt_end_hidden_distance",
        what="Cosine distance of the final hidden states at the last prompt position.",
        range="[0, 2]",
        direction="larger = further apart",
        unit="none",
        needs="hidden states",
        source="this project: cosine distance of states after the final norm",
        computed_by="metrics.hidden.hidden_distance",
    ),
)


def _catalogue(cards: Iterable[MetricCard]) -> dict[str, MetricCard]:
    catalogue: dict[str, MetricCard] = {}
    for card in cards:
        if card.name in catalogue:
            raise ValueError(f"two metric cards are named {card.name!r}")
        if card.needs not in get_args(Needs):
            raise ValueError(f"metric card {card.name!r} needs {card.needs!r}")
        catalogue[card.name] = card
    return catalogue


METRICS: dict[str, MetricCard] = _catalogue((*_TEXT_CARDS, *_TOKEN_CARDS, *_LOGIT_CARDS, *_HIDDEN_CARDS))
"""Every per-pair metric by column name, in the order of the pairs table."""

PER_PROMPT = ("baseline_drift", "top1_probability", "margin_min")
"""Metrics that belong to the base prompt alone: every pair of a prompt repeats the same number."""


def is_distance(name: str) -> bool:
    """Whether a metric says how far the two outputs of a pair are apart.

    Args:
        name: in `METRICS`.

    Example:
        >>> is_distance("cosine_distance"), is_distance("baseline_drift"), is_distance("first_divergence")
        (True, False, False)
    """
    return METRICS[name].direction == "larger = further apart" and name not in PER_PROMPT
