"""Outputs, spans, token ends, margins and curves of one system, read again from its samples files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.schema import pair_from_row
from lm_eval_sensitivity.records.columns import SIDES
from lm_eval_sensitivity.records.sample import SampleRow, TokenPath, WholeRow, WholeSideRecord
from lm_eval_sensitivity.results.columns import DETAILS
from lm_eval_sensitivity.results.limits import LONGEST_OUTPUT, MOST_STEPS
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.runs.checked_rows import row_digest
from lm_eval_sensitivity.runs.rung_samples import RungSamples, content_of, sample_rows
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.types import Pair


@dataclass(frozen=True)
class SystemDetails:
    """The details of every pair of one system."""

    rows: tuple[dict[str, Any], ...]
    """By pair id; keys are the columns of `columns.DETAILS`."""
    pairs: tuple[Pair, ...]
    """Of the ladder, in the order of the files."""


def read_details(system: System) -> SystemDetails:
    """Read the samples files of one system again.

    Args:
        system: from `load_runs`.

    Raises:
        InputError: a file has changed since it was loaded, or holds a damaged array.
    """
    rows: dict[str, dict[str, Any]] = {}
    pairs: dict[str, Pair] = {}
    for rung in system.rungs:
        for sample, place in _rows(rung):
            pair = pair_from_row(dict(sample.doc), f"{place}: `doc`")
            pairs.setdefault(pair.pair_id, pair)
            row = rows.setdefault(pair.pair_id, {"pair_id": pair.pair_id})
            row.update(_path(sample.pair.token_path, sample.filter, place))
            if isinstance(sample, WholeRow):
                for side, output in zip(SIDES, sample.outputs, strict=True):
                    row.update(_side(getattr(sample.pair, side), side, output, place))
    complete = tuple(rows[pair_id] for pair_id in sorted(rows))
    assert all(row.keys() == set(DETAILS.schema.names) for row in complete)  # both filters, as loaded
    return SystemDetails(complete, tuple(pairs.values()))


def _rows(rung: RungSamples) -> Iterator[tuple[SampleRow, str]]:
    """The rows of a samples file, as long as they are what was loaded."""
    digests = []
    for row, line, place in sample_rows(rung.samples):
        digests.append(row_digest(line))
        yield row, place
    if content_of(digests) != rung.content:
        raise InputError(
            f"{shown_path(rung.samples)} has changed since it was loaded. Export again when nothing writes to it."
        )


def _path(path: TokenPath | None, filter_name: str, place: str) -> dict[str, Any]:
    names = [f"{filter_name}_{name}" for name in ("curve", "first_divergence", "censored")]
    if path is None:
        return dict.fromkeys(names)
    curve = path.curve.unpacked(place, "pair.token_path.curve")[:MOST_STEPS]
    values = (np.asarray(curve, "<i4").tobytes(), path.first_divergence, path.censored)
    return dict(zip(names, values, strict=True))


def _side(side: WholeSideRecord, name: str, output: str, place: str) -> dict[str, Any]:
    text = output if side.visible_text is None else side.visible_text
    answer = side.answer
    found = {
        "text": text[:LONGEST_OUTPUT],
        "cut_characters": max(0, len(text) - LONGEST_OUTPUT),
        "token_ends": _token_ends(side, place, f"pair.{name}.token_ends"),
        "margins": _margins(side, place, f"pair.{name}.margins"),
        "status": None if answer is None else answer.status,
        "scaffold": None if answer is None else answer.scaffold,
        "answer_start": None if answer is None else answer.start,
        "answer_end": None if answer is None else answer.end,
        "finish_reason": side.finish_reason,
    }
    return {f"{name}_{column}": value for column, value in found.items()}


def _token_ends(side: WholeSideRecord, place: str, field: str) -> bytes | None:
    """Ends of tokens inside the text that is kept; that they fit the text was checked when the run was loaded."""
    if side.token_ends is None:
        return None
    ends = side.token_ends.unpacked(place, field)[:MOST_STEPS]
    return np.asarray(ends[ends <= LONGEST_OUTPUT], "<i4").tobytes()


def _margins(side: WholeSideRecord, place: str, field: str) -> bytes | None:
    if side.margins is None:
        return None
    values = np.asarray(side.margins.unpacked(place, field)[:MOST_STEPS], "<f4")
    if np.isnan(values).any() or (values < 0).any():
        raise InputError(f"{place}: `{field}` holds a number below 0, or none.")
    return values.tobytes()
