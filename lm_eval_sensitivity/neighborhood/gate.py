"""What a build reads of one prompt's findings: four numbers, and a case per harmless edit."""

from __future__ import annotations

from collections.abc import Iterator

from lm_eval_sensitivity.neighborhood.findings import Findings, Variant
from lm_eval_sensitivity.neighborhood.verdict import Check, cautions, shown_distance, verdict
from lm_eval_sensitivity.report.blocks import Case, Column, Gate, ResultTable
from lm_eval_sensitivity.types import RUNGS, Note

_EVERYTHING = "something was scored"
"""Name of the case that fails where nothing is known."""


def gate_of(findings: Findings, check: Check | None, signature: str) -> Gate:
    """The findings of one prompt as a gate.

    Args:
        findings: of the prompt.
        check: of `--fail-above`; without it an edit cannot fail.
        signature: what the numbers depend on.

    Returns:
        A case per meaning-preserving variant; one without a distance is not judged, and where none has one, that fails.
    """
    cases = tuple(_cases(findings, None if check is None else check.limit))
    said = verdict(findings) if check is None else f"Check {check.status}. {verdict(findings)}"
    failing = tuple(
        f"{case.name} ({case.message})"
        for case in cases
        if case.outcome == "failed" and case.name != _EVERYTHING
    )
    moved = sorted(findings.above(0), key=lambda each: -(each.cosine_distance or 0))
    columns = (Column("edit"), Column("change"), Column("distance", 4))
    rows = tuple((each.edit, each.change, each.cosine_distance) for each in moved)
    return Gate(
        said,
        _numbers(findings),
        failing,
        (
            *([ResultTable("moved", "Edits that moved the output", columns, rows)] if rows else []),
            *cautions(findings),
            Note("signature", signature),
        ),
        cases,
    )


def _numbers(findings: Findings) -> ResultTable:
    spread = findings.spread
    controls = [each.cosine_distance for each in findings.variants if each.rung == "positive_control"]
    cells = (
        spread.get("median"),
        spread.get("largest"),
        findings.noise_floor,
        max((each for each in controls if each is not None), default=None),
        f"{len(findings.scored)} of {len(findings.meaning_preserving)}",
    )
    names = ("harmless edits, median", "largest", "noise floor", "another request")
    columns = (*(Column(name, 4) for name in names), Column("edits scored"))
    return ResultTable("numbers", "Distances", columns, (cells,))


def _cases(findings: Findings, limit: float | None) -> Iterator[Case]:
    if not findings.scored:
        yield Case("neighborhood", _EVERYTHING, "failed", verdict(findings))
    for each in sorted(findings.meaning_preserving, key=lambda each: RUNGS.index(each.rung)):
        yield _case(each, limit)


def _case(each: Variant, limit: float | None) -> Case:
    if each.cosine_distance is None:
        return Case(each.rung, each.edit, "skipped", each.missing or "not scored")
    distance = shown_distance(each.cosine_distance)
    if limit is not None and each.cosine_distance > limit:
        return Case(each.rung, each.edit, "failed", f"{distance} is above {limit:g}")
    return Case(each.rung, each.edit, "passed", f"distance {distance}")
