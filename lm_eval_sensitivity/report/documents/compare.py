"""The document of `lm-eval-sensitivity compare`."""

from __future__ import annotations

import math
from dataclasses import replace

from lm_eval_sensitivity.glossary import meaning
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.report.blocks import COUNTS, MEAN, Column, Document, ResultTable, table_of
from lm_eval_sensitivity.report.documents.parts import closing, run_data
from lm_eval_sensitivity.report.wording import bounds_note
from lm_eval_sensitivity.report.wording.compare import (
    comparison_in_words,
    rung_disagreement,
    shared_in_words,
)
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements import Signature
from lm_eval_sensitivity.statements.noise import floor_in_words
from lm_eval_sensitivity.statements.records import ComparisonStatement
from lm_eval_sensitivity.types import Note

_SYSTEMS = (
    Column("system"),
    *MEAN,
    Column("prompts", 0, "mean.n"),
    *COUNTS[1:],
    Column("noise floor", 4, "noise.estimate"),
    Column("floor prompts", 0, "noise.n"),
)
_RUNGS = (
    Column("rung"),
    Column("first", 4, "first.estimate"),
    Column("second", 4, "second.estimate"),
    Column("second - first", 4, "difference.estimate"),
    Column("lower", 4, "difference.lower"),
    Column("upper", 4, "difference.upper"),
    Column("p", 4, "test.p_value"),
    Column("p Holm", 4, "p_adjusted"),
    Column("n", 0, "counts.n_prompts"),
)
_PART = "part of the mean difference"
_DRIVEN = (
    Column("first", 4),
    Column("second", 4),
    Column("second - first", 4, "difference"),
    Column(_PART, 4, "contribution"),
)
_PROMPTS = (Column("prompt", path="name"), *_DRIVEN, Column("pairs", 0, "n"))
_EDITS = (
    Column("edit", path="name"),
    Column("rung"),
    *_DRIVEN,
    Column("lower", 4, "interval.lower"),
    Column("upper", 4, "interval.upper"),
    Column("n", 0),
)


def compare_document(found: ComparisonStatement, pairs: Runs, signed: Signature) -> Document:
    """The document of one comparison.

    Args:
        found: the comparison.
        pairs: the runs.
        signed: what the numbers were computed from.

    Returns:
        Sentences, tables by system, rung, prompt and edit, then what was left out and the signature.
    """
    parts: tuple[ResultTable | Note | str, ...] = (
        f"First: {found.first.system}. Second: {found.second.system}. Differences are second minus first; "
        f"{METRICS[found.selection.metric].direction}.",
        *found.cautions,
        *comparison_in_words(found),
        _systems_table(found),
        shared_in_words(found.counts),
        _rungs_table(found),
        _prompts_table(found),
        _edits_table(found),
        *closing(pairs, signed),
    )
    title = f"{found.first.system} and {found.second.system}: {found.selection.in_words()}"
    return Document(title, parts, {"comparison": found, **run_data(pairs, signed)})


def _systems_table(found: ComparisonStatement) -> ResultTable:
    sides = (found.first, found.second)
    notes: tuple[Note | str, ...] = (
        "Means and their 95 % intervals are over the pairs that are scored in both; pairs, erased and unscored are the "
        f"system's own. The noise floor is the {floor_in_words(sides)}, in the same metric and filter.",
        bounds_note(found.selection.metric),
        *(
            f"{side.system}: {reason}"
            for side in sides
            for reason in (side.mean.reason, side.noise.reason if math.isnan(side.noise.estimate) else None)
            if reason
        ),
    )
    made = table_of("systems", "Systems", _SYSTEMS, sides, notes)
    rows = tuple((side, *row) for side, row in zip(("first", "second"), made.rows, strict=True))
    return replace(made, columns=(Column("side"), *made.columns), rows=rows)


def _rungs_table(found: ComparisonStatement) -> ResultTable:
    least = min((r.test.attainable_p for r in found.rungs if not math.isnan(r.p_adjusted)), default=math.nan)
    notes: tuple[Note | str, ...] = (
        f"n: prompts with shared pairs. Erased and unscored: first, second. p Holm is adjusted for {found.family} "
        f"rungs; the smallest unadjusted p that could have come out is {least:.4g}. The identical rung is the noise "
        "floor and is not tested.",
        *(f"{rung.rung}: {rung.difference.reason}" for rung in found.rungs if rung.difference.reason),
        *(f"{rung.rung}: {words}" for rung in found.rungs if (words := rung_disagreement(rung))),
        *(caution for rung in found.rungs for caution in rung.cautions),
    )
    made = table_of("rungs", "Rungs side by side", _RUNGS, found.rungs, notes)
    rows = tuple(
        (
            *row[:6],
            None if math.isnan(rung.p_adjusted) else row[6],
            *row[7:],
            f"{rung.first_counts.n_erased}, {rung.second_counts.n_erased}",
            f"{rung.first_counts.n_unscored}, {rung.second_counts.n_unscored}",
        )
        for rung, row in zip(found.rungs, made.rows, strict=True)
    )
    return replace(made, columns=(*made.columns, Column("erased"), Column("unscored")), rows=rows)


def _prompts_table(found: ComparisonStatement) -> ResultTable:
    note = (
        "Chosen because they are large, so no test belongs to them."
        if found.prompts
        else "No prompt differs."
    )
    return table_of("prompts", "Prompts that drive the difference", _PROMPTS, found.prompts, [note])


def _edits_table(found: ComparisonStatement) -> ResultTable:
    note = (
        "Chosen because they are large; the 95 % intervals of the difference do not know of that choice."
        if found.edits
        else "No edit differs."
    )
    opposite = [each.name for each in found.edits if each.difference * each.contribution < 0]
    notes: tuple[Note | str, ...] = (
        "n: prompts with the edit.",
        note,
        *([f"{_PART}: {meaning('column', _PART)} So it is with {', '.join(opposite)}."] if opposite else []),
        *(each.caution for each in found.edits if each.caution),
    )
    return table_of("edits", "Edits that drive the difference", _EDITS, found.edits, notes)
