"""One line of a samples file, checked against its results file and in itself, as a row of the pairs table."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lm_eval_sensitivity.ladder.schema import check_columns, pair_from_row
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.codec import absent, contradiction, refused
from lm_eval_sensitivity.records.columns import (
    DRIFT,
    DRIFTS,
    RAW_SCORES,
    SIDES,
    VIEW_SCORES,
    WHOLE_OUTPUT_METRICS,
)
from lm_eval_sensitivity.records.run_metadata import RunMetadata
from lm_eval_sensitivity.records.sample import (
    HALF,
    LONGEST_NAME,
    SCHEMA_VERSION,
    PairRecord,
    SampleRow,
    TokenPath,
    WholeRow,
    WholeSideRecord,
)
from lm_eval_sensitivity.runs.table import STATE_NUMBERS, cells_of
from lm_eval_sensitivity.types import Pair

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
    _check_identity(row, pair, metadata, place)
    _check_audit(row.pair, pair, place)
    scores = _scores(row.pair, line, metadata, place)
    _check_whole(row, place)
    if row.pair.token_path is not None:
        _check_curve(row.pair.token_path, scores["token_edit_distance"], place)
    cells = cells_of(row, pair)
    for name in WHOLE_OUTPUT_METRICS:
        if cells[name] is not None:
            _in_range(name, cells[name], place, f"`pair`, {name}")
    for name in STATE_NUMBERS:
        if (value := cells[name]) is not None and value < -_ROUNDING:
            raise refused(place, f"pair, {name}", value, "a finite number from 0")
    return CheckedRow(
        place=place,
        doc_id=row.doc_id,
        filter_name=row.filter,
        pair=pair,
        row_hash=row.doc["row_hash"],
        texts=(_digest(row.outputs[0]), _digest(row.outputs[1])),
        cells=cells,
        reported=_reported(line, scores, place),
        unknown=frozenset(row.pair.scores or {}) - set(METRICS),
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


def _check_whole(row: SampleRow, place: str) -> None:
    """What only a row of filter raw says."""
    if not isinstance(row, WholeRow):
        return
    if row.filtered_resps != row.outputs:
        other = "filter raw shows the outputs of `resps`, and these are others"
        raise contradiction(place, "filtered_resps", row.filtered_resps, other)
    for name, text in zip(SIDES, row.outputs, strict=True):
        side: WholeSideRecord = getattr(row.pair, name)
        _check_token_ends(side, text, place, f"pair.{name}.token_ends")
        scaffold = None if side.answer is None else side.answer.scaffold
        if scaffold is not None and (
            not scaffold.strip() or len(scaffold) > LONGEST_NAME or HALF in scaffold
        ):
            accepted = f"a name of 1 to {LONGEST_NAME} characters"
            raise refused(place, f"pair.{name}.answer.scaffold", scaffold, accepted)


# ---- numbers


_IN_EVERY_VERSION = ("cosine_distance", "token_edit_distance", DRIFT)
"""Other metrics may be newer than the run."""


def _scores(
    record: PairRecord, line: Mapping[str, Any], metadata: RunMetadata, place: str
) -> dict[str, float | None]:
    """The recorded scores; every one that is null has a reason."""
    names = RAW_SCORES if line["filter"] == "raw" else VIEW_SCORES
    names = (*names, *DRIFTS) if metadata.reference is not None else names
    for name in DRIFTS if metadata.reference is None else ():
        if (record.scores or {}).get(name) is not None:
            other = "the results file names no `reference`"
            raise contradiction(place, f"pair.scores.{name}", (record.scores or {})[name], other)
    scores: dict[str, float | None] = {}
    for name in names:
        anywhere = any(name in each for each in (line, record.scores or {}, record.missing))
        if not anywhere and name not in _IN_EVERY_VERSION:
            continue
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
        if value is not None and record.audit.status == "erased" and METRICS[name].scope == "pair":
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
    return float(METRICS[metric].low), float(METRICS[metric].high)


def _reported(line: Mapping[str, Any], scores: Mapping[str, float | None], place: str) -> dict[str, float]:
    """Metrics at the top level; they are the scores, with NaN instead of null."""
    reported: dict[str, float] = {}
    for name, score in scores.items():
        if name not in line:
            if METRICS[name].in_table and METRICS[name].window is None:
                raise absent(place, name)
            continue  # a window longer than the token limit is in the scores only
        value = line[name]
        is_nan = isinstance(value, float) and math.isnan(value)
        if type(value) not in (int, float) or (None if is_nan else value) != score:
            other = f"`pair.scores.{name}` is {'null' if score is None else score!r}"
            raise contradiction(place, name, value, other)
        reported[name] = math.nan if score is None else score
    return reported


def _check_curve(path: TokenPath, distance: float | None, place: str) -> None:
    field = "pair.token_path.curve"
    curve = path.curve.unpacked(place, field)
    found = curve[-1] / len(curve) if len(curve) else 0.0
    if distance is not None and not math.isclose(found, distance, abs_tol=_ROUNDING):
        other = f"its end gives a token_edit_distance of {found:.6f}, and `pair.scores` says {distance:.6f}"
        raise contradiction(place, field, {"n": path.curve.n}, other)


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
