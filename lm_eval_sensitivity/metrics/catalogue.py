"""What every number of a pair means, what it needs and how it is computed: one card per metric.

`@metric(card)` registers a function; the pairs table's columns, the harness, the reader and docs/metrics.md follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from lm_eval_sensitivity.metrics.inputs import PairInputs
from lm_eval_sensitivity.types import Channel, Missing

Direction = Literal[
    "larger = further apart",
    "larger = parted later",
    "larger = more certain",
    "what larger means, its probe says",
]
Family = Literal["text", "tokens", "distributions", "states"]
FilterName = Literal["raw", "answer"]
Measure = Callable[[PairInputs], float | Missing]
Function = TypeVar("Function", bound=Callable[..., float])

FAMILIES: tuple[Family, ...] = ("text", "tokens", "distributions", "states")
"""In the order of the pairs table."""
WINDOWS_TOKENS = (64, 128, 256, 512)
"""Windows of the cosine distance: the first w generated tokens of the same generation."""


@dataclass(frozen=True)
class MetricCard:
    """Description of one metric of a pair."""

    name: str
    """Column name in the pairs table."""
    what: str
    """What it measures, in one sentence."""
    family: Family
    """What it looks at; metrics of a family stand together."""
    low: float
    """Smallest value; nan, for undefined, is outside the range."""
    high: float
    """Largest value; `math.inf` where there is none."""
    direction: Direction
    unit: str
    """`none`, `nats` or `tokens`."""
    needs: tuple[Channel, ...]
    """What an engine must give of both outputs."""
    source: str
    """Paper that defines it, or the definition where it is this project's own."""
    formula: str
    undefined: str = "undefined"
    """The reason where the function gives nan; starts with its kind."""
    scope: Literal["pair", "prompt", "variant"] = "pair"
    """`prompt`: it belongs to the base prompt alone, and every pair of a prompt repeats the same number;
    `variant`: to the variant prompt alone."""
    filters: tuple[FilterName, ...] = ("raw", "answer")
    """`raw` alone: it belongs to the whole output."""
    window: int | None = None
    """Tokens that it reads; None for the whole text."""
    in_table: bool = False
    """Whether it is a row of the table that lm_eval prints, and so stands at the top level of a sample."""
    recorded_in: str = ""
    """Field of a sample's `pair` that holds it, with dots; empty for `scores`."""
    beside: tuple[tuple[str, type[bool] | type[float], str], ...] = ()
    """(name, type, description) of further columns that it brings."""
    computed_by: str = ""
    """Dotted name of the function inside the package whose docstring has formula and edge cases."""

    @property
    def range(self) -> str:
        """Interval of its values.

        Example:
            >>> METRICS["js_divergence"].range
            '[0, ln 2]'
        """
        high = "ln 2" if self.high == math.log(2) else f"{self.high:g}"
        return f"[{self.low:g}, {high}]"


PROBE = "probe."
"""Before the names of a probe and of its measure: `probe.radius.argmax_radius`, one number for each prompt."""


def is_of_probe(name: str) -> bool:
    """Whether a column is what a probe measured; every pair of a prompt repeats its number.

    Example:
        >>> is_of_probe("probe.radius.argmax_radius"), is_of_probe("cosine_distance")
        (True, False)
    """
    return name.startswith(PROBE)


def _of_answers(name: str, what: str, family: Family, formula: str, high: float = 1) -> MetricCard:
    return MetricCard(
        name=name,
        what=what,
        family=family,
        low=0,
        high=high,
        direction="larger = further apart",
        unit="nats" if family == "distributions" else "none",
        needs=(),
        source="this project",
        formula=formula,
    )


ANSWER_FLIP, CHOICE_DIVERGENCE = "answer_flip", "choice_js_divergence"
OF_ANSWERS = {
    card.name: card
    for card in (
        _of_answers(
            ANSWER_FLIP,
            "Whether the answer to the edited prompt is another one.",
            "text",
            "1 if a != b else 0",
        ),
        _of_answers(
            CHOICE_DIVERGENCE,
            "Jensen-Shannon divergence of the shares of the choices.",
            "distributions",
            "(KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2",
            math.log(2),
        ),
    )
}
"""Numbers of the pairs of wrapped tasks, which are documents and edits; no other run has them."""


def in_a_table(name: str) -> bool:
    """Whether a pairs table may have a column of this metric, whatever probes were run.

    Example:
        >>> in_a_table("cosine_distance"), in_a_table("answer_flip"), in_a_table("probe.radius.argmax_radius")
        (True, True, False)
    """
    return name in METRICS or name in OF_ANSWERS


