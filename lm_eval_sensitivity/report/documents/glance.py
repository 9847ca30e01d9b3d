"""What a report says first: a card of one system, or a row of each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lm_eval_sensitivity.report.blocks import Card, CardNumber, Column, ResultTable
from lm_eval_sensitivity.report.wording.summary import (
    DIGITS,
    detectable_line,
    numbers,
    rungs_line,
    title,
    trust_line,
    verdict_line,
    worst_line,
)
from lm_eval_sensitivity.report.wording.summary_cautions import cautions
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.statements.summary import SummaryStatement
from lm_eval_sensitivity.text.format import in_print

_COLUMNS = (
    Column("system", path="axes.system"),
    Column("verdict", path="judged.label"),
    Column("harmless edits", DIGITS, "axes.preserving.mean.estimate"),
    Column("lower", DIGITS, "axes.preserving.mean.lower"),
    Column("upper", DIGITS, "axes.preserving.mean.upper"),
    Column("noise floor", DIGITS, "axes.identical.mean.estimate"),
    Column("another request", DIGITS, "axes.control.mean.estimate"),
    Column("detectable", DIGITS),
)


def card_of(found: SummaryStatement, system: System) -> Card:
    """One system at a glance.

    Args:
        found: of the system.
        system: that was measured.

    Returns:
        Its verdict, four numbers, and what stands against believing them.
    """
    detectable = "" if found.detectable == 0 else in_print(found.detectable, DIGITS)
    return Card(
        title(system),
        verdict_line(found),
        (
            *(CardNumber(each.words, each.in_print, each.note) for each in numbers(found)),
            CardNumber("A difference is found from", detectable or "-", detectable_line(found)),
        ),
        (rungs_line(found), worst_line(found), trust_line(found)),
        tuple(cautions(found, system)),
    )


def glance_table(found: Sequence[SummaryStatement], systems: Sequence[System]) -> ResultTable:
    """Several systems at a glance.

    Args:
        found: one per system, in the order of the rows.
        systems: that were measured, in the same order.

    Returns:
        Verdict and four numbers of each.
    """
    rows = tuple(
        tuple(None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells)
        for cells in ([column.cell(each) for column in _COLUMNS] for each in found)
    )
    note = (
        "harmless edits: mean distance over prompts, with its 95 % interval. noise floor: the same prompt again. "
        "another request: the positive control. detectable: from which difference two systems like this one are told "
        "apart with 80 % power."
    )
    against = [
        f"Caution: {system.name}: {words}"
        for each, system in zip(found, systems, strict=True)
        for words in cautions(each, system)
    ]
    return ResultTable("glance", "At a glance", _COLUMNS, rows, " ".join([note, *against]))
