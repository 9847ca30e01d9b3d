"""The document of `lm-eval-sensitivity heatmap`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.report.blocks import COUNTS, MEAN, Cell, Column, Document, ResultTable, table_of
from lm_eval_sensitivity.report.documents.parts import (
    below_rungs,
    blocks_of_systems,
    closing,
    headings,
    run_data,
)
from lm_eval_sensitivity.report.wording import bounds_note
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements import Signature
from lm_eval_sensitivity.statements.records import HeatmapCell, HeatmapStatement
from lm_eval_sensitivity.statements.selection import number_in_words
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Note

LEGEND = (
    "A cell is the mean over the prompts of the edit. (12e): 12 pairs erased, template or tokenizer kept the edit from "
    "the model; (3u): 3 pairs unscored; (n 7): only 7 pairs, the run or the edit has fewer prompts than other systems "
    "here; erased, unscored: all pairs are; not run: the system was not given the edit; -: fewer than 5 numbers, "
    "no mean. The rung identical is the noise floor: nothing was edited there."
)
_CELLS = (
    Column("rung"),
    Column("edit"),
    Column("system"),
    *MEAN,
    *COUNTS,
    Column("reason", path="mean.reason"),
)


def heatmap_document(statements: Sequence[HeatmapStatement], pairs: Runs, signed: Signature) -> Document:
    """The document of some metrics and filters over the same runs.

    Args:
        statements: one per metric and filter.
        pairs: the runs.
        signed: what the numbers were computed from.

    Returns:
        Of each a wide table for reading and a long one for programs, then what was left out and the signature.
    """
    parts: list[ResultTable | Note | str] = []
    for found in statements:
        parts += [*_wide(found), _long(found), *found.cautions]
    data = {**run_data(pairs, signed), "heatmaps": statements}
    return Document("Edits beside systems", (*parts, LEGEND, *closing(pairs, signed)), data)


def cell_in_words(cell: HeatmapCell, n_prompts: int) -> str:
    """A cell for reading.

    Args:
        cell: one edit of one system.
        n_prompts: prompts that the edit has in these runs.

    Returns:
        `not run`, `erased`, `unscored`, or the mean (`-` without one) and behind it the marks of `LEGEND`.
    """
    counts = cell.counts
    if cell.n_given == 0:
        return "not run"
    for lost, word in ((counts.n_erased, "erased"), (counts.n_unscored, "unscored")):
        if lost == n_prompts:
            return word
    marks = [f"{n}{mark}" for n, mark in ((counts.n_erased, "e"), (counts.n_unscored, "u")) if n]
    if cell.n_given < n_prompts:
        marks.append(f"n {counts.n_pairs}")
    mean = in_print(cell.mean.estimate, 3)
    return f"{mean} ({' '.join(marks)})" if marks else mean


def _wide(found: HeatmapStatement) -> Iterator[ResultTable]:
    """For reading: edits down, below the name of their rung; systems across."""
    cells = {(cell.edit, cell.system): cell for cell in found.cells}
    for part, (systems, where) in enumerate(blocks_of_systems(found.systems), 1):
        rows: list[tuple[str, tuple[Cell, ...]]] = []
        for rung, edit in found.edits:
            n_prompts = max(cell.n_given for cell in found.row(edit))
            texts = (cell_in_words(cells[edit, system], n_prompts) for system in systems)
            rows.append((rung, (edit, n_prompts, *texts)))
        yield ResultTable(
            f"heatmap {found.metric} {found.filter_name} {part}",
            f"{number_in_words(found.metric, found.filter_name)}{where}",
            (
                Column("edit"),
                Column("prompts", 0),
                *(Column(each) for each in headings(("edit", "prompts"), systems)),
            ),
            below_rungs(rows),
            only=("table", "markdown"),
        )


def _long(found: HeatmapStatement) -> ResultTable:
    """For programs: one row per edit and system."""
    name, title = (
        f"heatmap {found.metric} {found.filter_name}",
        number_in_words(found.metric, found.filter_name),
    )
    return table_of(name, title, _CELLS, found.cells, [bounds_note(found.metric)], only=("csv", "json"))