class _Catalogue(dict[str, MetricCard]):
    """Metrics by name; which measures there are, only the probes of a run say, so that these have a card each."""

    def __missing__(self, name: str) -> MetricCard:
        if name in OF_ANSWERS:
            return OF_ANSWERS[name]
        if not is_of_probe(name):
            raise KeyError(name)
        return MetricCard(
            name=name,
            what="What a probe measured of the base prompt.",
            family="states",
            low=-math.inf,
            high=math.inf,
            direction="what larger means, its probe says",
            unit="none",
            needs=(),
            source="see the page of the probe",
            formula="see the page of the probe",
            scope="prompt",
        )


METRICS: dict[str, MetricCard] = _Catalogue()
"""Every per-pair metric by column name, in the order of the pairs table."""

_MEASURES: dict[str, Measure] = {}


def register(card: MetricCard, measure: Measure | None = None) -> None:
    """Enter a metric into the catalogue.

    Args:
        card: its description.
        measure: computes it from a pair; None where it is not made from the two outputs of one pair alone, as
            with a reference run, or where the harness records it in another field than `scores`.

    Raises:
        ValueError: there is a metric of this name.
    """
    if card.name in METRICS:
        raise ValueError(f"two metric cards are named {card.name!r}")
    cards = sorted([*METRICS.values(), card], key=lambda each: FAMILIES.index(each.family))
    METRICS.clear()
    METRICS.update((each.name, each) for each in cards)
    if measure is not None:
        _MEASURES[card.name] = measure


def metric(card: MetricCard) -> Callable[[Function], Function]:
    """Register a pure function of what base and variant give of each channel that the card needs.

    Args:
        card: its description; `computed_by` is filled in.

    Example:
        `token_edit_distance` needs token ids, and is called with those of the base and those of the variant.
    """

    def enter(function: Function) -> Function:
        name = f"{function.__module__.partition('.')[2]}.{function.__name__}"

        def measure(pair: PairInputs) -> float:
            return function(*(value for channel in card.needs for value in pair.both(channel)))

        register(replace(card, computed_by=name), measure)
        return function

    return enter


def computed(card: MetricCard, pair: PairInputs) -> float | Missing:
    """The number of a pair, or why there is none: what a channel lacks is said by the channel.

    Args:
        card: of a metric in `measured_under`.
        pair: both outputs under one filter.

    Returns:
        A float that is not nan, or the reason.
    """
    for channel in card.needs:
        for value in pair.both(channel):
            if isinstance(value, Missing):
                return value
    number = _MEASURES[card.name](pair)
    if isinstance(number, Missing):
        return number
    return Missing.from_text(card.undefined) if math.isnan(number) else float(number)


def scores_of(
    pair: PairInputs, filter_name: str, families: Sequence[Family] = FAMILIES
) -> dict[str, float | Missing]:
    """All numbers that are made from the two outputs of a pair, in the order of the catalogue.

    Args:
        pair: both outputs under the filter.
        filter_name: `raw` or `answer`.
        families: which of them.

    Returns:
        By column name a float that is not nan, or the reason why there is none.
    """
    return {
        card.name: computed(card, pair)
        for card in measured_under(filter_name)
        if card.name in _MEASURES and card.family in families
    }


def measured_under(filter_name: str) -> tuple[MetricCard, ...]:
    """Metrics in `pair.scores` of a sample under a filter; those of one prompt alone stand last.

    Example:
        >>> [card.name for card in measured_under("answer") if card.scope != "pair"]
        ['baseline_drift', 'variant_drift', 'output_spread']
    """
    cards = [card for card in METRICS.values() if filter_name in card.filters and not card.recorded_in]
    return tuple(sorted(cards, key=lambda card: card.scope != "pair"))


def is_distance(name: str) -> bool:
    """Whether a metric says how far the two outputs of a pair are apart.

    Args:
        name: in `METRICS`.

    Example:
        >>> is_distance("cosine_distance"), is_distance("baseline_drift"), is_distance("first_divergence")
        (True, False, False)
    """
    return METRICS[name].direction == "larger = further apart" and METRICS[name].scope == "pair"


def belongs_to_prompt(name: str) -> bool:
    """Whether a metric belongs to the base prompt alone: every pair of a prompt repeats the same number.

    Args:
        name: in `METRICS`.

    Example:
        >>> belongs_to_prompt("margin_min"), belongs_to_prompt("cosine_distance")
        (True, False)
    """
    return METRICS[name].scope == "prompt"


def is_of_whole_output(name: str) -> bool:
    """Whether a metric belongs to the whole output, so that it stands in rows of filter `raw` only.

    Args:
        name: in `METRICS`.

    Example:
        >>> is_of_whole_output("hidden_distance"), is_of_whole_output("cosine_distance")
        (True, False)
    """
    return METRICS[name].filters == ("raw",)
