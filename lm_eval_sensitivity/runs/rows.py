"""One line of a samples file, checked field by field, as a row of the pairs table."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.ladder.schema import check_columns, pair_from_row
from lm_eval_sensitivity.metrics import METRICS, measured_under
from lm_eval_sensitivity.metrics.catalogue import belongs_to_prompt
from lm_eval_sensitivity.records.columns import (
    AUDIT_STATUSES,
    DRIFT,
    FILTERS,
    FINISH_REASONS,
    FLAGS,
    RAW_SCORES,
    SIDES,
    SPAN_STATUSES,
    VIEW_SCORES,
    WHOLE_OUTPUT_METRICS,
)
from lm_eval_sensitivity.records.fields import Field
from lm_eval_sensitivity.records.run_metadata import Stamp
from lm_eval_sensitivity.types import Pair

RECORD_VERSION = 1
"""`pair.schema_version` that this version reads."""

WHOLE_OUTPUT_ONLY = "whole output: this number stands in the row of filter raw"
NO_REFERENCE = "no reference: the run had no reference to measure drift from"
NOT_MEASURED = "not measured: this run was written by a version without it"

_ROUNDING = 1e-6


@dataclass(frozen=True)
class SampleRow:
    """One checked line."""

    line: Field
    """What later messages quote; outputs and arrays are dropped, or long runs would not fit in memory."""
    doc_id: int
    filter_name: str
    pair: Pair
    row_hash: str
    texts: tuple[str, str]
    """Digests of both outputs, by which rows of one pair are matched."""
    cells: Mapping[str, Any]
    """Cells of the pairs table by column; what only the other filter's row says is missing."""
    reported: Mapping[str, float]
    """Metrics at the top level of the line, which lm_eval averaged; NaN where missing."""
    unknown: frozenset[str]
    """Names in `pair.scores` that this version does not know."""


def read_row(line: Field, stamp: Stamp) -> SampleRow:
    """Check one line of a samples file.

    Args:
        line: the parsed line and its place.
        stamp: what the results file says about its task.

    Raises:
        InputError: naming file, line and field.
    """
    filter_name = line["filter"].one_of(FILTERS)
    doc = line["doc"].object()
    check_columns(list(doc), f"{line.place}: `doc`")
    pair = pair_from_row(doc, f"{line.place}: `doc`")
    _check_stamp(line, pair, stamp)
    record = line["pair"]
    scores, missing = _scores(line, filter_name, stamp)
    outputs = [each.list_of(1)[0].any_text() for each in line["resps"].list_of(2)]
    shown = [each.any_text() for each in line["filtered_resps"].list_of(2)]
    if filter_name == "raw" and shown != outputs:
        line["filtered_resps"].contradict("filter raw shows the outputs of `resps`, and these are others")
    if filter_name == "raw":
        for side, text in zip(SIDES, outputs, strict=True):
            _check_token_ends(record[side], text)
    cells = {
        **{column: getattr(pair, column) for column in _PAIR_CELLS},
        "row_hash": doc["row_hash"],
        "filter": filter_name,
        **_audit_cells(record["audit"], pair),
        **_metric_cells(record, filter_name, scores, missing),
        **_state_cells(record, filter_name),
    }
    for side, text in zip(SIDES, shown, strict=True):
        cells |= _side_cells(record[side], side, filter_name)
        cells[f"{side}_n_characters"] = None if record[side]["view"].is_null else len(text)
    return SampleRow(
        line=_without_arrays(line),
        doc_id=line["doc_id"].integer(),
        filter_name=filter_name,
        pair=pair,
        row_hash=doc["row_hash"],
        texts=(_digest(outputs[0]), _digest(outputs[1])),
        cells=cells,
        reported=_reported(line, scores),
        unknown=frozenset(record["scores"].object()) - set(METRICS),
    )


def _without_arrays(line: Field) -> Field:
    kept = {name: line.value[name] for name in ("doc_id", "filter")}
    doc = {name: line.value["doc"][name] for name in ("pair_id", "row_hash")}
    audit = {"audit": line.value["pair"]["audit"]}
    return Field({**kept, "doc": doc, "resps": [], "pair": audit}, line.place)


