"""The columns of the pairs table: one row per system, pair and filter."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.metrics import METRICS, measured_under
from lm_eval_sensitivity.metrics.catalogue import is_of_whole_output

TABLE_VERSION = 2

FILTERS = ("raw", "answer")
SIDES = ("base", "variant")
FLAGS = ("empty", "loop", "cut", "unclosed")
AUDIT_STATUSES = ("survived", "erased", "identical", "unknown")
SPAN_STATUSES = ("none", "closed", "unclosed", "empty_answer")
FINISH_REASONS = ("end_token", "stop_string", "length", "not_finite", "stop")

DRIFT, VARIANT_DRIFT = "baseline_drift", "variant_drift"
DRIFTS = (DRIFT, VARIANT_DRIFT)
"""The metrics that only a run with a reference has."""
RAW_SCORES, VIEW_SCORES = (
    tuple(card.name for card in measured_under(name) if card.name not in DRIFTS) for name in FILTERS
)
"""Numbers in `pair.scores` of filter `raw`, and of both filters."""
WHOLE_OUTPUT_METRICS = tuple(filter(is_of_whole_output, METRICS))
"""Metrics of the whole output, which stand in `raw` rows only."""

_TEXT, _FLAG, _NUMBER, _COUNT = pa.string(), pa.bool_(), pa.float64(), pa.int32()


def _field(name: str, kind: Any, description: str) -> Any:
    return pa.field(name, kind, metadata={"description": description})


_SYSTEM = (
    _field("system", _TEXT, "Fingerprint of the system."),
    _field("name", _TEXT, "Shortest label that tells the system apart from the others in this table."),
    _field("ladder_version", _TEXT, "Version of the ladder."),
    _field("ladder_hash", _TEXT, "Content hash of the ladder."),
    _field("task", _TEXT, "lm_eval task."),
)
_PAIR = (
    _field("rung", _TEXT, "Rung of the ladder."),
    _field("rung_index", pa.int8(), "Position of the rung, 0 to 6, mildest first."),
    _field("edit", _TEXT, "Edit that makes the variant from the base."),
    _field("category", _TEXT, "Category of the base prompt."),
    _field("prompt_id", _TEXT, "Base prompt; the unit of every statistic."),
    _field("pair_id", _TEXT, "Base prompt and edit."),
    _field("row_hash", _TEXT, "Hash of the ladder's row."),
    _field("meaning_preserving", _FLAG, "Whether base and variant ask for the same answer."),
    _field("filter", _TEXT, "raw: the whole output; answer: what follows the reasoning scaffold."),
    _field(
        "audit_status", _TEXT, "Whether the edit reached the token ids: " + ", ".join(AUDIT_STATUSES) + "."
    ),
    _field("audit_first_difference", _COUNT, "First position at which the token ids of the prompts differ."),
    _field("audit_length_change", _COUNT, "Tokens of the variant prompt minus tokens of the base prompt."),
    _field("audit_inside_user_text", _FLAG, "Whether the first difference lies in the user's text."),
    _field(
        "repetitions", _COUNT, "Repetitions that the distance is the mean of; missing off the identical rung."
    ),
)
_METRICS = tuple(
    field
    for name, card in METRICS.items()
    for field in (
        _field(name, _NUMBER, f"{card.what} Range {card.range}, unit {card.unit}, {card.direction}."),
        _field(f"missing_{name}", _TEXT, f"Why {name} is missing; starts with the kind of reason."),
    )
)
_BESIDE_METRICS = tuple(
    _field(name, _FLAG if kind is bool else _NUMBER, description)
    for card in METRICS.values()
    for name, kind, description in card.beside
)
_OF_A_SIDE = (
    ("empty", _FLAG, "The whole output has no token"),
    ("loop", _FLAG, "The whole output ends in a repetition"),
    ("cut", _FLAG, "The token limit ended the output"),
    ("unclosed", _FLAG, "A reasoning scaffold was opened and never closed"),
    ("finite", _FLAG, "No logits were NaN or infinite"),
    ("scaffold_status", _TEXT, f"One of {', '.join(SPAN_STATUSES)}"),
    ("scaffold", _TEXT, "Name of the scaffold"),
    (
        "finish_reason",
        _TEXT,
        f"One of {', '.join(FINISH_REASONS)}; missing for engines that return text only",
    ),
    ("n_tokens", _COUNT, "Tokens under this row's filter, without the end token"),
    (
        "answer_start",
        _COUNT,
        "Tokens of the whole output before the answer's first one; missing where there is no answer",
    ),
    ("n_characters", _COUNT, "Characters under this row's filter; missing where there is no answer"),
)
_SIDES = tuple(
    _field(f"{side}_{name}", kind, f"{description}; of the output to the {side}.")
    for side in SIDES
    for name, kind, description in _OF_A_SIDE
)

ROW_SCHEMA = pa.schema([*_PAIR, *_METRICS, *_BESIDE_METRICS, *_SIDES])
"""What a row says by itself."""
SCHEMA = pa.schema([*_SYSTEM, *ROW_SCHEMA])
"""Arrow schema of the pairs table. Every field carries its `description`, in parquet files, too."""
