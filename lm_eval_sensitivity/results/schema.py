"""The tables of a results folder: columns, what each cell may hold, and how large everything may be.

Columns are flat: lists of texts are JSON texts and arrays are little-endian bytes, because the length of a
nested parquet column is known only after it has been decompressed. Files are compressed with snappy, which
cannot expand bytes more than about 21 times, so that the size of a file bounds what it takes to read it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import pyarrow as pa

from lm_eval_sensitivity.ladder.files import MAX_CELL_CHARACTERS
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.columns import (
    AUDIT_STATUSES,
    FILTERS,
    FINISH_REASONS,
    SCHEMA,
    SIDES,
    SPAN_STATUSES,
)
from lm_eval_sensitivity.records.fields import LONGEST_TEXT
from lm_eval_sensitivity.runs.checked_rows import metric_range
from lm_eval_sensitivity.statements.selection import RUNG_SETS
from lm_eval_sensitivity.types import CATEGORIES, RUNGS, UNCATEGORIZED

_ROUNDING, _LARGEST = 1e-6, 2.0**31
"""Metrics without an upper end count tokens or nats."""

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
COMPRESSION = "SNAPPY"

MAX_SYSTEMS = 64
MAX_SELECTIONS = 200
MAX_PAIRS = 50_000
"""Of one system."""
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_TABLE_BYTES = 64 * 2**20
"""Of one file; details may have more."""
MAX_DETAILS_BYTES = 512 * 2**20
MAX_EXPANDED_BYTES = 512 * 2**20
"""Of one table, or of one row group of details, decompressed."""
MAX_FOOTER_BYTES = 16 * 2**20
MAX_COLUMN_CHUNK_BYTES = 16 * 2**20
"""Of one column of one row group, compressed."""
MOST_CLUSTERS = 512
"""Of one selection; an export leaves out a selection with more, and says so. Clusters that overlap are many more than
systems where few prompts were asked: up to 60 were simulated with 32 systems, and up to 470 with 64."""
LONGEST_NAME = 200
"""Characters of the name of a system or a series, and of a fact."""
LONGEST_ID = 300
"""Characters of an id of a pair, a prompt or an edit: it stands in addresses, which hold no more."""
LONGEST_SENTENCE = 4_000
"""Characters of one sentence; an export cuts longer ones, and says so."""
MOST_SENTENCES = 200
"""Of one list; an export leaves out the rest, and says so."""
LONGEST_SENTENCES = 100_000
"""Characters of one list of sentences."""
LONGEST_JSON = 1_000_000
"""Characters of a list as JSON."""
LONGEST_OUTPUT = 100_000
"""Characters of one output; the rest is cut, and counted."""
MOST_STEPS = 8_192
"""Tokens of a curve or of margins that are kept."""
DETAIL_ROWS = 16
"""Of one row group: one pair is read without the others."""
TABLE_ROWS = 65_536
"""Of one row group of all other tables."""

METHODS = ("bootstrap-t", "student-t", "none")
FINDINGS = ("not tested", "not told apart", "first lower", "first higher")
SIGNS = ("above 0", "below 0", "unclear")
LIFE = ("yes", "no", "unclear")
VIEWS = ("clusters", "axes", "heatmap")
LABELS = (
    *("STABLE", "RESPONSIVE", "DRIFTED", "COLLAPSED", "INDISCRIMINATE", "INVALID PROBE", "UNDETERMINED"),
    "reference",
)

Form = Literal["plain", "sentence", "texts", "names", "int32 array", "float32 array"]


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
    longest: int = LONGEST_TEXT
    """Characters of a text, bytes of an array."""
    form: Form = "plain"
    """`sentence`: may be cut; `texts`: a JSON list of sentences; `names`: one of names, which are never cut;
    `... array`: little-endian bytes."""


@dataclass(frozen=True)
class TableSpec:
    """One kind of table."""

    columns: tuple[Column, ...]
    max_rows: int
    row_group_rows: int = TABLE_ROWS
    max_bytes: int = MAX_TABLE_BYTES

    @property
    def schema(self) -> pa.Schema:
        """For pyarrow, with the descriptions."""
        return pa.schema(
            pa.field(each.name, each.kind, metadata={"description": each.description})
            for each in self.columns
        )


def _text(name: str, description: str, **rules: Any) -> Column:
    return Column(name, pa.string(), description, **rules)


def _texts(name: str, description: str) -> Column:
    return Column(name, pa.string(), f"{description} A JSON list.", longest=LONGEST_JSON, form="texts")


def _names(name: str, description: str) -> Column:
    return Column(name, pa.string(), f"{description} A JSON list.", longest=LONGEST_JSON, form="names")


def _sentence(name: str, description: str, **rules: Any) -> Column:
    return _text(name, description, longest=LONGEST_SENTENCE, form="sentence", **rules)


def _id(name: str, description: str) -> Column:
    return _text(name, description, longest=LONGEST_ID)


def _number(name: str, description: str, low: float = -math.inf, high: float = math.inf) -> Column:
    return Column(name, pa.float64(), description, optional=True, low=low, high=high)


def _count(name: str, description: str, high: float = math.inf, *, optional: bool = False) -> Column:
    return Column(name, pa.int32(), description, optional=optional, low=0, high=high)


def _system(name: str = "system", *, optional: bool = False) -> Column:
    return _count(name, "Index of the system.", MAX_SYSTEMS - 1, optional=optional)


def _reason(name: str = "reason", description: str = "Why a number is missing.") -> Column:
    return _sentence(name, description, optional=True)


def _array(name: str, description: str, kind: Form) -> Column:
    return Column(name, pa.binary(), description, optional=True, longest=4 * MOST_STEPS, form=kind)


def _bounds(prefix: str = "", what: str = "the mean") -> tuple[Column, Column]:
    return (
        _number(f"{prefix}lower", f"Lower bound of {what}."),
        _number(f"{prefix}upper", f"Upper bound of {what}."),
    )


_METRIC = _text("metric", "Column of the pairs table, window included.", accepted=tuple(METRICS))
_FILTER = _text("filter_name", "raw or answer.", accepted=FILTERS)
_RUNG_SET = _text("rung_set", "Rungs that the numbers are over.", accepted=tuple(RUNG_SETS))
_RUNG = _text("rung", "Rung of the ladder.", accepted=RUNGS)
_EDIT = _id("edit", "Edit of the ladder.")
_LOST = (
    _count("n_erased", "Pairs whose edit never reached the model."),
    _count("n_unscored", "Pairs that were given and have no number."),
)

PAGES = TableSpec(
    (
        _text("view", "What the page is of.", accepted=VIEWS),
        _METRIC,
        _FILTER,
        _text("rung_set", "Of clusters.", accepted=tuple(RUNG_SETS), optional=True),
        _sentence("title", "The selection in words."),
        _texts("cautions", "Sentences that must not be missed."),
        _texts("reasons", "Why cells of clusters are missing."),
        _texts("clusters", "Sentences about clusters."),
        _reason("family", "How many contrasts were tested together."),
        _reason("detectable", "Which difference would have been found."),
        _reason("symbols", "What p, c, b and f of the axes are."),
        _reason("constants", "The declared constants of the axes."),
    ),
    max_rows=2 * MAX_SELECTIONS,
)
CLUSTERS = TableSpec(
    (
        _METRIC,
        _FILTER,
        _RUNG_SET,
        _system(),
        _number("mean", "Over prompts."),
        *_bounds(),
        _text("interval_method", "How the bounds were found.", accepted=METHODS),
        _reason(),
        _count("n_prompts", "Prompts with a number."),
        _count("n_pairs", "Scored pairs."),
        *_LOST,
        _number("noise_floor", "Mean of the identical rung."),
        _count("noise_prompts", "Prompts of the noise floor."),
        _reason("noise_reason", "Why there is no noise floor."),
        _names("letters", "Clusters of the system."),
        _text("alive", "Whether meaning moves it more.", accepted=LIFE, optional=True),
    ),
    max_rows=MAX_SELECTIONS * MAX_SYSTEMS,
)
CONTRASTS = TableSpec(
    (
        _METRIC,
        _FILTER,
        _RUNG_SET,
        _system("first"),
        _system("second"),
        _number("difference", "First minus second, mean over prompts."),
        *_bounds(what="this difference alone"),
        _number("p_adjusted", "Family-wise; never 0.", low=math.ulp(0.0), high=1),
        Column("attainable_p", pa.float64(), "The smallest p that any data could give.", low=0, high=1),
        _count("n_prompts", "Shared prompts with a number."),
        _count("n_pairs", "Pairs scored in both."),
        _count("n_lost", "Pairs of one of the two that cannot be used in both."),
        _text("finding", "In words.", accepted=FINDINGS),
        _reason(),
        _reason("caution", "What makes the interval unreliable."),
    ),
    max_rows=MAX_SELECTIONS * MAX_SYSTEMS * (MAX_SYSTEMS - 1) // 2,
)


def _axis(symbol: str, what: str) -> tuple[Column, ...]:
    return (
        _number(symbol, what, low=0, high=2 + 1e-6),
        *_bounds(f"{symbol}_", symbol),
        _count(f"{symbol}_n", f"Prompts of {symbol}."),
    )


AXES = TableSpec(
    (
        _METRIC,
        _FILTER,
        _system(),
        Column("is_reference", pa.bool_(), "Whether drift is measured from it."),
        _text("verdict", "Label.", accepted=LABELS),
        _reason("verdict_words", "The verdict in sentences."),
        _names("possible", "Labels that the data allow."),
        *_axis("p", "Distance under meaning-preserving edits."),
        _reason("p_reason"),
        *_axis("c", "Distance under the positive control."),
        _reason("c_reason"),
        *_axis("f", "Distance of the identical rung."),
        _reason("f_reason"),
        *_axis("b", "Drift from the reference."),
        _count("b_zeros", "Prompts without any drift."),
        _reason("b_reason"),
        _count("n_pairs", "Scored under meaning-preserving edits."),
        *_LOST,
        _number("ratio", "p/c.", low=0),
        _number("silent_share", "Pairs without a number, of those that the reference has.", low=0, high=1),
        _texts("reasons", "Why a verdict is not clear."),
        _reason("drift_message", "Why no drift was measured."),
    ),
    max_rows=MAX_SELECTIONS * MAX_SYSTEMS,
)
AXES_CONTRASTS = TableSpec(
    (
        _METRIC,
        _FILTER,
        _system(optional=True),
        _text("name", "Of the contrast."),
        _text("formula", "What is compared."),
        _number("estimate", "Mean over prompts."),
        *_bounds(what="this contrast, one-sided"),
        _count("n", "Prompts."),
        _text("sign", "Of the contrast.", accepted=SIGNS),
        _sentence("words", "What the sign says."),
        _reason(),
    ),
    max_rows=MAX_SELECTIONS * MAX_SYSTEMS * 8,
)
HEATMAP = TableSpec(
    (
        _METRIC,
        _FILTER,
        _RUNG,
        _EDIT,
        _system(),
        _number("mean", "Over prompts."),
        *_bounds(),
        _count("n_given", "Pairs that the system was given."),
        _count("n_scored", "Pairs with a number."),
        *_LOST,
        _reason(),
    ),
    max_rows=1_000_000,
)
WINDOWS = TableSpec(
    (
        _RUNG_SET,
        _system(),
        _FILTER,
        Column("window", pa.int32(), "Tokens; missing for the whole text.", optional=True, low=1),
        _number("mean", "Over prompts.", low=0, high=2 + 1e-6),
        *_bounds(),
        _count("n_prompts", "Prompts with a number."),
        _count("n_pairs", "Scored pairs."),
        *_LOST,
        _reason(),
        Column("scaffold_dominates", pa.bool_(), "Whether most of the window stands before the answer."),
    ),
    max_rows=MAX_SELECTIONS * MAX_SYSTEMS,
)
LADDER = TableSpec(
    (
        _id("pair_id", "Base prompt and edit."),
        _id("prompt_id", "Base prompt."),
        _RUNG,
        _EDIT,
        _text("category", "Of the base prompt.", accepted=(*CATEGORIES, UNCATEGORIZED)),
        Column("meaning_preserving", pa.bool_(), "Whether both prompts ask for the same answer."),
        _text("reason", "Why an authored variant is on its rung.", longest=MAX_CELL_CHARACTERS),
        _text("base", "Prompt.", longest=MAX_CELL_CHARACTERS),
        _text("variant", "Edited prompt.", longest=MAX_CELL_CHARACTERS),
        _text("replacements", "JSON list of [start, end, replacement], on the base.", longest=LONGEST_JSON),
    ),
    max_rows=MAX_PAIRS,
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
_LONGEST: dict[str, int] = {"name": LONGEST_NAME} | dict.fromkeys(
    ("pair_id", "prompt_id", "edit"), LONGEST_ID
)


def _pairs_column(field: pa.Field) -> Column:
    low, high = value_range(field.name) if field.name in METRICS else (-math.inf, math.inf)
    description = (field.metadata or {}).get(b"description", b"").decode()
    accepted = tuple(_ENUMS[field.name]) if field.name in _ENUMS else None
    return Column(
        field.name,
        field.type,
        description,
        optional=field.name not in _ALWAYS,
        low=low,
        high=high,
        accepted=accepted,
        longest=_LONGEST.get(field.name, LONGEST_TEXT),
    )


PAIRS = TableSpec(tuple(map(_pairs_column, SCHEMA)), max_rows=len(FILTERS) * MAX_PAIRS)


def _side(side: str) -> tuple[Column, ...]:
    return (
        _text(f"{side}_text", "Output, with special tokens shown.", longest=LONGEST_OUTPUT),
        _count(f"{side}_cut_characters", "Characters that were left out at its end."),
        _array(f"{side}_token_ends", "Character at which each token ends.", "int32 array"),
        _array(f"{side}_margins", "Nats to the next best token, infinite without one.", "float32 array"),
        _text(f"{side}_status", "Of the scaffold.", accepted=SPAN_STATUSES, optional=True),
        _text(f"{side}_scaffold", "Name of the scaffold.", optional=True),
        _count(f"{side}_answer_start", "First character of the answer.", optional=True),
        _count(f"{side}_answer_end", "One past its last character.", optional=True),
        _text(f"{side}_finish_reason", "What ended the output.", accepted=FINISH_REASONS, optional=True),
    )


def _path(filter_name: str) -> tuple[Column, ...]:
    return (
        _array(f"{filter_name}_curve", "Edit distance of the first t tokens.", "int32 array"),
        _count(f"{filter_name}_first_divergence", "0-based step where the outputs part.", optional=True),
        Column(f"{filter_name}_censored", pa.bool_(), "Equal up to a token limit.", optional=True),
    )


DETAILS = TableSpec(
    (
        _id("pair_id", "Sorted."),
        *(column for side in SIDES for column in _side(side)),
        *(column for filter_name in FILTERS for column in _path(filter_name)),
    ),
    max_rows=MAX_PAIRS,
    row_group_rows=DETAIL_ROWS,
    max_bytes=MAX_DETAILS_BYTES,
)

SUMMARIES: dict[str, TableSpec] = {
    "pages.parquet": PAGES,
    "clusters.parquet": CLUSTERS,
    "contrasts.parquet": CONTRASTS,
    "axes.parquet": AXES,
    "axes_contrasts.parquet": AXES_CONTRASTS,
    "heatmap.parquet": HEATMAP,
    "windows.parquet": WINDOWS,
    "ladder.parquet": LADDER,
}
"""Small tables, read when a folder is opened."""


def pairs_name(system: int) -> str:
    """File of one system's pairs.

    Example:
        >>> pairs_name(3), details_name(3)
        ('pairs/003.parquet', 'details/003.parquet')
    """
    return f"pairs/{system:03d}.parquet"


def details_name(system: int) -> str:
    """File of the details of one system's pairs."""
    return f"details/{system:03d}.parquet"


def table_specs(n_systems: int) -> dict[str, TableSpec]:
    """Every table of a folder with that many systems, by file name."""
    specs = dict(SUMMARIES)
    for system in range(n_systems):
        specs |= {pairs_name(system): PAIRS, details_name(system): DETAILS}
    return specs
