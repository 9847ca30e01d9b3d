"""What one prompt was answered: the choice, what the task's filter found, or else the task's own judgment."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from lm_eval.api.task import Task

from lm_eval_sensitivity.harness.wrapping.question import choices_of
from lm_eval_sensitivity.records.answers import Answered

Take = Callable[[str], str | None]
"""Metric -> the answer that it takes."""


def answered(
    task: Task,
    doc: Any,
    filter_name: str,
    results: Sequence[Any],
    metrics: Mapping[str, Any],
    judged_by: str,
) -> Answered:
    """The record of one prompt, as of an unedited one.

    Args:
        task: that is wrapped.
        doc: the document as it is.
        filter_name: of the task.
        results: [request] as the filter shows them.
        metrics: what the task makes of them.
        judged_by: the metric whose answer counts.
    """
    numbers = {name: _number(value) for name, value in metrics.items()}
    shares = None
    if task.OUTPUT_TYPE == "multiple_choice":
        choices = choices_of(task, doc)
        scores = np.array([result[0] for result in results], dtype=np.float64)
        likely = scores[: len(choices or results)]
        take, shares = _choice(scores, likely, choices), _shares(likely)
    else:
        take = _text(task, filter_name, results, metrics)
    answer = take(judged_by)
    return Answered(
        status="identical",
        answer=answer,
        other_answers={name: other for name in metrics if (other := take(name)) != answer},
        metrics={name: value for name, value in numbers.items() if value is not None},
        choice_probabilities=shares,
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float, np.number, np.bool_)) and not isinstance(value, complex)
    return float(value) if is_number and math.isfinite(value) else None


def _choice(scores: Any, likely: Any, choices: Sequence[str] | None) -> Take:
    """The number of the best choice, as lm_eval finds it for each of its metrics."""
    best = {}
    if choices:
        best["acc_norm"] = likely / np.array([float(len(each)) for each in choices])
        best["acc_bytes"] = likely / np.array([float(len(each.encode())) for each in choices])
        if len(scores) == 2 * len(choices):
            best["acc_mutual_info"] = likely - scores[len(choices) :]

    def take(metric: str) -> str | None:
        return str(int(np.argmax(best.get(metric, likely)))) if _is_judged(likely) else None

    return take


def _shares(likely: Any) -> tuple[float, ...] | None:
    """How the probability is shared among the choices."""
    if not _is_judged(likely):
        return None
    shares = np.exp(likely - likely.max())
    return tuple(float(each) for each in shares / shares.sum())


def _is_judged(likely: Any) -> bool:
    return bool(len(likely) and np.isfinite(likely).any() and not np.isnan(likely).any())


def _text(task: Task, filter_name: str, results: Sequence[Any], metrics: Mapping[str, Any]) -> Take:
    fallbacks = _fallbacks(task, filter_name)
    if fallbacks is None or len(results) != 1 or not isinstance(results[0], str):
        # What a metric says of a text that nothing is taken out of: right or wrong.
        return lambda metric: json.dumps(metrics[metric], default=str) if metric in metrics else None
    found = results[0].strip()
    return lambda metric: None if not found or found in fallbacks else found


def _fallbacks(task: Task, filter_name: str) -> set[str] | None:
    """What filters that take an answer out of a text say where they find none; None where no such filter is there."""
    built = [make() for each in task._filters if each.name == filter_name for make in each.filters]
    found = [each for each in built if hasattr(each, "fallback") or hasattr(each, "regex_pattern")]
    return {str(getattr(each, "fallback", "")) for each in found} if found else None
