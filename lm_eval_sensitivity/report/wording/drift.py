"""What is said beside two axes, in whole sentences: the same on a terminal and on every page."""

from __future__ import annotations

from collections.abc import Iterator

from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.stats import AxisContrast, Constants
from lm_eval_sensitivity.stats.verdicts import ALIVE
from lm_eval_sensitivity.text.format import percent
from lm_eval_sensitivity.types import Note

SIGNS = {"+": "above 0", "-": "below 0", "unclear": "unclear"}
_LIFELESS = ("COLLAPSED", "INDISCRIMINATE")
_DRIFT_SYMBOL = " b: drift from the reference's output on the identical prompt;"


def symbols_in_words(found: DriftStatement) -> Note:
    """What p, c, b and f are.

    Returns:
        One note; b is in it only with a reference.
    """
    drift = "" if found.reference is None else _DRIFT_SYMBOL
    return Note(
        "method",
        f"p: distance under meaning-preserving edits; c: under the positive control;{drift} f: the identical rung, "
        "which is the noise floor. All are means over prompts.",
    )


def interval_cautions(found: DriftStatement) -> Iterator[Note]:
    """What must not be overlooked beside an interval of the tables.

    Returns:
        Cautions of all axes, by system.
    """
    for each in found.systems:
        for axis in (each.preserving, each.control, each.identical, each.drift):
            if axis is not None and axis.caution is not None:
                yield axis.caution


def harmless_over_control(system: SystemDrift, found: DriftStatement) -> float | None:
    """p/c, distance under harmless edits over that under the positive control.

    Args:
        system: one of `found`.
        found: all systems; the reference's number stands in the others' verdicts.

    Returns:
        The ratio that the verdict rests on, 0 or more; NaN or None where there is none.
    """
    judged = system.verdict or system.reduced
    if judged is not None:
        return judged.harmless_over_control
    others = (each.verdict for each in found.systems if each.verdict is not None)
    return next((verdict.harmless_over_control_reference for verdict in others), None)


def verdicts_in_words(found: DriftStatement) -> Iterator[Note]:
    """What is said of the systems.

    Returns:
        One note per system that was judged; without a reference one more, on what cannot be said.
    """
    for system in found.systems:
        words = verdict_in_words(system, found.constants)
        if words is not None:
            yield words
    if found.reference is None:
        yield Note(
            "method",
            "That is all that can be said without a reference: whether meaning moves the output more than "
            f"{percent(found.constants.k_harmless)} further than harmless edits do. Drift is undefined; stable, "
            "drifted and more sensitive cannot be told from each other, nor collapsed from indiscriminate. Give "
            "`--reference RUN`.",
        )


def verdict_in_words(system: SystemDrift, constants: Constants) -> Note | None:
    """What is said of one system.

    Args:
        system: with its verdict.
        constants: of the rules.

    Returns:
        Label, numbers and reasons; None for the reference.
    """
    name = system.system
    if system.verdict is not None:
        verdict = system.verdict
        words = f"{name}: {verdict.label}, {verdict.meaning}. {verdict.numbers}"
        if verdict.label in _LIFELESS and verdict.alive_alone:
            more = percent(constants.k_harmless)
            words += (
                f" By the rule that needs no reference it is {ALIVE}: meaning moves it more than {more} further "
                "than harmless edits do."
            )
        if len(verdict.possible) > 1:
            words += f" Still possible: {', '.join(verdict.possible)}."
        if system.drift_source:
            words += f" Drift: {system.drift_source}."
        said = [words, *_silence(system), *verdict.reasons, *_drift_reasons(system)]
        return Note("finding", " ".join(said), (name,))
    if system.reduced is not None:
        reduced = system.reduced
        said = [f"{name}: {reduced.label}.", *_silence(system), *reduced.reasons]
        return Note("finding", " ".join(said), (name,))
    return None


