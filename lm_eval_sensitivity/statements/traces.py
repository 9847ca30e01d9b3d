"""What the arrays of the samples files say step by step: how outputs part, and how sure a system was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.sample import WholePairRecord, WholeRow
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.runs.rung_samples import sample_rows
from lm_eval_sensitivity.stats.sample import Floats, read_only
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

STEPS_AROUND = 24
"""Steps before and after the divergence that a margin trace keeps."""

MOST_STEPS = 8_192
"""Tokens of a curve that are read; a hostile file could declare millions."""

_FILTER = "raw"


@dataclass(frozen=True)
class TokenPath:
    """Edit distance of the first t tokens of two outputs, over the pairs of a system."""

    quartiles: Floats = field(repr=False, compare=False)
    """[lower quartile, median, upper quartile; t - 1] of E(t); over pairs, which are not independent. An output
    that has ended stays as it is, so that every t counts every pair."""
    n_pairs: int
    n_prompts: int
    n_without: int
    """Pairs that were not erased and have no curve."""

    @property
    def n_steps(self) -> int:
        """Tokens of the longest output."""
        return int(self.quartiles.shape[1])


@dataclass(frozen=True)
class MarginTrace:
    """Margins of both outputs of one pair around the step where they part."""

    pair_id: str
    distance: float
    """Cosine distance of the two outputs."""
    flip_step: int
    """0-based step of the first different token."""
    first_step: int
    """Step of the first margin here."""
    base: Floats = field(repr=False, compare=False)
    """[step] nats."""
    variant: Floats = field(repr=False, compare=False)
    """[step] nats."""
    n_candidates: int
    """Pairs of which this one has the largest distance."""


@dataclass(frozen=True)
class Traces:
    """The arrays of one system, on the meaning-preserving rungs, under the filter raw."""

    system: str
    path: TokenPath | None
    """None where no pair has a curve."""
    margins: MarginTrace | None
    margins_reason: str
    """Why there is no trace; else empty."""


def read_traces(table: pa.Table, system: System) -> Traces:
    """Read the arrays of one system again from its samples files.

    Args:
        table: from `load_runs`.
        system: of the same runs.

    Raises:
        InputError: a file has changed since, or holds a damaged array.

    Example:
        See `tests/unit/report/test_figures.py`; a table takes a run.
    """
    pair_id, distance, n_candidates = _furthest(table, system.name)
    curves: list[Floats] = []
    prompts: set[str] = set()
    without = 0
    trace: MarginTrace | None = None
    reason = "" if pair_id else "no pair has both a distance and a step where its outputs part."
    for row, place in _rows(system):
        record = row.pair
        if record.audit.status == "erased":
            continue
        curve = _curve(record, place)
        if curve is None:
            without += 1
        else:
            curves.append(curve)
            prompts.add(row.doc["prompt_id"])
        if pair_id is not None and row.doc["pair_id"] == pair_id:
            trace = _trace(record, place, pair_id, distance, n_candidates)
            reason = "" if trace else "the run has no margins: its engine returns text only."
    path = TokenPath(quartile_curves(curves), len(curves), len(prompts), without) if curves else None
    return Traces(system.name, path, trace, reason)


def _furthest(table: pa.Table, name: str) -> tuple[str | None, float, int]:
    """The pair with the largest distance among those that part; of equal ones the first by letters."""
    mask = pc.and_(pc.equal(table["name"], name), pc.equal(table["filter"], _FILTER))
    mask = pc.and_(mask, pc.is_in(table["rung"], pa.array(MEANING_PRESERVING_RUNGS, pa.string())))
    rows = table.filter(mask)
    columns = (rows[each].to_pylist() for each in ("pair_id", "cosine_distance", "first_divergence"))
    found = [
        (-value, pair)
        for pair, value, step in zip(*columns, strict=True)
        if value is not None and step is not None
    ]
    if not found:
        return None, float("nan"), 0
    negative, pair = min(found)
    return pair, -negative, len(found)


def _rows(system: System) -> Iterator[tuple[WholeRow, str]]:
    """Every row that counts here, and its place."""
    for rung in system.rungs:
        if rung.metadata.rung in MEANING_PRESERVING_RUNGS:
            for row, _, place in sample_rows(rung.samples):
                if isinstance(row, WholeRow):
                    yield row, place


def _curve(record: WholePairRecord, place: str) -> Floats | None:
    if record.token_path is None:
        return None
    values = record.token_path.curve.unpacked(place, "pair.token_path.curve")
    return np.asarray(values[:MOST_STEPS], dtype=np.float64) if len(values) else None


def quartile_curves(curves: Sequence[ArrayLike]) -> Floats:
    """[lower quartile, median, upper quartile; step] over curves; one that has ended keeps its last value.

    Example:
        >>> quartile_curves([[0, 1], [0, 1, 2], [1, 2, 3]])[1].tolist()
        [0.0, 1.0, 2.0]
        >>> quartile_curves([[1], [1, 2]]).tolist()
        [[1.0, 1.25], [1.0, 1.5], [1.0, 1.75]]
    """
    arrays = [np.asarray(curve, dtype=np.float64) for curve in curves]
    longest = max(map(len, arrays))
    table = np.stack([np.pad(curve, (0, longest - len(curve)), mode="edge") for curve in arrays])
    return read_only(np.quantile(table, (0.25, 0.5, 0.75), axis=0))


def _trace(
    record: WholePairRecord, place: str, pair_id: str, distance: float, n_candidates: int
) -> MarginTrace | None:
    step = None if record.token_path is None else record.token_path.first_divergence
    if step is None:
        return None
    first = max(0, step - STEPS_AROUND)
    both = []
    for name, side in (("base", record.base), ("variant", record.variant)):
        if side.margins is None:
            return None
        field = f"pair.{name}.margins"
        found = side.margins.unpacked(place, field)[first : step + STEPS_AROUND + 1]
        values = np.asarray(found, dtype=np.float64)
        if np.isnan(values).any() or (values < 0).any():
            raise InputError(f"{place}: `{field}` holds a number below 0, or none.")
        # An infinite margin is a second token that cannot be chosen at all.
        both.append(read_only(np.where(np.isinf(values), np.nan, values)))
    return MarginTrace(pair_id, distance, step, first, both[0], both[1], n_candidates)
