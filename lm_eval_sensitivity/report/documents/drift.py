"""The document of `lm-eval-sensitivity drift`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from lm_eval_sensitivity.report.blocks import COUNTS, MEAN, Column, Document, Gate, ResultTable, table_of
from lm_eval_sensitivity.report.documents.drift_gate import drift_gate
from lm_eval_sensitivity.report.documents.parts import closing, run_data
from lm_eval_sensitivity.report.wording.drift import (
    SIGNS,
    constants_in_words,
    contrast_in_words,
    harmless_over_control,
    symbols_in_words,
    verdicts_in_words,
)
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements import Signature
from lm_eval_sensitivity.statements.records import DriftStatement
from lm_eval_sensitivity.stats import AxisContrast
from lm_eval_sensitivity.types import Note

_SYSTEM = (Column("system"), Column("verdict", path="label"))
_WORDS = (
    Column("response", path="verdict.response"),
    Column("harmless edits", path="verdict.harmless_edits"),
    Column("drift", path="verdict.drift"),
)
_PRESERVING = (
    Column("harmless mean", 4, "preserving.mean.estimate"),
    Column("harmless lower", 4, "preserving.mean.lower"),
    Column("harmless upper", 4, "preserving.mean.upper"),
    Column("harmless prompts", 0, "preserving.mean.n"),
)
_DRIFT = (
    Column("drift mean", 4, "drift.mean.estimate"),
    Column("drift lower", 4, "drift.mean.lower"),
    Column("drift upper", 4, "drift.mean.upper"),
    Column("drift prompts", 0, "drift.mean.n"),
    Column("drift texts", 0, "drift.counts.n_pairs"),
    Column("drift zeros", 0, "drift.n_zero"),
)
_CONTROL = Column("control mean", 4, "control.mean.estimate")
_FLOOR = Column("noise floor", 4, "identical.mean.estimate")
_SHARE = Column("harmless / control", 2)
_NUMBERS = (
    Column("system"),
    *MEAN,
    Column("prompts", 0, "mean.n"),
    *COUNTS[1:],
    Column("zeros", 0, "n_zero"),
)
_OUTPUTS = (
    Column("system"),
    Column("prompts", 0, "outputs.n_prompts"),
    Column("empty", 0, "outputs.n_empty"),
    Column("loops", 0, "outputs.n_loop"),
    Column("cut at the limit", 0, "outputs.n_cut"),
    Column("unclosed scaffold", 0, "outputs.n_unclosed"),
)
_CONTRASTS = (
    Column("contrast", path="name"),
    Column("formula"),
    Column("estimate", 4, "bounds.estimate"),
    Column("lower", 4, "bounds.lower"),
    Column("upper", 4, "bounds.upper"),
    Column("n", 0, "bounds.n"),
)


def drift_document(
    found: DriftStatement, pairs: Runs, signed: Signature, fail_on: Collection[str] = ()
) -> Document:
    """The document of two axes.

    Args:
        found: all systems on them.
        pairs: the runs.
        signed: what the numbers were computed from.
        fail_on: labels that fail a build; empty takes those that no system should have.

    Returns:
        Both axes, verdicts, what they are made of and every contrast, then what was left out and the signature.
    """
    about = found.selection.number_in_words
    alone = found.reference is None
    title = f"Life signs without a reference: {about}" if alone else f"Drift from {found.reference}: {about}"
    of_answers = found.selection.of_answers
    probe = f"{'Are the edits' if of_answers else 'Is the ladder'} a valid probe of {found.reference}?"
    gate = drift_gate(found, signed, fail_on)
    parts: tuple[ResultTable | Note | str, ...] = (
        symbols_in_words(found),
        *systems_tables(found),
        *found.cautions,
        *verdicts_in_words(found),
        constants_in_words(found),
        _numbers_table(found),
        *(
            []
            if of_answers
            else [table_of("outputs", "Outputs to the base prompts", _OUTPUTS, found.systems)]
        ),
        *([contrast_table("probe", probe, found.probe, found)] if found.probe else []),
        *(
            contrast_table(
                f"contrasts of {each.system}", f"Contrasts of {each.system}", each.contrasts, found
            )
            for each in found.systems
            if each.contrasts
        ),
        *_check(gate, fail_on),
        *closing(pairs, signed),
    )
    return Document(title, parts, {"drift": found, **run_data(pairs, signed)}, gate)


def _check(gate: Gate, fail_on: Collection[str]) -> Iterator[Note]:
    if gate.failing and fail_on:
        yield Note("finding", f"Check failed: {'; '.join(gate.failing)}.")
    elif fail_on:
        yield Note("finding", f"Check passed: no system is {' or '.join(fail_on)}.")


def systems_tables(found: DriftStatement) -> tuple[ResultTable, ResultTable]:
    """Both axes and the verdict, a row per system.

    Returns:
        A narrow table for reading; for programs one with intervals and counts, which stand in the next table, too.
    """
    alone, of_answers = found.reference is None, found.selection.of_answers
    pairs = "scored pairs" if alone else "pairs that are scored in both systems"
    order = "" if alone else ", the reference first"
    note = (
        f"In the order given{order}. harmless mean: p{'' if of_answers else '; control mean: c'}; noise floor: f"
        f"{'' if alone else '; drift mean: b'}. Verdicts are each by itself, not adjusted for the number of systems, "
        f"and rest on the {pairs}. Intervals and counts stand below."
    )
    words, drift = (() if alone else each for each in (_WORDS[of_answers:], _DRIFT))
    control = () if of_answers else (_CONTROL,)
    short = (*_SYSTEM, *words, _PRESERVING[0], *drift[:1], *control, _FLOOR)
    whole = (*_SYSTEM, *words, *_PRESERVING, *drift, *control, _FLOOR)
    reading, programs = (_axes_table(found, columns, note) for columns in (short, whole))
    return replace(reading, name="axes", only=("table", "markdown")), replace(programs, only=("csv", "json"))


def _axes_table(found: DriftStatement, columns: tuple[Column, ...], note: str) -> ResultTable:
    share = () if found.selection.of_answers else (_SHARE,)
    rows = tuple(
        (
            *(column.cell(each) for column in columns),
            *(harmless_over_control(each, found) for _ in share),
        )
        for each in found.systems
    )
    title = "Systems" if found.reference is None else f"Systems beside {found.reference}"
    return ResultTable("sweep", title, (*columns, *share), rows, note)


def _numbers_table(found: DriftStatement) -> ResultTable:
    rows = []
    reasons: dict[str, list[str]] = {}
    for each in found.systems:
        for name, axis in (
            ("p harmless edits", each.preserving),
            ("c positive control", each.control),
            ("f identical", each.identical),
            ("b drift", each.drift),
        ):
            if axis is not None and not (axis is each.control and found.selection.of_answers):
                system, *cells = (column.cell(axis) for column in _NUMBERS)
                rows.append((system, name, *cells))
                if axis.mean.reason:
                    reasons.setdefault(f"{name}: {axis.mean.reason}", []).append(each.system)
    note = (
        "Lower and upper: 95 % half-point intervals over prompts; zeros: prompts whose number is exactly 0; scored "
        "pairs of b: the outputs that were compared."
    )
    note = " ".join([note, *(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())])
    columns = (_NUMBERS[0], Column("number"), *_NUMBERS[1:])
    return ResultTable("numbers", "What the axes are made of", columns, tuple(rows), note)


def contrast_table(
    name: str, title: str, contrasts: Sequence[AxisContrast], found: DriftStatement
) -> ResultTable:
    """Contrasts with their bounds, signs and what the signs say.

    Args:
        name: of the table.
        title: its caption.
        contrasts: of one system, or of the probe.
        found: the statement they stand in, for its constants.

    Returns:
        One row per contrast; its note says why bounds are missing.
    """
    rows = tuple(
        (
            *(column.cell(each) for column in _CONTRASTS),
            SIGNS[each.sign],
            contrast_in_words(each, found.constants),
        )
        for each in contrasts
    )
    reasons = [f"{each.name}: {each.bounds.reason}" for each in contrasts if each.bounds.reason]
    columns = (*_CONTRASTS, Column("sign"), Column("in words"))
    return ResultTable(name, title, columns, rows, " ".join(reasons), is_detail=True)
