"""The document of `lm-eval-sensitivity ladder plan`."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lm_eval_sensitivity.report.blocks import Cell, Column, Document, ResultTable
from lm_eval_sensitivity.statements.plan import Plan, PlanRow

_DESIGN = (
    Column("design", path="design.name"),
    Column("prompts", 0, "design.n_prompts"),
    Column("edits", 1, "design.n_edits"),
    Column("generations", 0, "design.n_generations"),
    Column("contrast"),
    Column("standard error", 4, "standard_error"),
    Column("detectable", 3, "one"),
)
_FAMILY = Column("detectable in family", 3, "family")


def plan_document(found: Plan) -> Document:
    """One row per design and kind of contrast, then what the numbers mean and where they come from.

    Args:
        found: as `plan` made it.

    Returns:
        A table and sentences.
    """
    columns = _DESIGN if found.n_contrasts == 1 else (*_DESIGN, _FAMILY)
    table = ResultTable("plan", "What a design would find", columns, tuple(_cells(columns, found)))
    return Document("Plan of a run", (table, *_sentences(found)))


def _cells(columns: tuple[Column, ...], found: Plan) -> Iterator[tuple[Cell, ...]]:
    for row in found.rows:
        cells = (column.cell(row) for column in columns)
        yield tuple(None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells)


def _sentences(found: Plan) -> Iterator[str]:
    yield (
        f"detectable: the difference of two systems' means that is found with {found.power:.0%} power at a level of "
        f"{found.alpha:g}; generations: of one run, each prompt once and one repetition of each identical pair."
    )
    if found.n_contrasts > 1:
        yield (
            f"{found.n_systems} systems are {found.n_contrasts} contrasts: each is planned at {found.alpha:g} / "
            f"{found.n_contrasts}, which the step-down test is not worse than."
        )
    if any(_is_out_of_reach(row) for row in found.rows):
        yield "A dash: so few prompts cannot reach the level, whatever the difference."
    yield (
        "SE^2 = between / prompts + within / (prompts x edits), edits as far as they count with equal weight per rung. "
        "A difference that is not found is not shown to be 0."
    )
    yield found.source


def _is_out_of_reach(row: PlanRow) -> bool:
    return math.isnan(row.one) or math.isnan(row.family)
