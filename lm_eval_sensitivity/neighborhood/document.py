"""The findings of one prompt as a document.

Prompts and outputs are strangers' data. `visible` makes them inert: nothing in them can move a cursor,
reorder a line or become markup. In JSON they are whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lm_eval_sensitivity.neighborhood.findings import METRIC, Findings
from lm_eval_sensitivity.neighborhood.gate import gate_of
from lm_eval_sensitivity.neighborhood.verdict import Check, cautions, shown_distance, verdict
from lm_eval_sensitivity.report import Column, Document, ResultTable
from lm_eval_sensitivity.report.blocks import Format, Verbatim, table_of
from lm_eval_sensitivity.report.documents.parts import below_rungs
from lm_eval_sensitivity.statements.noise import repetitions_in_words
from lm_eval_sensitivity.text.visible import ELLIPSIS, shortened, visible
from lm_eval_sensitivity.types import Note

MARK = "►"
"""Stands where the two outputs that are shown first differ."""
BEFORE_DIVERGENCE, AFTER_DIVERGENCE = 80, 280
"""Characters of an output that are shown around its first divergence."""
PROMPT_SHOWN = 240

_COLUMNS = (
    *map(Column, ("edit", "change", "reached")),
    Column("distance", 4, METRIC),
    Column("parts at", path="parts_at"),
)
_CAPTION = (
    f"change: [+inserted], [-deleted], [old→new]; · is a space, ⏎ a line break. distance: {METRIC} of the "
    "outputs, from 0 (same) to 2. parts at: where the outputs first differ, counted from 0; not yet: equal up "
    "to the token limit."
)


def neighborhood_document(findings: Findings, check: Check | None) -> Document:
    """What a user reads of one prompt's neighborhood.

    Args:
        findings: of the prompt.
        check: of `--fail-above`, where it was given.

    Returns:
        Title, parts in reading order, and the same facts as plain data.
    """
    checked = [] if check is None else [Note("finding", f"Check {check.status}: {check.message}")]
    prompt = visible(findings.prompt)
    return Document(
        "Neighborhood of one prompt",
        (
            Verbatim("Prompt", visible(shortened(findings.prompt, PROMPT_SHOWN)), only=("table",)),
            Verbatim("Prompt", prompt, only=("markdown",)),
            *_variants_tables(findings),
            Note("finding", verdict(findings)),
            *(Note("method", line) for line in _numbers(findings)),
            *_reasons(findings),
            *cautions(findings),
            *_outputs(findings),
            *checked,
            Note("signature", _signature(findings)),
        ),
        _data(findings, check),
        gate_of(findings, check, _signature(findings)),
    )


def _variants_tables(findings: Findings) -> Iterator[ResultTable]:
    title, columns = "Every edit of the prompt", (Column("rung"), *_COLUMNS)
    forms: tuple[Format, ...] = ("markdown", "csv", "json")
    whole = table_of("variants", title, columns, findings.variants, [_CAPTION], only=forms)
    rows = below_rungs((str(row[0]), row[1:]) for row in whole.rows)
    yield replace(whole, name="edits", columns=_COLUMNS, rows=rows, only=("table",))
    yield whole


def _outputs(findings: Findings) -> Iterator[ResultTable | Verbatim]:
    """One or two outputs, side by side where there is room."""
    shown = list(_shown_outputs(findings))
    titles = [title for title, _ in shown]
    caption = f"The two outputs that differ most; {MARK} marks the first difference."
    columns, row = tuple(map(Column, titles)), tuple(text for _, text in shown)
    yield ResultTable(
        "outputs", caption if len(shown) > 1 else "Output", columns, (row,), only=("table", "csv")
    )
    for title, text in shown:
        yield Verbatim(title, text, only=("markdown",))


def _shown_outputs(findings: Findings) -> Iterator[tuple[str, str]]:
    """Title and text of the base's output, and of the one that is furthest from it if any moved."""
    other = findings.furthest
    at = None if other is None else other.first_divergence.character
    base = shown_output(findings.base_output, at, findings.base_flags)
    yield "Output to the base prompt", base
    if other is not None and at is not None:
        title = f"Output to {other.edit} ({shown_distance(other.cosine_distance)})"
        yield title, shown_output(other.output, at, other.flags)


