"""Outputs, spans, token ends, margins and curves of one system, read again from its samples files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.schema import pair_from_row
from lm_eval_sensitivity.records.columns import FILTERS, FINISH_REASONS, SIDES, SPAN_STATUSES
from lm_eval_sensitivity.records.fields import Field
from lm_eval_sensitivity.results.columns import DETAILS
from lm_eval_sensitivity.results.limits import LONGEST_OUTPUT, MOST_STEPS
from lm_eval_sensitivity.runs import System, read_samples
from lm_eval_sensitivity.runs.rows import row_digest
from lm_eval_sensitivity.runs.rung_samples import RungRun
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.types import Pair

_HALVES = re.compile("[\ud800-\udfff]")


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
        system: from `load_pairs`.

    Raises:
        InputError: a file has changed since it was loaded, or holds a damaged array.
    """
    rows: dict[str, dict[str, Any]] = {}
    pairs: dict[str, Pair] = {}
    for rung in system.rungs:
        for line in _lines(rung):
            doc = line["doc"]
            pair_id = doc["pair_id"].text()
            pairs.setdefault(pair_id, pair_from_row(doc.object(), f"{line.place}: `doc`"))
            row = rows.setdefault(pair_id, {"pair_id": pair_id})
            filter_name = line["filter"].one_of(FILTERS)
            row.update(_path(line["pair"]["token_path"], filter_name))
            if filter_name == "raw":
                for side, output in zip(SIDES, line["resps"].list_of(2), strict=True):
                    row.update(_side(line["pair"][side], side, output.list_of(1)[0].any_text()))
    complete = tuple(rows[pair_id] for pair_id in sorted(rows))
    assert all(row.keys() == set(DETAILS.schema.names) for row in complete)  # both filters, as loaded
    return SystemDetails(complete, tuple(pairs.values()))


def _lines(rung: RungRun) -> Iterator[Field]:
    """The lines of a samples file, as long as they are what was loaded."""
    digests = []
    place = shown_path(rung.samples)
    for number, line in enumerate(read_samples(rung.samples), start=1):
        digests.append(row_digest(line))
        yield Field(line, f"{place}, line {number}")
    if hashlib.sha256("".join(sorted(digests)).encode()).hexdigest() != rung.content:
        raise InputError(f"{place} has changed since it was loaded. Export again when nothing writes to it.")


def _path(path: Field, filter_name: str) -> dict[str, Any]:
    names = [f"{filter_name}_{name}" for name in ("curve", "first_divergence", "censored")]
    if path.is_null:
        return dict.fromkeys(names)
    step = path["first_divergence"]
    values = (
        np.asarray(path["curve"].packed()[:MOST_STEPS], "<i4").tobytes(),
        None if step.is_null else step.integer(),
        path["censored"].flag(),
    )
    return dict(zip(names, values, strict=True))


def _side(side: Field, name: str, output: str) -> dict[str, Any]:
    visible = side.get("visible_text")
    text = output if visible is None or visible.is_null else visible.any_text()
    answer, reason = side["answer"], side.get("finish_reason")
    known = not answer.is_null
    found = {
        # Half surrogates have no UTF-8; one sign for each keeps the places of all others.
        "text": _HALVES.sub("\ufffd", text[:LONGEST_OUTPUT]),
        "cut_characters": max(0, len(text) - LONGEST_OUTPUT),
        "token_ends": _token_ends(side),
        "margins": _margins(side),
        "status": answer["status"].one_of(SPAN_STATUSES) if known else None,
        "scaffold": answer["scaffold"].text() if known and not answer["scaffold"].is_null else None,
        "answer_start": answer["start"].integer() if known else None,
        "answer_end": answer["end"].integer() if known else None,
        "finish_reason": None if reason is None else reason.one_of(FINISH_REASONS),
    }
    return {f"{name}_{column}": value for column, value in found.items()}


def _token_ends(side: Field) -> bytes | None:
    """Ends of tokens inside the text that is kept; that they fit the text was checked when the run was loaded."""
    field = side.get("token_ends")
    if field is None or field.is_null:
        return None
    kept = [end for end in field.packed()[:MOST_STEPS] if end <= LONGEST_OUTPUT]
    return np.asarray(kept, "<i4").tobytes()


def _margins(side: Field) -> bytes | None:
    field = side.get("margins")
    if field is None or field.is_null:
        return None
    values = np.asarray(field.packed()[:MOST_STEPS], "<f4")
    if np.isnan(values).any() or (values < 0).any():
        raise InputError(f"{side.place}: `{field.name}` holds a number below 0, or none.")
    return values.tobytes()
