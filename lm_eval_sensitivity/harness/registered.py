"""Our metrics of two texts by name, for tasks of lm_eval's that somebody writes: how far an output is from its target.

One line in the task's YAML enters the names, because lm_eval imports what `!function` names before it looks up the
metrics of a task; examples/distance_to_answers is a whole one:

    metadata:
      lm_eval_sensitivity: !function lm_eval_sensitivity.harness.registered.VERSION

    metric_list:
      - metric: answer_cosine_distance            # also answer_text_edit_distance
        aggregation: mean_of_scored
      - metric: answer_cosine_distance_stderr     # its standard error over documents
        aggregation: stderr_of_scored
      - metric: missing_answer_cosine_distance    # why documents have no number, counted
        aggregation: scored_in_words
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from lm_eval.api.registry import register_aggregation, register_metric

from lm_eval_sensitivity import __version__ as VERSION
from lm_eval_sensitivity.embedder.answers import OF_TEXTS, compare_answers
from lm_eval_sensitivity.harness.close import table_errors, table_rows
from lm_eval_sensitivity.types import Missing

__all__ = ["VERSION", "answer_distance", "mean_of_scored", "scored_in_words", "stderr_of_scored"]


def answer_distance(
    references: Sequence[str],
    predictions: Sequence[str],
    *,
    metric: str,
    embedder: str | None = None,
    embedder_revision: str | None = None,
) -> float | Missing:
    """How far the answer of an output is from its target, as lm_eval asks a metric.

    Args:
        references: the target of the document.
        predictions: what the model said.
        metric: one of `embedder.answers.OF_TEXTS`.
        embedder: another than the default one, as the entry in `metric_list` names it.
        embedder_revision: branch, tag or commit of it.

    Returns:
        In the range of the metric, or why there is none.

    Example:
        >>> answer_distance(["4"], ["<think>2 and 2</think> 4"], metric="text_edit_distance")
        0.0
    """
    (found,) = compare_answers(predictions, references, metric, embedder=embedder, revision=embedder_revision)
    return found


def mean_of_scored(values: Sequence[float]) -> float:
    """Mean over documents that have a number.

    Args:
        values: [document]; NaN where there is none.

    Returns:
        NaN without any.

    Example:
        >>> mean_of_scored([0.0, math.nan, 0.5])
        0.25
    """
    return table_rows.mean_of_scored(_each_alone(values))


def stderr_of_scored(values: Sequence[float]) -> float:
    """Standard error of `mean_of_scored`.

    Args:
        values: [document]; NaN where there is none.

    Returns:
        NaN where fewer than two documents have a number.

    Example:
        >>> stderr_of_scored([0.0, math.nan, 0.5])
        0.25
    """
    return table_errors.error_of_scored(_each_alone(values))


def scored_in_words(reasons: Sequence[str]) -> str:
    """How many documents have a number, and why the others have none.

    Args:
        reasons: [document] empty where there is a number.

    Returns:
        Counts joined by commas.

    Example:
        >>> scored_in_words(["", "unclosed: the scaffold never ends"])
        '1 of 2 documents scored, 1 unclosed'
    """
    kinds = [table_rows.kind_of(reason or None) for reason in reasons]
    return ", ".join(table_rows.scored_in_words(kinds, "documents"))


def _each_alone(values: Sequence[float]) -> list[table_rows.OfPair]:
    return [table_rows.OfPair(value, str(index), "") for index, value in enumerate(values)]


def _number(**asked: Any) -> float:
    found = answer_distance(**asked)
    return math.nan if isinstance(found, Missing) else found


def _reason(**asked: Any) -> str:
    found = answer_distance(**asked)
    return str(found) if isinstance(found, Missing) else ""


for _aggregation in (mean_of_scored, stderr_of_scored, scored_in_words):
    register_aggregation(_aggregation.__name__)(_aggregation)
for _metric in OF_TEXTS:
    for _name, _measure, _aggregation in (
        (f"answer_{_metric}", _number, mean_of_scored),
        (f"answer_{_metric}{table_errors.STDERR}", _number, stderr_of_scored),
        (f"missing_answer_{_metric}", _reason, scored_in_words),
    ):
        register_metric(metric=_name, aggregation=_aggregation.__name__)(partial(_measure, metric=_metric))