def shown_output(text: str, divergence: int | None, flags: Sequence[str]) -> str:
    """An output around its first divergence, cropped and inert, with a mark there.

    Args:
        text: the output.
        divergence: character at which it parts from the other one; None shows its beginning.
        flags: shown where the text is empty, because nothing else is left to see.

    Returns:
        One line without control characters, with ellipses where it is cropped.
    """
    mark = "" if divergence is None else MARK
    if not text:
        return f"(no text{': ' + ', '.join(flags) if flags else ''}){mark}"
    at = divergence or 0
    start, end = max(0, at - BEFORE_DIVERGENCE), at + AFTER_DIVERGENCE
    before = (ELLIPSIS if start else "") + visible(text[start:at])
    return before + mark + visible(text[at:end]) + (ELLIPSIS if end < len(text) else "")


def _numbers(findings: Findings) -> list[str]:
    """Range, counts and noise floor, one line each."""
    spread, missing = findings.spread, findings.noise.missing
    counts = (
        f"{len(findings.scored)} scored, {len(findings.erased)} erased, {findings.n_unscored} unscored of "
        f"{len(findings.meaning_preserving)}"
    )
    lines = [f"Meaning-preserving: no distance ({counts})."]
    if spread:
        smallest, median, largest = map(shown_distance, spread.values())
        lines = [f"Meaning-preserving: {smallest} to {largest}, median {median} ({counts})."]
    floor = shown_distance(findings.noise_floor) if missing is None else f"not known ({missing})"
    # Batch noise flips a near tie or it does not: a few repetitions without a difference are weak evidence.
    count = findings.noise.repetitions
    verbs = "agrees does" if count == 1 else "agree do"
    times = repetitions_in_words(count)
    few = (
        f" {times.capitalize()} that {verbs} not prove that there is no noise."
        if findings.noise_floor == 0
        else ""
    )
    return [*lines, f"Noise floor (the same prompt, {times}): {floor}.{few}"]


def _reasons(findings: Findings) -> Iterator[Note]:
    """Each reason for a missing distance with its edits; the erased ones are among the cautions."""
    edits: dict[str, list[str]] = {}
    for each in findings.variants:
        if each.missing is not None and each.reached != "erased":
            edits.setdefault(each.missing, []).append(each.edit)
    for reason, names in edits.items():
        yield Note("reason", f"{', '.join(names)}: {reason}.", tuple(names))


def _signature(findings: Findings) -> str:
    """What the numbers depend on, in one line."""
    run = findings.run
    notes, decoding, embedder = (run.get(name) or {} for name in ("notes", "decoding", "embedder"))
    parts = [
        f"{METRIC}, filter {findings.filter_name}",
        f"system {run.get('system')}",
        f"greedy, at most {decoding.get('max_gen_toks')} tokens",
        *([f"batch size {notes['batch_size']}"] if "batch_size" in notes else []),
        f"embedder {embedder.get('name')}",
        f"lm-eval-sensitivity {run.get('package_version')}",
    ]
    return visible("; ".join(parts))


def _data(findings: Findings, check: Check | None) -> dict[str, Any]:
    """Everything, whole; numbers as in the samples."""
    furthest = findings.furthest
    return {
        "schema_version": 1,
        "prompt": findings.prompt,
        "metric": METRIC,
        "filter": findings.filter_name,
        "noise_floor": findings.noise_floor,
        "noise_floor_missing": findings.noise.missing,
        "meaning_preserving": {
            "n_variants": len(findings.meaning_preserving),
            "n_scored": len(findings.scored),
            "n_erased": len(findings.erased),
            "n_unscored": findings.n_unscored,
            "range": findings.spread or None,
            "furthest": None if furthest is None else furthest.edit,
        },
        "verdict": verdict(findings),
        "cautions": cautions(findings),
        "check": check,
        "base": {"output": findings.base_output, "flags": findings.base_flags},
        "variants": findings.variants,
        "run": findings.run,
    }
