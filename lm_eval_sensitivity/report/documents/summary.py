"""The document of `lm-eval-sensitivity show`: the last screen of a run again, and all that its table left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import belongs_to_prompt, is_of_whole_output
from lm_eval_sensitivity.records.columns import DRIFTS, FILTERS
from lm_eval_sensitivity.report.blocks import (
    COUNTS,
    MEAN,
    Block,
    Column,
    Document,
    ResultTable,
    Verbatim,
    table_of,
)
from lm_eval_sensitivity.report.documents.flips import SystemAnswers, flips_document
from lm_eval_sensitivity.report.documents.parts import closing, run_data
from lm_eval_sensitivity.report.wording.summary import lines
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements import Selection, Signature, TablePartition
from lm_eval_sensitivity.statements.means import system_mean
from lm_eval_sensitivity.statements.records import ProfilePoint
from lm_eval_sensitivity.statements.summary import SummaryStatement, summary_statement
from lm_eval_sensitivity.statements.windows import outputs_of, windows_within
from lm_eval_sensitivity.types import RUNGS

TITLE, WIDTH = "What harmless edits move", 100
_ROWS = (
    Column("rung", path="selection.rung_set"),
    Column("metric", path="selection.metric"),
    Column("filter", path="selection.filter_name"),
    *MEAN,
    *COUNTS,
    Column("reason", path="mean.reason"),
)


def summary_document(
    partition: TablePartition,
    pairs: Runs,
    signed: Signature,
    answers: Sequence[SystemAnswers] = (),
    *,
    every_row: bool,
    width: int | None,
) -> Document:
    """The summaries of some runs.

    Args:
        partition: of their table.
        pairs: the runs.
        signed: what the numbers were computed from.
        answers: to wrapped tasks that stand beside them.
        every_row: all metrics, filters and rungs too.
        width: of the terminal.

    Returns:
        For reading the lines that a run ends with; for programs the same numbers as a table.
    """
    found = {system.name: summary_statement(partition, system.name) for system in pairs.systems}
    parts: list[Block] = []
    for system in pairs.systems:
        said = lines(found[system.name], system, (), width or WIDTH, whole=True)
        parts += [Verbatim("", "\n".join(said), only=("table", "markdown")), _numbers(found[system.name])]
        if every_row:
            parts += _every_row(partition, system.name)
    data = {**run_data(pairs, signed), "summaries": [*found.values()]}
    if answers:
        beside = flips_document(answers)
        parts += beside.parts
        data |= beside.data
    return Document(TITLE, (*parts, *closing(pairs, signed)), data)


def _numbers(found: SummaryStatement) -> ResultTable:
    axes = found.axes
    records = (axes.preserving, axes.identical, axes.control, *(mean for _, mean in found.rungs))
    names = ("harmless edits", "identical", "positive control", *(rung for rung, _ in found.rungs))
    columns = (Column("what"), *_ROWS[3:])
    table = table_of(f"summary {axes.system}", axes.system, _ROWS[3:], records, only=("csv", "json"))
    rows = tuple((name, *row) for name, row in zip(names, table.rows, strict=True))
    return replace(table, columns=columns, rows=rows)


def _every_row(partition: TablePartition, system: str) -> list[ResultTable]:
    """Every metric under both filters on every rung that was run, for reading without the reasons."""
    points, name = [*_points(partition, system)], f"rows {system}"
    title = f"{system}: every metric, filter and rung"
    return [
        table_of(name, title, _ROWS[:-1], points, only=("table", "markdown")),
        table_of(name, title, _ROWS, points, only=("csv", "json")),
    ]


def _points(partition: TablePartition, name: str) -> Iterator[ProfilePoint]:
    """Windows that no output fills are nowhere; `drift` has what needs a reference."""
    ran = partition.rungs_of(name)
    outputs = outputs_of(partition, Selection().metric, ran, name)
    windows = windows_within(outputs) if outputs else None
    for rung in (each for each in RUNGS if each in ran):
        for metric, card in METRICS.items():
            if (
                belongs_to_prompt(metric)
                or metric in DRIFTS
                or (windows is not None and card.window not in windows)
            ):
                continue
            for filter_name in FILTERS:
                if filter_name != "raw" and is_of_whole_output(metric):
                    continue
                selection = Selection(metric, filter_name, rung)
                mean = system_mean(partition, selection, name)
                yield ProfilePoint(**vars(mean), selection=selection, scaffold_dominates=False)
