"""What a build reads of systems beside a reference: a case per system, and four numbers of each."""

from __future__ import annotations

from collections.abc import Collection

from lm_eval_sensitivity.report.blocks import Case, Column, Gate, Outcome, table_of
from lm_eval_sensitivity.report.wording.drift import constants_in_words, verdict_in_words
from lm_eval_sensitivity.statements import Signature
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.stats.rules import INVALID_PROBE, RULES, UNDETERMINED
from lm_eval_sensitivity.types import Note

FAILING = (*(label for _, label in RULES if label != "STABLE"), LIFELESS)
"""Labels that no system should have which is to stand for its reference."""
NOT_JUDGED = (UNDETERMINED, INVALID_PROBE)
LABELS = (*(label for _, label in RULES), LIFELESS, *NOT_JUDGED)
"""What `--fail-on` takes."""

_NUMBERS = (
    Column("system"),
    Column("verdict", path="label"),
    Column("harmless edits", 4, "preserving.mean.estimate"),
    Column("drift", 4, "drift.mean.estimate"),
    Column("noise floor", 4, "identical.mean.estimate"),
    Column("another request", 4, "control.mean.estimate"),
)


def drift_gate(found: DriftStatement, signed: Signature, fail_on: Collection[str]) -> Gate:
    """Systems beside a reference as a gate.

    Args:
        found: all systems.
        signed: what the numbers were computed from.
        fail_on: labels that fail; empty takes `FAILING`.

    Returns:
        A case per system that was judged. A label that nothing decides is no pass, and fails where it is named.
    """
    judged = [each for each in found.systems if each.verdict is not None or each.reduced is not None]
    cases = tuple(_case(each, found, fail_on or FAILING) for each in judged)
    return Gate(
        ", ".join(f"{each.system}: {each.label}" for each in judged),
        table_of("systems", "Systems", _NUMBERS, found.systems),
        tuple(
            f"{case.name} is {each.label}"
            for case, each in zip(cases, judged, strict=True)
            if case.outcome == "failed"
        ),
        (
            *found.cautions,
            *filter(None, (verdict_in_words(each, found.constants) for each in judged)),
            constants_in_words(found),
            Note("signature", f"{signed.in_words()}."),
        ),
        cases,
    )


def _case(system: SystemDrift, found: DriftStatement, fail_on: Collection[str]) -> Case:
    said = verdict_in_words(system, found.constants)
    outcome: Outcome = "passed"
    if system.label in fail_on:
        outcome = "failed"
    elif system.label in NOT_JUDGED:
        outcome = "skipped"
    return Case("drift", system.system, outcome, system.label, "" if said is None else said.text)