_PAIR_CELLS = (
    "rung",
    "rung_index",
    "edit",
    "category",
    "prompt_id",
    "pair_id",
    "meaning_preserving",
)


def _check_stamp(line: Field, pair: Pair, stamp: Stamp) -> None:
    """The row says by itself which system and ladder it belongs to; both must be those of the results."""
    record = line["pair"]
    if record["schema_version"].integer(1) != RECORD_VERSION:
        record["schema_version"].refuse(f"{RECORD_VERSION}; a newer version of this package may read it")
    for field, expected, what in (
        (record["system"], stamp.system, "the results file says system"),
        (record["ladder"], stamp.ladder.hash[:16], "the results file says ladder hash"),
        (line["doc"]["ladder_version"], stamp.ladder.version, "the results file says ladder version"),
        (line["doc"]["rung"], stamp.rung, "the results file says rung"),
    ):
        if field.text() != expected:
            field.contradict(f"{what} {expected!r}")


def _audit_cells(audit: Field, pair: Pair) -> dict[str, Any]:
    status = audit["status"].one_of(AUDIT_STATUSES)
    if (pair.rung == "identical" and status == "erased") or (
        pair.rung != "identical" and status == "identical"
    ):
        audit["status"].contradict(f"the pair is of rung {pair.rung!r}")
    position, change, inside = (
        audit[name] for name in ("first_difference", "length_change", "inside_user_text")
    )
    return {
        "audit_status": status,
        "audit_first_difference": None if position.is_null else position.integer(),
        "audit_length_change": None if change.is_null else change.integer(lowest=-(2**31)),
        "audit_inside_user_text": None if inside.is_null else inside.flag(),
    }


# ---- numbers


_IN_EVERY_VERSION = ("cosine_distance", "token_edit_distance", DRIFT)
"""Other metrics may be newer than the run."""


def _is_anywhere(name: str, line: Field) -> bool:
    """Whether a line says anything of a metric."""
    record = line["pair"]
    return any(name in each.object() for each in (line, record["scores"], record["missing"]))


def _scores(line: Field, filter_name: str, stamp: Stamp) -> tuple[dict[str, float | None], dict[str, str]]:
    """The recorded scores, and the reason of every score that is null."""
    record = line["pair"]
    names = RAW_SCORES if filter_name == "raw" else VIEW_SCORES
    names = (*names, DRIFT) if stamp.reference is not None else names
    scores: dict[str, float | None] = {}
    for name in names:
        if name not in _IN_EVERY_VERSION and not _is_anywhere(name, line):
            continue
        field = record["scores"][name]
        scores[name] = None if field.is_null else field.number(*metric_range(name), _ROUNDING)
    missing = {name: reason.text() for name, reason in record["missing"].items()}
    for name, value in scores.items():
        if value is None and name not in missing:
            record["scores"][name].contradict("`pair.missing` gives no reason for it")
        if value is not None and name in missing:
            record["missing"][name].contradict(f"`pair.scores.{name}` is a number")
    if record["audit"]["status"].value == "erased":
        for name, value in scores.items():
            if value is not None and not belongs_to_prompt(name):
                record["scores"][name].contradict("the edit was erased, so that there is nothing to score")
    return scores, missing


def metric_range(metric: str) -> tuple[float, float]:
    """Smallest and largest value, from the metric's card.

    Example:
        >>> metric_range("cosine_distance"), metric_range("first_divergence")
        ((0.0, 2.0), (0.0, inf))
    """
    return float(METRICS[metric].low), float(METRICS[metric].high)


