"""One line of a samples file, checked against its results file and in itself, as a row of the pairs table."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from lm_eval_sensitivity.ladder.schema import check_columns, pair_from_row
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.codec import absent, contradiction, refused
from lm_eval_sensitivity.records.columns import (
    DRIFT,
    FLAGS,
    RAW_SCORES,
    SIDES,
    VIEW_SCORES,
    WHOLE_OUTPUT_METRICS,
)
from lm_eval_sensitivity.records.run_metadata import RunMetadata
from lm_eval_sensitivity.records.sample import (
    LONGEST_NAME,
    SCHEMA_VERSION,
    PairRecord,
    SampleRow,
    SideRecord,
    TokenPath,
    WholePairRecord,
    WholeRow,
    WholeSideRecord,
)
from lm_eval_sensitivity.types import Missing, Pair

WHOLE_OUTPUT_ONLY = "whole output: this number stands in the row of filter raw"
NO_REFERENCE = "no reference: the run had no reference to measure drift from"

_BOUNDS = {"ln 2": math.log(2), "inf": math.inf, "shorter length": math.inf}
_ROUNDING = 1e-6


@dataclass(frozen=True)
class CheckedRow:
    """One checked line; outputs and arrays are dropped, or long runs would not fit in memory."""

    place: str
    """File and line; opens every later message."""
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


def check_row(row: SampleRow, line: Mapping[str, Any], place: str, metadata: RunMetadata) -> CheckedRow:
    """Check one line of a samples file.

    Args:
        row: the line as a record.
        line: the same as it was parsed; metrics stand at its top level.
        place: file and line; opens every message.
        metadata: what the results file says about its task.

    Returns:
        What the table keeps of it.

    Raises:
        InputError: naming file, line and field.
    """
    check_columns(list(row.doc), f"{place}: `doc`")
    pair = pair_from_row(dict(row.doc), f"{place}: `doc`")
    record = row.pair
    _check_identity(row, pair, metadata, place)
    _check_audit(record, pair, place)
    scores = _scores(record, row.filter, metadata, place)
    _check_texts(row, place)
    cells = {
        **{column: getattr(pair, column) for column in _PAIR_CELLS},
        "row_hash": row.doc["row_hash"],
        "filter": row.filter,
        **{f"audit_{name}": value for name, value in asdict(record.audit).items()},
        **_metric_cells(record, row.filter, scores, place),
        **_state_cells(record, place),
    }
    for side, text in zip(SIDES, row.filtered_resps, strict=True):
        one: SideRecord = getattr(record, side)
        cells |= _side_cells(one, side, f"{place}: `pair.{side}`")
        cells[f"{side}_n_characters"] = None if one.view is None else len(text)
    return CheckedRow(
        place=place,
        doc_id=row.doc_id,
        filter_name=row.filter,
        pair=pair,
        row_hash=row.doc["row_hash"],
        texts=(_digest(row.outputs[0]), _digest(row.outputs[1])),
        cells=cells,
        reported=_reported(line, scores, place),
        unknown=frozenset(record.scores or {}) - set(METRICS),
    )


_PAIR_CELLS = (
    "rung",
    "rung_index",
    "edit",
    "category",
    "prompt_id",
    "pair_id",
    "meaning_preserving",
)


def _check_identity(row: SampleRow, pair: Pair, metadata: RunMetadata, place: str) -> None:
    """The row says by itself which system and ladder it belongs to; both must be those of the results."""
    record = row.pair
    if record.schema_version != SCHEMA_VERSION:
        accepted = f"{SCHEMA_VERSION}; a newer version of this package may read it"
        raise refused(place, "pair.schema_version", record.schema_version, accepted)
    for name, value, expected, what in (
        ("pair.system", record.system, metadata.system, "system"),
        ("pair.ladder", record.ladder, metadata.ladder.hash[:16], "ladder hash"),
        ("doc.ladder_version", pair.ladder_version, metadata.ladder.version, "ladder version"),
        ("doc.rung", pair.rung, metadata.rung, "rung"),
    ):
        if value != expected:
            raise contradiction(place, name, value, f"the results file says {what} {expected!r}")


def _check_audit(record: PairRecord, pair: Pair, place: str) -> None:
    status = record.audit.status
    if status == ("erased" if pair.rung == "identical" else "identical"):
        raise contradiction(place, "pair.audit.status", status, f"the pair is of rung {pair.rung!r}")


def _check_texts(row: SampleRow, place: str) -> None:
    if not isinstance(row, WholeRow):
        return
    if row.filtered_resps != row.outputs:
        other = "filter raw shows the outputs of `resps`, and these are others"
        raise contradiction(place, "filtered_resps", row.filtered_resps, other)
    for side, text in zip(SIDES, row.outputs, strict=True):
        _check_token_ends(getattr(row.pair, side), text, place, f"pair.{side}.token_ends")


# ---- numbers


def _scores(
    record: PairRecord, filter_name: str, metadata: RunMetadata, place: str
) -> dict[str, float | None]:
    """The recorded scores; every one that is null has a reason."""
    names = RAW_SCORES if filter_name == "raw" else VIEW_SCORES
    names = (*names, DRIFT) if metadata.reference is not None else names
    scores: dict[str, float | None] = {}
    for name in names:
        if record.scores is None or name not in record.scores:
            raise absent(place, f"pair.scores.{name}")
        value, reason = record.scores[name], record.missing.get(name)
        field = f"pair.scores.{name}"
        if value is not None:
            _in_range(name, value, place, field)
        if value is None and reason is None:
            raise contradiction(place, field, None, "`pair.missing` gives no reason for it")
        if value is not None and reason is not None:
            raise contradiction(place, f"pair.missing.{name}", reason, f"`{field}` is a number")
        if value is not None and record.audit.status == "erased" and name != DRIFT:
            raise contradiction(place, field, value, "the edit was erased, so that there is nothing to score")
        scores[name] = value
    return scores


def _in_range(metric: str, value: float, place: str, field: str) -> None:
    low, high = metric_range(metric)
    if not low - _ROUNDING <= value <= high + _ROUNDING:
        upper = "" if math.isinf(high) else f" to {high:g}"
        raise refused(place, field, value, f"a finite number from {low:g}{upper}")


def metric_range(metric: str) -> tuple[float, float]:
    """Smallest and largest value, from the metric's card.

    Example:
        >>> metric_range("cosine_distance"), metric_range("first_divergence")
        ((0.0, 2.0), (0.0, inf))
    """
    low, high = METRICS[metric].range.strip("[]()").split(", ")
    return float(low), _BOUNDS[high] if high in _BOUNDS else float(high)


def _reported(line: Mapping[str, Any], scores: Mapping[str, float | None], place: str) -> dict[str, float]:
    """Metrics at the top level; they are the scores, with NaN instead of null."""
    reported: dict[str, float] = {}
    for name, score in scores.items():
        if name not in line:
            if name != DRIFT and not name.startswith("cosine_distance_"):
                raise absent(place, name)
            continue  # a window longer than the token limit is in the scores only
        value = line[name]
        is_nan = isinstance(value, float) and math.isnan(value)
        if type(value) not in (int, float) or (None if is_nan else value) != score:
            other = f"`pair.scores.{name}` is {'null' if score is None else score!r}"
            raise contradiction(place, name, value, other)
        reported[name] = math.nan if score is None else score
    return reported


def _metric_cells(
    record: PairRecord, filter_name: str, scores: Mapping[str, float | None], place: str
) -> dict[str, Any]:
    """A number or a reason for every metric of the catalogue."""
    values: dict[str, float | None] = dict(scores)
    reasons = dict(record.missing)
    path, blocked = record.token_path, _blocked(record)
    if path is not None:
        _check_curve(path, scores["token_edit_distance"], place)
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
        _whole_output_metrics(record, values, reasons, blocked, place)
    else:
        reasons |= dict.fromkeys(WHOLE_OUTPUT_METRICS, WHOLE_OUTPUT_ONLY)
    if DRIFT not in scores:
        reasons.setdefault(DRIFT, NO_REFERENCE)  # a rescored run says why it lost what it had
    cells: dict[str, Any] = {}
    for name in METRICS:
        value = values.get(name)
        cells[name] = value
        cells[f"missing_{name}"] = reasons[name] if value is None else None
    known = blocked is None and path is not None
    cells["first_divergence_censored"] = path.censored if known and path is not None else None
    return cells


def _blocked(record: PairRecord) -> str | None:
    """Why no distance of the pair may be taken, or None. These two kinds forbid every comparison."""
    reason = record.missing.get("token_edit_distance", "")
    return reason if Missing.from_text(reason).kind in ("erased", "not finite") else None


def _check_curve(path: TokenPath, distance: float | None, place: str) -> None:
    field = "pair.token_path.curve"
    curve = path.curve.unpacked(place, field)
    found = curve[-1] / len(curve) if len(curve) else 0.0
    if distance is not None and not math.isclose(found, distance, abs_tol=_ROUNDING):
        other = f"its end gives a token_edit_distance of {found:.6f}, and `pair.scores` says {distance:.6f}"
        raise contradiction(place, field, {"n": path.curve.n}, other)


def _whole_output_metrics(
    record: WholePairRecord,
    values: dict[str, float | None],
    reasons: dict[str, str],
    blocked: str | None,
    place: str,
) -> None:
    """Numbers that stand beside `pair.scores`, in rows of filter raw."""
    end, margins = record.prompt_end, record.margins
    found = {
        "kl_forward": (end, None if end is None else end.kl_forward),
        "kl_backward": (end, None if end is None else end.kl_backward),
        "prompt_end_hidden_distance": (record, record.prompt_end_hidden_distance),
        "top1_probability": (end, None if end is None else end.top1_probability_base),
        "margin_min": (margins, None if margins is None else margins.base.margin_min),
    }
    for name, (part, value) in found.items():
        distance = name not in ("top1_probability", "margin_min")
        parent = "hidden_distance" if name == "prompt_end_hidden_distance" else "js_divergence"
        if part is None or value is None:
            undefined = "not finite: the value is infinite or undefined"
            reasons[name] = reasons.get(parent, "not recorded" if part is None else undefined)
        elif distance and blocked is not None:
            reasons[name] = blocked
        else:
            _in_range(name, value, place, f"`pair`, {name}")
            values[name] = value


def _state_cells(record: PairRecord, place: str) -> dict[str, Any]:
    """What belongs to a prompt end or to margins and is no distance."""
    whole = record if isinstance(record, WholePairRecord) else None
    end, margins = (whole.prompt_end, whole.margins) if whole is not None else (None, None)
    cells: dict[str, Any] = {
        "flip_floor_nats": end and end.flip_floor_nats,
        "top1_probability_variant": end and end.top1_probability_variant,
        "margin_min_variant": margins and margins.variant.margin_min,
        "margin_at_divergence": margins and margins.at_divergence.base,
        "margin_at_divergence_variant": margins and margins.at_divergence.variant,
    }
    for name, value in cells.items():
        if value is not None and value < -_ROUNDING:
            raise refused(place, f"`pair`, {name}", value, "a finite number from 0")
    return {"top1_flipped": end and end.flipped, **cells}


# ---- both sides


def _side_cells(side: SideRecord, name: str, place: str) -> dict[str, Any]:
    cells: dict[str, Any] = {f"{name}_finite": side.finite}
    if not isinstance(side, WholeSideRecord):
        start = None if side.view is None else side.view.token_start
        end = None if side.view is None else side.view.token_end
        known = start is not None and end is not None
        cells[f"{name}_n_tokens"] = end - start if start is not None and end is not None else None
        return {**cells, f"{name}_answer_start": start if known else None}
    answer, reason = side.answer, side.finish_reason
    scaffold = None if answer is None else answer.scaffold
    if scaffold is not None and (
        not scaffold.strip() or len(scaffold) > LONGEST_NAME or "\ufffd" in scaffold
    ):
        raise refused(place, "answer.scaffold", scaffold, f"a name of 1 to {LONGEST_NAME} characters")
    cells |= {f"{name}_{flag}": getattr(side.collapse, flag) for flag in FLAGS}
    cells[f"{name}_scaffold_status"] = None if answer is None else answer.status
    cells[f"{name}_scaffold"] = scaffold
    cells[f"{name}_finish_reason"] = reason
    # The end token is generated, and says nothing.
    cells[f"{name}_n_tokens"] = None if side.n_tokens is None else side.n_tokens - (reason == "end_token")
    return cells


def _check_token_ends(side: WholeSideRecord, text: str, place: str, field: str) -> None:
    """Offsets never fall and stay in the visible text; samples of earlier versions have none."""
    if side.token_ends is None:
        return
    length = len(text if side.visible_text is None else side.visible_text)
    found = side.token_ends.unpacked(place, field).tolist()
    in_order = all(first <= second for first, second in pairwise([0, *found, length]))
    if not in_order or len(found) != side.n_tokens or side.token_ends.dtype != "<i4":
        accepted = f"{side.n_tokens} whole numbers that never fall, from 0 to {length}, one per token"
        raise refused(place, field, {"n": len(found)}, accepted)


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
