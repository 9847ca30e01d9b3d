"""Answers of a wrapped task as rows of the pairs table, with two columns that no other run has."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP, CHOICE_DIVERGENCE, OF_ANSWERS
from lm_eval_sensitivity.records.answers import AGAIN, Answered, AnswerRow, EditOfTask
from lm_eval_sensitivity.records.columns import FILTERS, ROW_SCHEMA
from lm_eval_sensitivity.types import RUNGS, UNCATEGORIZED, Missing, Rung

ANSWERS_SCHEMA = pa.schema(
    [
        pa.field("base_answer", pa.string(), metadata={"description": "Answer to the unedited prompt."}),
        pa.field("variant_answer", pa.string(), metadata={"description": "Answer to the edited prompt."}),
    ]
    + [
        pa.field(name, kind, metadata={"description": words})
        for card in OF_ANSWERS.values()
        for name, kind, words in (
            (card.name, pa.float64(), card.what),
            (f"missing_{card.name}", pa.string(), f"Why {card.name} is missing."),
        )
    ]
)
"""The further columns."""
NOT_A_TEXT = Missing("answers only", "of this task answers are compared, not outputs")
NO_ANSWER = Missing("no answer", "neither prompt has one")
NO_CHOICES = Missing("no choices", "the task generates its answers")
ERASED = Missing("erased", "the edit does not reach the model")

NOT_PAIRS = ("no place",)
"""Status of what is no pair: nothing was edited."""


def edits_by_rung(edits: Iterable[EditOfTask]) -> dict[Rung, list[str]]:
    """Names of edits by their rung, and the prompt that is asked again on the rung identical.

    Example:
        >>> edits_by_rung([EditOfTask(name="nbsp", family="rules", rung="noop")])
        {'identical': ['identical'], 'noop': ['nbsp']}
    """
    found: dict[Rung, list[str]] = {"identical": [AGAIN]}
    for edit in edits:
        found.setdefault(edit.rung, []).append(edit.name)
    return found


def answers_table(task: str, rows: Sequence[AnswerRow], rung: Rung, edits: Sequence[str]) -> pa.Table:
    """The pairs of one rung.

    Args:
        task: the task that is wrapped; names the documents.
        rows: all documents under one filter.
        rung: of the edits.
        edits: names.

    Returns:
        Columns of `ROW_SCHEMA` and of `ANSWERS_SCHEMA`; every pair stands under both filters of the pairs table.
    """
    cells = [{**row, "filter": name} for row in _pairs(task, rows, rung, edits) for name in FILTERS]
    schema = pa.schema([*ROW_SCHEMA, *ANSWERS_SCHEMA])
    return pa.table(
        {field.name: pa.array([row.get(field.name) for row in cells], field.type) for field in schema},
        schema=schema,
    )


def _pairs(
    task: str, rows: Sequence[AnswerRow], rung: Rung, edits: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for edit in edits:
        for row in rows:
            found = row.edits.get(edit)
            if found is None or found.status in NOT_PAIRS:
                continue
            prompt = f"{task}/{row.doc_id}"
            yield {
                "rung": rung,
                "rung_index": RUNGS.index(rung),
                "edit": edit,
                "category": UNCATEGORIZED,
                "prompt_id": prompt,
                "pair_id": f"{prompt}/{edit}",
                "row_hash": hashlib.sha256(
                    f"{prompt}/{edit}/{found.text}".encode("utf-8", "replace")
                ).hexdigest(),
                "meaning_preserving": True,
                "audit_status": found.status if found.scored or edit == AGAIN else "erased",
                "repetitions": 1 if edit == AGAIN else None,
                "base_answer": row.unedited.answer,
                "variant_answer": found.answer,
                **_numbers(row, edit, found),
            }


def _numbers(row: AnswerRow, edit: str, found: Answered) -> dict[str, Any]:
    reasons: dict[str, Missing] = dict.fromkeys(METRICS, NOT_A_TEXT)
    values: dict[str, float] = {}
    flip, divergence = row.flip(edit), _divergence(row.unedited, found)
    if not found.scored and edit != AGAIN:
        reasons |= dict.fromkeys(OF_ANSWERS, Missing(ERASED.kind, f"{ERASED.detail} ({found.status})"))
    else:
        for name, value, reason in (
            (ANSWER_FLIP, None if flip is None else float(flip), NO_ANSWER),
            (CHOICE_DIVERGENCE, divergence, NO_CHOICES),
        ):
            if value is None:
                reasons[name] = reason
            else:
                values[name] = value
    return {**values, **{f"missing_{name}": str(reason) for name, reason in reasons.items()}}


def _divergence(first: Answered, second: Answered) -> float | None:
    """Jensen-Shannon divergence of two shares of choices, in nats."""
    p, q = first.choice_probabilities, second.choice_probabilities
    if p is None or q is None or len(p) != len(q):
        return None
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    halves = (
        math.fsum(a * math.log(a / m) for a, m in zip(each, middle, strict=True) if a > 0) for each in (p, q)
    )
    return min(max(sum(halves) / 2, 0.0), math.log(2))