def _reported(line: Field, scores: Mapping[str, float | None]) -> dict[str, float]:
    """Metrics at the top level; they are the scores, with NaN instead of null."""
    reported: dict[str, float] = {}
    for name, score in scores.items():
        field = line.get(name)
        if field is None:
            continue  # a window longer than the token limit is in the scores only
        is_nan = isinstance(field.value, float) and math.isnan(field.value)
        if (None if is_nan else field.number()) != score:
            field.contradict(f"`pair.scores.{name}` is {'null' if score is None else score!r}")
        reported[name] = math.nan if score is None else score
    for name in scores:
        if METRICS[name].in_table and name not in reported and METRICS[name].window is None:
            line[name]  # refuses: the column is missing
    return reported


def _metric_cells(
    record: Field, filter_name: str, scores: Mapping[str, float | None], missing: Mapping[str, str]
) -> dict[str, Any]:
    """A number or a reason for every metric of the catalogue."""
    values: dict[str, float | None] = dict(scores)
    reasons = dict(missing)
    path = record["token_path"]
    blocked = _blocked(missing)
    parted = _first_divergence(path, scores["token_edit_distance"])
    if blocked is not None or path.is_null:
        # A null path stands where the distance has no ids to read, for the reason given there.
        fallback = "no answer: one side has nothing to compare"
        reasons["first_divergence"] = blocked or missing.get("token_edit_distance", fallback)
    else:
        values["first_divergence"] = parted
        censored = path["censored"].flag()
        reasons["first_divergence"] = (
            "censored: the outputs are equal up to a token limit"
            if censored
            else "equal: the outputs do not part"
        )
    if filter_name == "raw":
        _whole_output_metrics(record, values, reasons, blocked)
    else:
        reasons |= dict.fromkeys(WHOLE_OUTPUT_METRICS, WHOLE_OUTPUT_ONLY)
    if DRIFT not in scores:
        reasons.setdefault(DRIFT, NO_REFERENCE)  # a rescored run says why it lost what it had
    for card in measured_under(filter_name):
        if card.name not in scores:
            reasons.setdefault(card.name, NOT_MEASURED)
    cells: dict[str, Any] = {}
    for name in METRICS:
        value = values.get(name)
        cells[name] = value
        cells[f"missing_{name}"] = reasons[name] if value is None else None
    cells["first_divergence_censored"] = (
        None if blocked is not None or path.is_null else path["censored"].flag()
    )
    return cells


def _blocked(missing: Mapping[str, str]) -> str | None:
    """Why no distance of the pair may be taken, or None. These two kinds forbid every comparison."""
    reason = missing.get("token_edit_distance", "")
    return reason if reason.split(":", 1)[0] in ("erased", "not finite") else None


def _first_divergence(path: Field, distance: float | None) -> float | None:
    if path.is_null:
        return None
    curve = path["curve"].packed()
    if distance is not None:
        found = curve[-1] / len(curve) if curve else 0.0
        if not math.isclose(found, distance, abs_tol=_ROUNDING):
            path["curve"].contradict(
                f"its end gives a token_edit_distance of {found:.6f}, and `pair.scores` says {distance:.6f}"
            )
    step = path["first_divergence"]
    return None if step.is_null else float(step.integer())


def _whole_output_metrics(
    record: Field, values: dict[str, float | None], reasons: dict[str, str], blocked: str | None
) -> None:
    """Numbers that stand beside `pair.scores`, in rows of filter raw."""
    end, margins = record["prompt_end"], record["margins"]
    found = {
        "kl_forward": None if end.is_null else end["kl_forward"],
        "kl_backward": None if end.is_null else end["kl_backward"],
        "prompt_end_hidden_distance": record["prompt_end_hidden_distance"],
        "top1_probability": None if end.is_null else end["top1_probability_base"],
        "margin_min": None if margins.is_null else margins["base"]["margin_min"],
    }
    for name, field in found.items():
        distance = name not in ("top1_probability", "margin_min")
        parent = "hidden_distance" if name == "prompt_end_hidden_distance" else "js_divergence"
        if field is None or field.is_null:
            undefined = "not finite: the value is infinite or undefined"
            reasons[name] = reasons.get(parent, "not recorded" if field is None else undefined)
        elif distance and blocked is not None:
            reasons[name] = blocked
        else:
            values[name] = field.number(*metric_range(name), _ROUNDING)


