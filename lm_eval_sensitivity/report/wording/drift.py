"""What is said beside two axes, in whole sentences: the same on a terminal and on every page."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift, SystemMean
from lm_eval_sensitivity.stats import AxisContrast, Constants, Verdict
from lm_eval_sensitivity.stats.alive import ALIVE
from lm_eval_sensitivity.stats.rules import AXES, INVALID_PROBE, UNDETERMINED, Axis
from lm_eval_sensitivity.text.format import percent
from lm_eval_sensitivity.types import Note

SIGNS = {"+": "above 0", "-": "below 0", "unclear": "unclear"}
NO_LABEL = "no label"
FULL, PROMPTS_OF_FULL = "prompt_sensitivity_full", 96
"""The task with the most prompts, and how many those are."""
_BEHIND: dict[Axis, tuple[str, ...]] = {
    axis: tuple(dict.fromkeys(name for signs, _ in rules for name in signs)) for axis, rules in AXES.items()
}
"""The contrasts that the word of an axis rests on."""
_DRIFT_SYMBOL = " b: drift from the reference's outputs on the identical prompts, base and harmless variants;"


_ANSWER_SYMBOLS = (
    "p: share of the harmless edits of a document that change its answer; b: share of its prompts, unedited and "
    "edited, that get another answer than from the reference; f: the unedited prompts asked again, which is the noise "
    "floor. All are means over documents. Whether meaning moves a system is not asked of a task: read its own score "
    "beside this."
)


def symbols_in_words(found: DriftStatement) -> Note:
    """What p, c, b and f are.

    Returns:
        One note; b is in it only with a reference.
    """
    if found.selection.of_answers:
        return Note("method", _ANSWER_SYMBOLS)
    drift = "" if found.reference is None else _DRIFT_SYMBOL
    return Note(
        "method",
        f"p: distance under meaning-preserving edits; c: under the positive control;{drift} f: the identical rung, "
        "which is the noise floor. All are means over prompts.",
    )


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
            f"{percent(found.constants.k_response)} further than harmless edits do. Drift is undefined; stable, "
            "drifted and more sensitive cannot be told from each other, nor collapsed from indiscriminate. Give "
            "`--reference RUN`.",
        )


def verdict_in_words(system: SystemDrift, constants: Constants) -> Note | None:
    """What is said of one system.

    Args:
        system: with its verdict.
        constants: of the rules.

    Returns:
        Words, label, numbers and reasons; None for the reference.
    """
    name = system.system
    if system.verdict is not None:
        verdict = system.verdict
        words = [
            f"{name}: {beside_in_words(verdict)}",
            *drift_in_words(verdict, system.drift, system.answers),
            verdict.numbers,
            *_alive_alone(system),
            *_drift_source(system),
        ]
        said = [*words, *_silence(system), *verdict.reasons, *_drift_reasons(system)]
        return Note("finding", " ".join(said), (name,))
    if system.reduced is not None:
        reduced = system.reduced
        said = [f"{name}: {reduced.label}.", *_silence(system), *reduced.reasons]
        return Note("finding", " ".join(said), (name,))
    return None


def beside_in_words(verdict: Verdict) -> str:
    """The three words, the label, and where there is none what would settle it.

    Args:
        verdict: beside a reference.

    Returns:
        One sentence or two.
    """
    if verdict.label == INVALID_PROBE:
        return f"{verdict.label}, {verdict.meaning}."
    if verdict.label == UNDETERMINED:
        return " ".join([f"{verdict.in_words}: {NO_LABEL}.", *_what_settles(verdict)])
    return f"{verdict.in_words}: {verdict.label}, {verdict.meaning}."


def _what_settles(verdict: Verdict) -> Iterator[str]:
    """How many prompts more would give the words that are open; of other reasons for them the reasons speak."""
    needed = {name for axis, word in verdict.words.items() if word == "unclear" for name in _BEHIND[axis]}
    found = [each for each in verdict.contrasts if each.name in needed and each.prompts_to_settle is not None]
    if not found:
        return
    n = min(each.bounds.n for each in found)
    needs = max(each.prompts_to_settle or 0 for each in found)
    about = f"about {max(needs, n + 1):,} would settle it if the numbers stay as they are"
    if n >= PROMPTS_OF_FULL:
        yield f"{n} prompts do not settle it: {about}."
    elif needs > PROMPTS_OF_FULL:
        yield f"{n} prompts: {about}; {FULL} has {PROMPTS_OF_FULL}."
    else:
        yield f"{n} prompts: run {FULL} (the published ladder's {PROMPTS_OF_FULL} prompts); {about}."


def drift_in_words(verdict: Verdict, drift: SystemMean | None, answers: tuple[int, int]) -> Iterator[str]:
    """How many answers differ from the reference's, and by how much; a drift of 0 is no proof that there is none.

    Args:
        verdict: beside a reference.
        drift: b over its prompts.
        answers: to base prompts, that differ and that were compared.

    Returns:
        One sentence; none where nothing was compared.
    """
    changed, n = answers
    if drift is None or not n or math.isnan(verdict.drift_distance):
        return
    b, yardstick = verdict.drift_distance, verdict.drift_yardstick
    if drift.n_zero == drift.mean.n:
        share = percent(round(1 - (1 - verdict.constants.level) ** (1 / n), 2))
        yield (
            f"None of {drift.counts.n_pairs} answers differs from the reference's: with {n} prompts, drift in up to "
            f"{share} of such prompts is not excluded."
        )
        return
    factor = 1 if verdict.drift == "near" and b < yardstick else verdict.constants.drift_factor
    moves = f"than {'' if factor == 1 else f'{factor:g} times what '}a harmless edit moves it"
    how = {"near": f", by less {moves}", "far": f", by more {moves}"}.get(verdict.drift, "")
    word = "Drift" if verdict.drift == "unclear" else verdict.drift.capitalize()
    yield (
        f"{word}: {changed} of {n} answers differ{'s' if changed == 1 else ''} from the reference's{how} "
        f"(b {b:.3g}, p_ref {yardstick:.3g})."
    )


def _alive_alone(system: SystemDrift) -> Iterator[str]:
    """A system that lost much of a large response may still be alive by itself."""
    verdict = system.verdict
    if (
        verdict is None
        or verdict.response != "collapsed"
        or system.silent_share > verdict.constants.k_control
    ):
        return
    if ("L_R", "+") in {(each.name, each.sign) for each in verdict.contrasts}:
        further = percent(verdict.constants.k_response)
        yield (
            f"By the rule that needs no reference it is {ALIVE}: meaning moves it more than {further} further than "
            "harmless edits do."
        )


def _drift_source(system: SystemDrift) -> Iterator[str]:
    if not system.drift_source:
        return
    drift, over = system.drift, ""
    if drift is not None and drift.counts.n_pairs:
        over = f", over {drift.counts.n_pairs} texts of {drift.counts.n_prompts} prompts"
    yield f"Drift: {system.drift_source}{over}."


def _silence(system: SystemDrift) -> Iterator[str]:
    """The share of pairs that left no trace in the distances."""
    if system.silent_share > 0:
        of = "its pairs" if system.verdict is None else "the pairs that the reference has a number for"
        yield f"Silent share: {percent(system.silent_share)} of {of}."


def _drift_reasons(system: SystemDrift) -> Iterator[str]:
    if system.drift_missing:
        kinds = ", ".join(f"{count} {kind}" for kind, count in system.drift_missing)
        yield f"Texts without drift: {kinds}."
    if system.drift_message:
        yield f"Why drift was not measured: {system.drift_message}"


def constants_in_words(found: DriftStatement) -> Note:
    """The declared constants of the rules.

    Returns:
        One note; without a reference on those constants alone that are used then.
    """
    k = found.constants
    if found.selection.of_answers:
        declared = f"kP = {k.k_harmless:g}, lambda = {k.drift_factor:g}"
    else:
        declared = (
            f"kC = {k.k_control:g}, kR = {k.k_response:g}, kP = {k.k_harmless:g}, lambda = {k.drift_factor:g}"
        )
    if found.reference is None:
        return Note(
            "method",
            f"Constants, declared beforehand: kR = {k.k_response:g}; one-sided {percent(k.level)} bounds. Alive: c - "
            f"{1 + k.k_response:g} p is above 0, and at most {percent(k.k_control)} of the pairs are silent.",
        )
    return Note(
        "method",
        f"Constants, declared beforehand: {declared}; one-sided {percent(k.level)} bounds. A contrast is above 0 where "
        "its lower bound is, below 0 where its upper bound is, else unclear.",
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
    further = f"{percent(k.k_response)} further than harmless edits do"
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
        ("L_R", "+"): f"meaning moves it more than {further}",
        ("L_R", "-"): f"meaning moves it not {further}",
        ("L_R", "unclear"): f"unclear whether meaning moves it {further}",
        ("L_P", "+"): f"more than {more} more sensitive to harmless edits",
        ("L_P", "-"): f"not more than {more} more sensitive to harmless edits",
        ("L_P", "unclear"): f"unclear whether it is more than {more} more sensitive",
        ("L_D", "+"): f"further from the reference than {factor}what a harmless edit moves that",
        ("L_D", "-"): f"nearer to the reference than {factor}what a harmless edit moves that",
        ("L_D", "unclear"): f"unclear whether drift exceeds {factor}what a harmless edit moves the reference",
    }


def _reduced_words(contrast: AxisContrast, k: Constants) -> str:
    if not contrast.formula.startswith("spread"):
        return _words(k)["L_R", contrast.sign]
    further = f"{percent(k.k_response)} further than harmless edits do"
    return {
        "+": f"another prompt moves it more than {further}",
        "-": f"another prompt moves it not {further}",
        "unclear": f"unclear whether another prompt moves it {further}",
    }[contrast.sign]
