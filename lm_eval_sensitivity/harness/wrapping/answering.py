"""What one prompt was answered: the choice, what the task's filter found, or else the task's own judgment."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lm_eval.api.task import Task

from lm_eval_sensitivity.records.answers import Answered, Status


def answered(
    task: Task,
    doc: Any,
    filter_name: str,
    results: Sequence[Any],
    metrics: Mapping[str, Any],
    status: Status,
    text: str | None,
) -> Answered:
    """The record of one prompt.

    Args:
        task: that is wrapped.
        doc: the document as it is.
        filter_name: of the task.
        results: [request] as the filter shows them.
        metrics: what the task makes of them.
        status: what became of the edit.
        text: what the edit made.
    """
    numbers = {name: _number(value) for name, value in metrics.items()}
    found, shares = _choice(task, doc, results) if task.OUTPUT_TYPE == "multiple_choice" else (None, None)
    if task.OUTPUT_TYPE != "multiple_choice":
        found = _text(task, filter_name, results, metrics)
    return Answered(
        status=status,
        text=text,
        answer=found,
        metrics={name: value for name, value in numbers.items() if value is not None},
        choice_probabilities=shares,
    )


def choices_of(task: Task, doc: Any) -> tuple[str, ...]:
    """Texts of the choices of a document; none where the task generates its answers, or does not tell."""
    if task.OUTPUT_TYPE != "multiple_choice" or not hasattr(task, "doc_to_choice"):
        return ()
    return tuple(str(each) for each in task.doc_to_choice(doc))


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float, np.number, np.bool_)) and not isinstance(value, complex)
    return float(value) if is_number and math.isfinite(value) else None


def _choice(task: Task, doc: Any, results: Sequence[Any]) -> tuple[str | None, tuple[float, ...] | None]:
    """The most probable choice, by its number, and how the probability is shared."""
    n_choices = len(task.doc_to_choice(doc)) if hasattr(task, "doc_to_choice") else len(results)
    scores = np.array([result[0] for result in results[:n_choices]], dtype=np.float64)
    if not len(scores) or np.isnan(scores).any() or not np.isfinite(scores).any():
        return None, None
    shares = np.exp(scores - scores.max())
    return str(int(np.argmax(scores))), tuple(float(each) for each in shares / shares.sum())


def _text(task: Task, filter_name: str, results: Sequence[Any], metrics: Mapping[str, Any]) -> str | None:
    fallbacks = extractors(task, filter_name)
    if fallbacks is None or len(results) != 1 or not isinstance(results[0], str):
        return _judgment(metrics)
    found = results[0].strip()
    return None if not found or found in fallbacks else found


def _judgment(metrics: Mapping[str, Any]) -> str | None:
    """What the task says of a text that it takes no answer out of: right or wrong, in every metric."""
    return json.dumps(metrics, sort_keys=True, default=str) if metrics else None


def extractors(task: Task, filter_name: str) -> set[str] | None:
    """What the filters that take an answer out of a text say where they find none.

    Args:
        task: with its filters built.
        filter_name: one of them.

    Returns:
        None where no filter of that name takes one out.
    """
    built = [make() for each in task._filters if each.name == filter_name for make in each.filters]
    found = [each for each in built if hasattr(each, "fallback") or hasattr(each, "regex_pattern")]
    return {str(getattr(each, "fallback", "")) for each in found} if found else None