def _silence(system: SystemDrift) -> Iterator[str]:
    """The share of pairs that left no trace in the distances."""
    if system.silent_share > 0:
        of = "its pairs" if system.verdict is None else "the pairs that the reference has a number for"
        yield f"Silent share: {percent(system.silent_share)} of {of}."


def _drift_reasons(system: SystemDrift) -> Iterator[str]:
    if system.drift_missing:
        kinds = ", ".join(f"{count} {kind}" for kind, count in system.drift_missing)
        yield f"Prompts without drift: {kinds}."
    if system.drift_message:
        yield f"Why drift was not measured: {system.drift_message}"


def constants_in_words(found: DriftStatement) -> Note:
    """The declared constants of the rules.

    Returns:
        One note; without a reference on those constants alone that are used then.
    """
    k = found.constants
    if found.reference is None:
        return Note(
            "method",
            f"Constants, declared beforehand: kP = {k.k_harmless:g}; one-sided {percent(k.level)} bounds. Alive: c - "
            f"{1 + k.k_harmless:g} p is above 0, and at most {percent(k.k_control)} of the pairs are silent.",
        )
    return Note(
        "method",
        f"Constants, declared beforehand: kC = {k.k_control:g}, kP = {k.k_harmless:g}, lambda = {k.drift_factor:g}; "
        f"one-sided {percent(k.level)} bounds. A contrast is above 0 where its lower bound is, below 0 where its upper "
        "bound is, else unclear.",
    )


def contrast_in_words(contrast: AxisContrast, constants: Constants) -> str:
    """What the sign of one contrast says.

    Args:
        contrast: with its sign.
        constants: of the rules.

    Returns:
        A phrase with the constants in it.
    """
    said = _words(constants).get((contrast.name, contrast.sign))
    return _reduced_words(contrast, constants) if said is None else said


def _words(k: Constants) -> dict[tuple[str, str], str]:
    """What a sign says; the constants stand in the sentence."""
    lost, more, factor = percent(k.k_control), percent(k.k_harmless), f"{k.drift_factor:g} times "
    factor = "" if k.drift_factor == 1 else factor
    gap = "the reference's gap between meaning and harmless edits"
    return {
        ("control", "+"): "meaning moves the reference more than harmless edits do",
        ("control", "-"): "harmless edits move the reference more than meaning does",
        ("control", "unclear"): "not shown that meaning moves the reference more",
        ("noise", "+"): "repetition moves the reference more than harmless edits do",
        ("noise", "-"): "the noise floor lies below harmless edits",
        ("noise", "unclear"): "not shown that repetition moves it more than harmless edits",
        ("L_C", "+"): f"keeps the reference's response to meaning, less at most {lost}",
        ("L_C", "-"): f"has lost more than {lost} of the reference's response to meaning",
        ("L_C", "unclear"): f"unclear whether {lost} of the reference's response to meaning is lost",
        ("L_R", "+"): f"keeps {gap}, less at most {lost}",
        ("L_R", "-"): f"has lost more than {lost} of {gap}",
        ("L_R", "unclear"): f"unclear whether {lost} of {gap} is lost",
        ("L_P", "+"): f"more than {more} more sensitive to harmless edits",
        ("L_P", "-"): f"not more than {more} more sensitive to harmless edits",
        ("L_P", "unclear"): f"unclear whether it is more than {more} more sensitive",
        ("L_D", "+"): f"further from the reference than {factor}what a harmless edit moves that",
        ("L_D", "-"): f"nearer to the reference than {factor}what a harmless edit moves that",
        ("L_D", "unclear"): f"unclear whether drift exceeds {factor}what a harmless edit moves the reference",
    }


def _reduced_words(contrast: AxisContrast, k: Constants) -> str:
    further = f"{percent(k.k_harmless)} further than harmless edits do"
    what = "another prompt" if contrast.formula.startswith("spread") else "meaning"
    return {
        "+": f"{what} moves it more than {further}",
        "-": f"{what} moves it not {further}",
        "unclear": f"unclear whether {what} moves it {further}",
    }[contrast.sign]
