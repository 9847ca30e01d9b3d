"""Prompts and outputs beside the numbers of the pairs table, read again from the samples files."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lm_eval_sensitivity.runs.rung_samples import sample_rows
from lm_eval_sensitivity.runs.system import System

TEXTS = (
    ("base", "The base prompt."),
    ("variant", "The edited prompt."),
    ("base_output", "What the row's filter shows of the output to the base."),
    ("variant_output", "What the row's filter shows of the output to the variant."),
)
"""(column, description)."""


def with_texts(table: pa.Table, systems: Sequence[System]) -> pa.Table:
    """A pairs table with the prompts and the outputs of every row.

    Args:
        table: from `load_runs`.
        systems: of the same runs.

    Returns:
        The table with the columns of `TEXTS` after its own.

    Raises:
        InputError: a samples file has changed since it was loaded, and lacks a row.
    """
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for system in systems:
        for rung in system.rungs:
            for row, _, _ in sample_rows(rung.samples):
                key = (system.fingerprint, str(row.doc["pair_id"]), row.filter)
                found[key] = (str(row.doc["base"]), str(row.doc["variant"]), *row.filtered_resps)
    keys = zip(*(table[name].to_pylist() for name in ("system", "pair_id", "filter")), strict=True)
    texts = list(zip(*(found[key] for key in keys), strict=True))
    for (name, description), column in zip(TEXTS, texts, strict=True):
        field = pa.field(name, pa.string(), metadata={"description": description})
        table = table.append_column(field, pa.array(column, pa.string()))
    return table
