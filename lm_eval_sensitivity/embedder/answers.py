"""Two outputs without a run: how far their answers are apart, for who has texts and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from lm_eval_sensitivity.embedder.load import load_embedder
from lm_eval_sensitivity.embedder.text_distances import EMPTY, TextDistances
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import computed
from lm_eval_sensitivity.metrics.inputs import PairInputs, Side
from lm_eval_sensitivity.scaffold.split import find_answer, why_no_answer
from lm_eval_sensitivity.types import Missing

OF_TEXTS = tuple(card.name for card in METRICS.values() if card.needs == ("text",) and card.scope == "pair")
"""Metrics that need the two texts alone."""
_NOTHING_ELSE = Missing("not given", "there is nothing but the text")


def compare_answers(
    outputs: Sequence[str | None],
    others: Sequence[str | None],
    metric: str = "cosine_distance",
    *,
    embedder: str | None = None,
    revision: str | None = None,
) -> list[float | Missing]:
    """How far the answers of outputs are from those of others, one by one; known reasoning scaffolds are left out.

    Args:
        outputs: texts; None where there is none.
        others: those that they are compared with, in the same order.
        metric: one of `OF_TEXTS`.
        embedder: a model id on the Hub or a local folder, see `load_embedder`; None for all-MiniLM-L6-v2. It is loaded
            once, when the first texts need it.
        revision: branch, tag or commit of it.

    Returns:
        [text] numbers in the range of the metric, or why there is none: a text is blank, has no answer, or cannot be
        read by the embedder. Never 0 for what could not be compared.

    Raises:
        InputError: the lists differ in length, the metric needs more than texts, or the embedder is refused.

    Example:
        >>> compare_answers(["<think>2 and 2</think> 4", "4"], ["4", " "], "text_edit_distance")
        [0.0, Missing(kind='empty', detail='one of the texts has nothing to embed')]
    """
    if len(outputs) != len(others):
        raise InputError(
            f"There are {len(outputs)} texts and {len(others)} to compare them with. Give as many of both, in the same "
            "order."
        )
    if metric not in OF_TEXTS:
        raise InputError(f"`{metric}` cannot be computed from two texts; accepted: {', '.join(OF_TEXTS)}.")
    distances = _distances(embedder, revision)
    pairs = [
        (answer_of(output, "first text"), answer_of(other, "second text"))
        for output, other in zip(outputs, others, strict=True)
    ]
    if metric == "cosine_distance":
        distances.prepare(text for pair in pairs for text in pair if isinstance(text, str))
    return [
        computed(METRICS[metric], PairInputs(_side(text), _side(other), _NOTHING_ELSE, distances.distance))
        for text, other in pairs
    ]


def numbers_and_reasons(found: Sequence[float | Missing]) -> tuple[list[float | None], list[str | None]]:
    """The same as JSON has it: two lists, of which each place is filled in one.

    Args:
        found: of `compare_answers`.

    Returns:
        Numbers with None where there is none, and reasons with None where there is a number.

    Example:
        >>> numbers_and_reasons([0.5, Missing("empty", "nothing to embed")])
        ([0.5, None], [None, 'empty: nothing to embed'])
    """
    return (
        [None if isinstance(value, Missing) else value for value in found],
        [str(value) if isinstance(value, Missing) else None for value in found],
    )


def answer_of(output: str | None, whose: str) -> str | Missing:
    """What follows the reasoning scaffold of an output.

    Args:
        output: a text; None where there is none.
        whose: words for the reason.

    Returns:
        The answer, or why there is none.

    Example:
        >>> answer_of("<think>2 and 2</think> 4", "first text"), answer_of("4", "first text")
        ('4', '4')
    """
    if output is None or not output.strip():
        return EMPTY
    span = find_answer(output)
    return why_no_answer(span, whose) or output[span.start : span.end]


@cache
def _distances(name: str | None, revision: str | None) -> TextDistances:
    return TextDistances(lambda: load_embedder(name, revision=revision))


def _side(text: str | Missing) -> Side:
    return replace(Side.without(_NOTHING_ELSE), text=text)
