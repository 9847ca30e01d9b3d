"""The lines of a samples file, scored again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.harness.close.table_rows import (
    window_item,
)
from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, given
from lm_eval_sensitivity.harness.measure.pair import (
    Scores,
    measure_pair,
    output_spreads,
    reference_texts,
    texts_to_embed,
)
from lm_eval_sensitivity.harness.measure.records import make_record
from lm_eval_sensitivity.harness.recorded import RecordedPair, prompt_tails
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.columns import DRIFTS, FILTERS
from lm_eval_sensitivity.records.sample import (
    PairRecord,
    SampleRow,
    WholePairRecord,
    WholeRow,
    WholeSideRecord,
)
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.runs.rung_samples import RungSamples, sample_rows
from lm_eval_sensitivity.types import Missing

NOT_RESCORED = "not rescored: drift was measured with another embedder, and the reference run was not given"
NO_BOUNDARIES = "no tokens: where they end in this answer is known to the model's tokenizer alone"

Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """With what a run is scored again."""

    distances: TextDistances
    rule: str | None = None
    """Of `recorded.RULES`; None keeps the answers of the run."""
    reference: ReferenceRun | None = None


def rescored_rows(rung: RungSamples, settings: Settings) -> list[Row]:
    """The lines of a samples file with new scores, in their order.

    Args:
        rung: read and checked.
        settings: embedder, rule for answers, reference.

    Returns:
        [line] as lm_eval would have written it.

    Raises:
        InputError: a field that the pairs table does not need breaks a rule.
    """
    rows = list(sample_rows(rung.samples))
    answers = {row.doc_id: row for row, _, _ in rows if row.filter == "answer"}
    pairs = {
        row.doc_id: RecordedPair(row, answers[row.doc_id], prompt_tails(line), place).generations(
            rung.metadata.decoding, settings.rule
        )
        for row, line, place in rows
        if isinstance(row, WholeRow)
    }
    shown = (FilteredText(side, name) for pair in pairs.values() for name in FILTERS for side in pair)
    theirs = settings.reference
    reference = [] if theirs is None else reference_texts((row.doc for row, _, _ in rows), theirs)
    settings.distances.prepare([*texts_to_embed(shown), *reference])
    prompts = {row.doc_id: row.doc["prompt_id"] for row, _, _ in rows}
    spreads = {
        name: output_spreads(
            {prompts[doc_id]: FilteredText(base, name) for doc_id, (base, _) in pairs.items()},
            settings.distances,
        )
        for name in FILTERS
    }
    return [
        _rescored_row(line, row, pairs[row.doc_id], settings, spreads[row.filter][prompts[row.doc_id]])
        for row, line, _ in rows
    ]


def _rescored_row(
    line: Row,
    row: SampleRow,
    pair: tuple[Generation, Generation],
    settings: Settings,
    spread: float | Missing,
) -> Row:
    base, variant = (FilteredText(generation, row.filter) for generation in pair)
    record, new_line = row.pair, dict(line)
    if settings.rule is not None and row.filter == "answer":
        scores = measure_pair(row.doc, base, variant, settings.distances, settings.reference, spread)
        if all(generation.trace is not None for generation in pair):
            for metric, reason in scores.missing.items():
                unknown = reason == str(given(None, "token ids"))
                scores.missing[metric] = NO_BOUNDARIES if unknown else reason
        record = replace(
            make_record(base, variant, None, {}, system=record.system, ladder=record.ladder),
            scores=record.scores,
            missing=record.missing,
        )
        new_line["filtered_resps"] = [str(base), str(variant)]
    else:
        scores = measure_pair(
            row.doc, base, variant, settings.distances, settings.reference, spread, ("text",)
        )
        if settings.rule is not None and isinstance(record, WholePairRecord):
            record = replace(
                record, base=_with_span(record.base, pair[0]), variant=_with_span(record.variant, pair[1])
            )
    if settings.rule is not None and "window" in line:
        new_line["window"] = window_item(base, variant, scores.missing)
    for name in DRIFTS if settings.reference is None else ():
        if name in (record.scores or {}):
            scores.values[name], scores.missing[name] = math.nan, NOT_RESCORED
    record = _with_scores(record, scores)
    # What a later version may have written beside it stays; further repetitions, whose texts are not kept, go.
    new_line["pair"] = {**line["pair"], **encode(record)}
    new_line["pair"].pop("repetitions", None)
    _enter_numbers(new_line, scores)
    return new_line


def _with_span(side: WholeSideRecord, generation: Generation) -> WholeSideRecord:
    """One side with its new answer span, and the flag that follows from it."""
    if generation.answer is None:
        return side
    span = generation.answer.span
    return replace(side, answer=span, collapse=replace(side.collapse, unclosed=span.status == "unclosed"))


def _with_scores(record: PairRecord, scores: Scores) -> PairRecord:
    """New numbers and reasons in the places of the old ones; reasons in the order of the numbers."""
    numbers = {**(record.scores or {}), **scores.values}
    kept = {name: reason for name, reason in record.missing.items() if name not in scores.values}
    reasons = {**kept, **scores.missing}
    first = {name: reasons[name] for name in numbers if name in reasons}
    return replace(record, scores=numbers, missing={**first, **reasons})


def _enter_numbers(line: Row, scores: Scores) -> None:
    """The numbers at the top level, which lm_eval averaged."""
    for name, value in scores.values.items():
        if name in line:
            line[name] = value
        elif is_in_every_table(name):
            put(line, name, value, before="pair")
            line["metrics"] = [*(each for each in line["metrics"] if each != "pair"), name, "pair"]


def is_in_every_table(name: str) -> bool:
    """Whether lm_eval's table has a number today: an older run may lack it, and long windows stay out.

    Args:
        name: of a metric.

    Returns:
        False also for a window, which stands in the table only below the token limit.
    """
    card = METRICS[name]
    return card.in_table and card.family == "text" and card.window is None


def put(table: dict[str, Any], name: str, value: Any, *, before: str) -> None:
    """Set a value; a new name stands before another one.

    Example:
        >>> table = {"a": 1, "pair": 2}
        >>> put(table, "b", 3, before="pair"), table
        (None, {'a': 1, 'b': 3, 'pair': 2})
    """
    after = list(table)[list(table).index(before) :] if name not in table and before in table else []
    rest = {key: table.pop(key) for key in after}
    table.update({name: value, **rest})
