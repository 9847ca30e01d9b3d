"""A document as a comment on a pull request: the answer, four numbers, what failed; the rest is folded."""

from __future__ import annotations

from dataclasses import replace

from lm_eval_sensitivity.report.blocks import Gate, ResultTable, in_words
from lm_eval_sensitivity.report.render.markdown import escaped, paragraph, table_rows

MOST_ROWS, MOST_NAMED = 8, 5
"""Rows of a folded table, and phrases about what failed; more are counted."""


def as_comment(title: str, gate: Gate) -> str:
    """A gate in Markdown that fits a comment, or the summary of a job.

    Args:
        title: of the document.
        gate: what is said.

    Returns:
        About 25 lines at most, most of them folded; nothing in it that strangers wrote is markup.
    """
    blocks = [f"### {escaped(title)}", f"**{escaped(gate.headline)}**", table_rows(_short(gate.numbers))]
    if gate.failing:
        more = len(gate.failing) - MOST_NAMED
        named = "; ".join(gate.failing[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        blocks.append(paragraph(f"Not passed: {named}."))
    details = [
        table_rows(_short(each)) if isinstance(each, ResultTable) else paragraph(in_words(each))
        for each in gate.details
    ]
    if details:
        blocks += ["<details><summary>Details</summary>", *details, "</details>"]
    return "\n\n".join(blocks) + "\n"


def _short(table: ResultTable) -> ResultTable:
    more = len(table.rows) - MOST_ROWS
    if more <= 0:
        return table
    last = (f"({more} more)", *[""] * (len(table.columns) - 1))
    return replace(table, rows=(*table.rows[:MOST_ROWS], last))
