"""Which numbers of a pairs table a statement is about: one metric, one filter, some rungs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import (
    ANSWER_FLIP,
    OF_ANSWERS,
    in_a_table,
    is_of_probe,
    is_of_whole_output,
)
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS, Rung

RUNG_SETS: dict[str, tuple[Rung, ...]] = {
    "meaning_preserving": MEANING_PRESERVING_RUNGS,
    **{rung: (rung,) for rung in RUNGS},
}
"""Names of rung sets: the meaning-preserving rungs together, and every rung alone."""

PRIMARY_METRIC = "cosine_distance"
TEXT_METRICS = (*(card.name for card in METRICS.values() if card.window is not None), PRIMARY_METRIC)
"""Distances of two texts: of their first 64 tokens, 128, ..., and of the whole."""
PRIMARY_FILTER = "answer"
PRIMARY_RUNGS = "meaning_preserving"
NOISE_RUNG: Rung = "identical"
Weights = Literal["rung", "edit"]
WEIGHTS: tuple[Weights, ...] = ("rung", "edit")
"""What has the same weight in the mean of a prompt: every rung, and within it every edit; or every edit. The ladder has
many ways to change white space, which would otherwise be most of the number."""


def primary_metric(columns: Collection[str]) -> str:
    """The metric of a table where none was asked for: of texts, or of answers where wrapped tasks were run.

    Example:
        >>> primary_metric(["prompt_id", "cosine_distance"]), primary_metric(["cosine_distance", "answer_flip"])
        ('cosine_distance', 'answer_flip')
    """
    return ANSWER_FLIP if ANSWER_FLIP in columns else PRIMARY_METRIC


def number_in_words(metric: str, filter_name: str) -> str:
    """Metric and filter, for a title; answers to a task are under a filter of the task.

    Example:
        >>> number_in_words("cosine_distance", "raw"), number_in_words("answer_flip", "raw")
        ('cosine_distance, filter raw', 'answer_flip')
    """
    return metric if metric in OF_ANSWERS else f"{metric}, filter {filter_name}"


@dataclass(frozen=True)
class Selection:
    """One metric under one filter over one rung set."""

    metric: str = PRIMARY_METRIC
    """A column of the pairs table, window included: `cosine_distance_64`."""
    filter_name: str = PRIMARY_FILTER
    rung_set: str = PRIMARY_RUNGS

    def __post_init__(self) -> None:
        for option, received, accepted in (
            ("metric", self.metric, tuple(METRICS)),
            ("filter", self.filter_name, FILTERS),
            ("rungs", self.rung_set, tuple(RUNG_SETS)),
        ):
            beside = option == "metric" and (is_of_probe(received) or in_a_table(received))
            if received not in accepted and not beside:
                of_task = " A filter of a wrapped task is chosen with `--row`." if option == "filter" else ""
                raise InputError(
                    f"`--{option} {received[:80]}`: accepted are {', '.join(accepted)}."
                    f"{did_you_mean(received[:80], accepted)}{of_task}"
                )
        if is_of_whole_output(self.metric) and self.filter_name != "raw":
            raise InputError(
                f"`--metric {self.metric}` belongs to the whole output, so it stands under the filter raw only. Give "
                "`--filter raw`."
            )

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs of the set, mildest first."""
        return RUNG_SETS[self.rung_set]

    @property
    def of_answers(self) -> bool:
        """Whether the numbers are of answers to a wrapped task."""
        return self.metric in OF_ANSWERS

    @property
    def number_in_words(self) -> str:
        """Metric and filter, for a title."""
        return number_in_words(self.metric, self.filter_name)

    @property
    def window(self) -> int | None:
        """Tokens that a windowed metric reads; None for the whole text."""
        return METRICS[self.metric].window

    def in_words(self) -> str:
        """What the numbers are, for a title.

        Example:
            >>> Selection("cosine_distance_64", "raw").in_words()
            'cosine_distance_64, filter raw, rungs noop, punctuation, synonym, paraphrase'
        """
        return f"{self.number_in_words}, rungs {', '.join(self.rungs)}"