def _state_cells(record: Field, filter_name: str) -> dict[str, Any]:
    """What belongs to a prompt end or to margins and is no distance."""
    cells: dict[str, Any] = dict.fromkeys(
        (
            "top1_flipped",
            "flip_floor_nats",
            "top1_probability_variant",
            "margin_min_variant",
            "margin_at_divergence",
            "margin_at_divergence_variant",
        )
    )
    if filter_name != "raw":
        return cells
    end, margins = record["prompt_end"], record["margins"]
    if not end.is_null:
        cells["top1_flipped"] = end["flipped"].flag()
        cells["flip_floor_nats"] = _number_or_none(end["flip_floor_nats"])
        cells["top1_probability_variant"] = _number_or_none(end["top1_probability_variant"])
    if not margins.is_null:
        cells["margin_min_variant"] = _number_or_none(margins["variant"]["margin_min"])
        cells["margin_at_divergence"] = _number_or_none(margins["at_divergence"]["base"])
        cells["margin_at_divergence_variant"] = _number_or_none(margins["at_divergence"]["variant"])
    return cells


def _number_or_none(field: Field) -> float | None:
    return None if field.is_null else field.number(0, rounding=_ROUNDING)


# ---- both sides


def _side_cells(side: Field, name: str, filter_name: str) -> dict[str, Any]:
    cells: dict[str, Any] = {f"{name}_finite": side["finite"].flag()}
    if not side["view"].is_null:
        side["view"]["window_ends"].object()
    if filter_name == "answer":
        cells |= {f"{name}_{column}": count for column, count in _answer_tokens(side["view"]).items()}
        return cells
    collapse, answer = side["collapse"], side["answer"]
    cells |= {f"{name}_{flag}": collapse[flag].flag() for flag in FLAGS}
    cells[f"{name}_scaffold_status"] = None if answer.is_null else answer["status"].one_of(SPAN_STATUSES)
    scaffold = None if answer.is_null or answer["scaffold"].is_null else answer["scaffold"].text()
    cells[f"{name}_scaffold"] = scaffold
    reason, n_tokens = side.get("finish_reason"), side.get("n_tokens")
    cells[f"{name}_finish_reason"] = None if reason is None else reason.one_of(FINISH_REASONS)
    if n_tokens is None:
        cells[f"{name}_n_tokens"] = None
    else:
        # The end token is generated, and says nothing.
        cells[f"{name}_n_tokens"] = n_tokens.integer() - (cells[f"{name}_finish_reason"] == "end_token")
    return cells


def _check_token_ends(side: Field, text: str) -> None:
    """Offsets never fall and stay in the visible text; samples of earlier versions have none."""
    ends = side.get("token_ends")
    if ends is None or ends.is_null:
        return
    shown = side["visible_text"]
    length = len(text if shown.is_null else shown.any_text())
    found, n_tokens = ends.packed(), side["n_tokens"].integer()
    in_order = all(first <= second for first, second in zip([0, *found], [*found, length], strict=True))
    if not in_order or len(found) != n_tokens or ends["dtype"].value != "<i4":
        ends.refuse(f"{n_tokens} whole numbers that never fall, from 0 to {length}, one per token")


def _answer_tokens(view: Field) -> dict[str, int | None]:
    if view.is_null or view["token_end"].is_null:
        return {"n_tokens": None, "answer_start": None}
    start = view["token_start"].integer()
    return {"n_tokens": view["token_end"].integer() - start, "answer_start": start}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def row_digest(row: Mapping[str, Any]) -> str:
    """A digest of what a line says about its pair, whatever lm_eval wrote beside it.

    Example:
        >>> row_digest({"resps": [["a"], ["b"]], "doc_id": 1}) == row_digest({"doc_id": 1, "resps": [["a"], ["b"]]})
        True
    """
    kept = {name: row.get(name) for name in ("doc_id", "filter", "doc", "resps", "filtered_resps", "pair")}
    return _digest(json.dumps(kept, sort_keys=True))
