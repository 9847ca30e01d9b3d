"""Cells of the pairs table from sample rows: the harness makes them while it measures, the reader from files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.metrics import METRICS, measured_under
from lm_eval_sensitivity.metrics.catalogue import MetricCard, is_distance
from lm_eval_sensitivity.records.columns import DRIFTS, FLAGS, ROW_SCHEMA, SIDES, WHOLE_OUTPUT_METRICS
from lm_eval_sensitivity.records.sample import (
    PairRecord,
    SampleRow,
    SideRecord,
    WholePairRecord,
    WholeSideRecord,
)
from lm_eval_sensitivity.types import FORBIDDING, Missing, Pair

WHOLE_OUTPUT_ONLY = "whole output: this number stands in the row of filter raw"
NO_REFERENCE = "no reference: the run had no reference to measure drift from"
NO_VARIANTS = "not recorded: the run is of a version that measured drift on base prompts only"
NOT_MEASURED = "not measured: this run does not hold it; it was made by a version without it"

STATE_NUMBERS = (
    "flip_floor_nats",
    "top1_probability_variant",
    "margin_min_variant",
    "margin_at_divergence",
    "margin_at_divergence_variant",
)
"""Numbers of a prompt end or of margins that are no metrics; none is below 0."""

_PAIR_CELLS = (
    "rung",
    "rung_index",
    "edit",
    "category",
    "prompt_id",
    "pair_id",
    "meaning_preserving",
)


_WHOLE_OUTPUT_CELLS = tuple(
    f"{side}_{column}"
    for side in SIDES
    for column in (*FLAGS, "scaffold_status", "scaffold", "finish_reason")
)
_ANSWER_CELLS = tuple(f"{side}_answer_start" for side in SIDES)


def cells_of(row: SampleRow, pair: Pair) -> dict[str, Any]:
    """The cells of one row that it says by itself; what only the other filter's row says is missing.

    Args:
        row: a measured pair under a filter.
        pair: the ladder's row that its `doc` holds.

    Returns:
        Cells by column of `ROW_SCHEMA`.
    """
    record = row.pair
    cells = {
        **{column: getattr(pair, column) for column in _PAIR_CELLS},
        "row_hash": row.doc["row_hash"],
        "filter": row.filter,
        **{f"audit_{name}": value for name, value in asdict(record.audit).items()},
        "repetitions": max(1, len(record.repetitions)) if pair.rung == "identical" else None,
        **_metric_cells(record, row.filter, record.scores or {}),
        **_state_cells(record),
    }
    for side, text in zip(SIDES, row.filtered_resps, strict=True):
        cells |= _side_cells(getattr(record, side), side, text)
    return cells


def table_of(rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> pa.Table:
    """A table of `ROW_SCHEMA`.

    Args:
        rows: [pair] cells under the filters raw and answer.

    Returns:
        [pair and filter] rows, raw before answer.
    """
    cells = []
    for raw, answer in rows:
        # Each row says nothing about what belongs to the other filter, and the table has it in both.
        shared = {column: raw[column] for column in _WHOLE_OUTPUT_CELLS}
        starts = {column: answer[column] for column in _ANSWER_CELLS}
        cells += [{**raw, **starts}, {**answer, **shared}]
    return pa.table(
        {
            name: pa.array([row[name] for row in cells], ROW_SCHEMA.field(name).type)
            for name in ROW_SCHEMA.names
        },
        schema=ROW_SCHEMA,
    )


def _metric_cells(record: PairRecord, filter_name: str, scores: Mapping[str, float | None]) -> dict[str, Any]:
    """A number or a reason for every metric of the catalogue."""
    values: dict[str, float | None] = dict(scores)
    reasons = dict(record.missing)
    path, blocked = record.token_path, _blocked(record)
    if blocked is not None or path is None:
        # A null path stands where the distance has no ids to read, for the reason given there.
        fallback = "no answer: one side has nothing to compare"
        reasons["first_divergence"] = blocked or record.missing.get("token_edit_distance", fallback)
    else:
        step = path.first_divergence
        values["first_divergence"] = None if step is None else float(step)
        reasons["first_divergence"] = (
            "censored: the outputs are equal up to a token limit"
            if path.censored
            else "equal: the outputs do not part"
        )
    if isinstance(record, WholePairRecord):
        _whole_output_metrics(record, values, reasons, blocked)
    else:
        reasons |= dict.fromkeys(WHOLE_OUTPUT_METRICS, WHOLE_OUTPUT_ONLY)
    for card in measured_under(filter_name):
        if card.name not in DRIFTS and card.name not in scores:
            reasons.setdefault(card.name, NOT_MEASURED)
    for name in DRIFTS:  # a rescored run says why it lost what it had
        reasons.setdefault(name, NO_VARIANTS if DRIFTS[0] in scores else NO_REFERENCE)
    cells: dict[str, Any] = {}
    for name in METRICS:
        value = values.get(name)
        cells[name] = value
        cells[f"missing_{name}"] = reasons[name] if value is None else None
    known = blocked is None and path is not None
    cells["first_divergence_censored"] = path.censored if known and path is not None else None
    return cells


def _blocked(record: PairRecord) -> str | None:
    """Why no distance of the pair may be taken, or None."""
    reason = record.missing.get("token_edit_distance", "")
    return reason if Missing.from_text(reason).kind in FORBIDDING else None


def _whole_output_metrics(
    record: WholePairRecord, values: dict[str, float | None], reasons: dict[str, str], blocked: str | None
) -> None:
    """Numbers that stand beside `pair.scores`, in rows of filter raw."""
    for name in WHOLE_OUTPUT_METRICS:
        card = METRICS[name]
        if not card.recorded_in:
            continue
        holder, value = recorded(record, card)
        if record.repetitions and is_distance(name):
            value = _mean(each.get(name) for each in record.repetitions)
        if value is None:
            undefined = "not finite: the value is infinite or undefined"
            parent = "hidden_distance" if card.family == "states" else "js_divergence"
            reasons[name] = reasons.get(parent, "not recorded" if holder is None else undefined)
        elif is_distance(name) and blocked is not None:
            reasons[name] = blocked
        else:
            values[name] = value


def recorded_distances(record: PairRecord) -> dict[str, float | None]:
    """The distances that a record holds beside its scores, None where missing; none under the filter answer."""
    if not isinstance(record, WholePairRecord):
        return {}
    cards = (card for card in METRICS.values() if card.recorded_in and is_distance(card.name))
    return {card.name: recorded(record, card)[1] for card in cards}


def recorded(record: PairRecord, card: MetricCard) -> tuple[Any, float | None]:
    """Of a metric that stands beside the scores, what holds it, None where that was not recorded, and its number."""
    *parts, field = card.recorded_in.split(".")
    holder: Any = record
    for part in parts:
        holder = None if holder is None else getattr(holder, part)
    return holder, None if holder is None else getattr(holder, field)


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return math.fsum(there) / len(there) if there else None


def _state_cells(record: PairRecord) -> dict[str, Any]:
    """What belongs to a prompt end or to margins and is no distance."""
    whole = record if isinstance(record, WholePairRecord) else None
    end, margins = (whole.prompt_end, whole.margins) if whole is not None else (None, None)
    numbers = {
        "flip_floor_nats": end and end.flip_floor_nats,
        "top1_probability_variant": end and end.top1_probability_variant,
        "margin_min_variant": margins and margins.variant.margin_min,
        "margin_at_divergence": margins and margins.at_divergence.base,
        "margin_at_divergence_variant": margins and margins.at_divergence.variant,
    }
    return {"top1_flipped": end and end.flipped, **numbers}


def _side_cells(side: SideRecord, name: str, text: str) -> dict[str, Any]:
    cells: dict[str, Any] = {
        f"{name}_finite": side.finite,
        f"{name}_n_characters": None if side.view is None else len(text),
    }
    if not isinstance(side, WholeSideRecord):
        start = None if side.view is None else side.view.token_start
        end = None if side.view is None else side.view.token_end
        known = start is not None and end is not None
        cells[f"{name}_n_tokens"] = end - start if start is not None and end is not None else None
        return {**cells, f"{name}_answer_start": start if known else None}
    answer, reason = side.answer, side.finish_reason
    cells |= {f"{name}_{flag}": getattr(side.collapse, flag) for flag in FLAGS}
    cells[f"{name}_scaffold_status"] = None if answer is None else answer.status
    cells[f"{name}_scaffold"] = None if answer is None else answer.scaffold
    cells[f"{name}_finish_reason"] = reason
    # The end token is generated, and says nothing.
    cells[f"{name}_n_tokens"] = None if side.n_tokens is None else side.n_tokens - (reason == "end_token")
    return cells
