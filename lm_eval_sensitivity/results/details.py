"""Outputs, spans, token ends, margins and curves of one system, read again from its samples files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.schema import pair_from_row
from lm_eval_sensitivity.records.columns import SIDES
from lm_eval_sensitivity.records.limits import LONGEST_OUTPUT, MOST_STEPS
from lm_eval_sensitivity.records.sample import Packed, SampleRow, WholeRow, WholeSideRecord
from lm_eval_sensitivity.results.system_files import PairDetail, SideDetail
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.runs.checked_rows import row_digest
from lm_eval_sensitivity.runs.rung_samples import RungSamples, content_of, sample_rows
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.types import Pair


def read_details(system: System) -> tuple[dict[str, PairDetail], list[Pair]]:
    """Read the samples files of one system again.

    Args:
        system: from `load_runs`.

    Returns:
        The details of every pair by its id, sorted; and the pairs of the ladder in the order of the files.

    Raises:
        InputError: a file has changed since it was loaded, or holds a damaged array.
    """
    rows: dict[str, dict[str, Any]] = {}
    pairs: dict[str, Pair] = {}
    for rung in system.rungs:
        for sample, place in _rows(rung):
            pair = pair_from_row(dict(sample.doc), f"{place}: `doc`")
            pairs.setdefault(pair.pair_id, pair)
            row = rows.setdefault(pair.pair_id, {"curves": {}, "first_divergence": {}, "censored": {}})
            path, name = sample.pair.token_path, sample.filter
            row["curves"][name] = path and _array(path.curve, place, "pair.token_path.curve")
            row["first_divergence"][name] = path and path.first_divergence
            row["censored"][name] = path and path.censored
            if isinstance(sample, WholeRow):
                for side, output in zip(SIDES, sample.outputs, strict=True):
                    row[side] = _side(getattr(sample.pair, side), output, place, f"pair.{side}")
    return {pair_id: PairDetail(**rows[pair_id]) for pair_id in sorted(rows)}, list(pairs.values())


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


def _array(packed: Packed | None, place: str, field: str) -> tuple[Any, ...] | None:
    return None if packed is None else tuple(packed.unpacked(place, field)[:MOST_STEPS].tolist())


def _side(side: WholeSideRecord, output: str, place: str, name: str) -> SideDetail:
    text = output if side.visible_text is None else side.visible_text
    margins = _array(side.margins, place, f"{name}.margins")
    if any(not each >= 0 for each in margins or ()):
        raise InputError(f"{place}: `{name}.margins` holds a number below 0, or none.")
    # That the ends fit the text was checked when the run was loaded; those beyond the text that is kept go.
    ends = _array(side.token_ends, place, f"{name}.token_ends")
    found = side.answer
    return SideDetail(
        text[:LONGEST_OUTPUT],
        max(0, len(text) - LONGEST_OUTPUT),
        ends and tuple(each for each in ends if each <= LONGEST_OUTPUT),
        margins and tuple(None if math.isinf(each) else each for each in margins),
        None if found is None else found.status,
        None if found is None else found.scaffold,
        None if found is None else found.start,
        None if found is None else found.end,
        side.finish_reason,
    )
