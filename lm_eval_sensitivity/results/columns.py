"""The parquet tables of one system: columns, and what each cell may hold.

Arrays are little-endian bytes, and files are compressed with snappy, which expands bytes about 21 times at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.columns import (
    AUDIT_STATUSES,
    FILTERS,
    FINISH_REASONS,
    SCHEMA,
    SIDES,
    SPAN_STATUSES,
)
from lm_eval_sensitivity.results.limits import (
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_OUTPUT,
    MAX_DETAILS_BYTES,
    MAX_PAIRS,
    MAX_TABLE_BYTES,
    MOST_STEPS,
)
from lm_eval_sensitivity.runs.checked_rows import metric_range
from lm_eval_sensitivity.types import CATEGORIES, RUNGS, UNCATEGORIZED

_ROUNDING, _LARGEST = 1e-6, 2.0**31
"""Metrics without an upper end count tokens or nats."""


@cache
def value_range(metric: str) -> tuple[float, float]:
    """Smallest and largest value of a metric that is read, or of a mean of it: finite, and as far outside the range of
    its card as rounding takes it.

    Example:
        >>> value_range("cosine_distance"), value_range("first_divergence")
        ((-1e-06, 2.000001), (-1e-06, 2147483648.0))
    """
    low, high = metric_range(metric)
    return low - _ROUNDING, min(high + _ROUNDING, _LARGEST)


@dataclass(frozen=True)
class Column:
    """One column and what its cells may hold."""

    name: str
    kind: pa.DataType
    description: str
    optional: bool = False
    low: float = -math.inf
    high: float = math.inf
    accepted: tuple[str, ...] | None = None
    longest: int = 2_000
    """Characters of a text, bytes of an array."""


@dataclass(frozen=True)
class TableSpec:
    """One kind of table."""

    columns: tuple[Column, ...]
    max_rows: int
    row_group_rows: int
    max_bytes: int

    @property
    def schema(self) -> pa.Schema:
        """For pyarrow, with the descriptions."""
        return pa.schema(
            pa.field(each.name, each.kind, metadata={"description": each.description})
            for each in self.columns
        )


_ENUMS: dict[str, Sequence[str]] = {
    "rung": RUNGS,
    "filter": FILTERS,
    "audit_status": AUDIT_STATUSES,
    "category": (*CATEGORIES, UNCATEGORIZED),
    **{f"{side}_scaffold_status": SPAN_STATUSES for side in SIDES},
    **{f"{side}_finish_reason": FINISH_REASONS for side in SIDES},
}
_ALWAYS = (
    *("system", "name", "ladder_version", "ladder_hash", "task", "rung", "rung_index", "edit", "category"),
    *("prompt_id", "pair_id", "row_hash", "meaning_preserving", "filter", "audit_status"),
)
"""Columns of the pairs table without a missing cell."""
_LONGEST = {"name": LONGEST_NAME, "pair_id": LONGEST_ID, "prompt_id": LONGEST_ID, "edit": LONGEST_ID}


def _pairs_column(field: pa.Field) -> Column:
    low, high = value_range(field.name) if field.name in METRICS else (-math.inf, math.inf)
    return Column(
        field.name,
        field.type,
        (field.metadata or {}).get(b"description", b"").decode(),
        optional=field.name not in _ALWAYS,
        low=low,
        high=high,
        accepted=tuple(_ENUMS[field.name]) if field.name in _ENUMS else None,
        longest=_LONGEST.get(field.name, 2_000),
    )


PAIRS = TableSpec(
    tuple(map(_pairs_column, SCHEMA)),
    max_rows=len(FILTERS) * MAX_PAIRS,
    row_group_rows=65_536,
    max_bytes=MAX_TABLE_BYTES,
)


def _text(name: str, description: str, **rules: Any) -> Column:
    return Column(name, pa.string(), description, **rules)


def _count(name: str, description: str, *, optional: bool = True) -> Column:
    return Column(name, pa.int32(), description, optional=optional, low=0)


def _array(name: str, description: str) -> Column:
    return Column(name, pa.binary(), description, optional=True, longest=4 * MOST_STEPS)


def _side(side: str) -> tuple[Column, ...]:
    return (
        _text(f"{side}_text", "Output, with special tokens shown.", longest=LONGEST_OUTPUT),
        _count(f"{side}_cut_characters", "Characters that were left out at its end.", optional=False),
        _array(f"{side}_token_ends", "Character at which each token ends, as int32."),
        _array(f"{side}_margins", "Nats to the next best token, infinite without one, as float32."),
        _text(f"{side}_status", "Of the scaffold.", accepted=SPAN_STATUSES, optional=True),
        _text(f"{side}_scaffold", "Name of the scaffold.", optional=True),
        _count(f"{side}_answer_start", "First character of the answer."),
        _count(f"{side}_answer_end", "One past its last character."),
        _text(f"{side}_finish_reason", "What ended the output.", accepted=FINISH_REASONS, optional=True),
    )


def _path(filter_name: str) -> tuple[Column, ...]:
    return (
        _array(f"{filter_name}_curve", "Edit distance of the first t tokens, as int32."),
        _count(f"{filter_name}_first_divergence", "0-based step where the outputs part."),
        Column(f"{filter_name}_censored", pa.bool_(), "Equal up to a token limit.", optional=True),
    )


DETAILS = TableSpec(
    (
        _text("pair_id", "Sorted.", longest=LONGEST_ID),
        *(column for side in SIDES for column in _side(side)),
        *(column for filter_name in FILTERS for column in _path(filter_name)),
    ),
    max_rows=MAX_PAIRS,
    row_group_rows=16,  # one pair is read without all others
    max_bytes=MAX_DETAILS_BYTES,
)
