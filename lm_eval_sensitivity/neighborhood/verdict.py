"""What may be said about one prompt's findings, and what stands against believing it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.embedder import MULTILINGUAL_MODEL
from lm_eval_sensitivity.embedder.text_distances import UNREADABLE
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.neighborhood.findings import Findings, Variant
from lm_eval_sensitivity.report.wording import FLAGS_IN_WORDS
from lm_eval_sensitivity.report.wording.unreadable import unreadable_sentence
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Missing, Note


def verdict(findings: Findings) -> str:
    """Say how far the output moved. What the noise floor covers is never called sensitivity.

    Returns:
        One sentence; it says that nothing was scored, or that the floor is unknown, before it counts.
    """
    counts = f"{len(findings.scored)} scored meaning-preserving variants"
    floor, spread = findings.noise_floor, findings.spread
    if not spread:
        return (
            f"Nothing could be scored: of {len(findings.meaning_preserving)} meaning-preserving variants "
            f"{len(findings.erased)} are erased and {findings.n_unscored} unscored. This says nothing about the "
            "model, not that it is stable."
        )
    if spread["largest"] == 0:
        return f"All distances are 0: no output to the {counts} measurably differs from the base's."
    if floor is None:
        return (
            f"{len(findings.above(0))} of {counts} moved the output, but the noise floor could not be measured "
            f"({findings.noise.missing}): how much of it is noise is not known."
        )
    if spread["largest"] <= floor:
        return (
            f"No distance is above the noise floor: {counts} move the output no further than the same prompt "
            "does when it is run twice."
        )
    return f"{len(findings.above(floor))} of {counts} moved the output by more than the noise floor."


def cautions(findings: Findings) -> list[Note]:
    """What could make the distances say something else than the model's sensitivity.

    Returns:
        Notes on inputs, on outputs, and, where no distance is above the floor, on what could fake stillness; empty
        where nothing is suspicious.
    """
    found = [*_about_inputs(findings), *_about_outputs(findings)]
    if findings.spread and findings.spread["largest"] <= (findings.noise_floor or 0):
        found += _about_stillness(findings)
    return [Note("caution", each) for each in found]


def _about_inputs(findings: Findings) -> Iterator[str]:
    if erased := [each for each in findings.variants if each.reached == "erased"]:
        yield (
            f"{len(erased)} of {len(findings.variants) - 1} edits never reached the model ({_names(erased)}): chat "
            "template or tokenizer erases them, so they have no distance."
        )
    tried = {each.edit for each in findings.variants}
    if without_place := [edit for edit in EDITS if edit not in tried]:
        yield f"Edits that find no place in this prompt: {', '.join(without_place)}."
    if any(each.reached == "unknown" for each in findings.meaning_preserving):
        yield (
            "This engine shows no token ids: whether an edit that is not marked as erased reached the model is "
            "not known."
        )
    notes = findings.run.get("notes") or {}
    applied = ((findings.run.get("identity") or {}).get("prompt") or {}).get("chat_template_applied")
    if notes.get("chat_template_available") and not applied:
        yield (
            "The model's tokenizer has a chat template and this run did not use it: a user of the model would "
            "see other outputs. Add --apply_chat_template."
        )


def _about_outputs(findings: Findings) -> Iterator[str]:
    reasons = [Missing.from_text(each.missing) for each in findings.variants if each.missing is not None]
    if count := sum(reason.kind == UNREADABLE for reason in reasons):
        option = f"--embedder {MULTILINGUAL_MODEL}"
        yield unreadable_sentence(count, len(findings.variants), "outputs", option)
    outputs = [findings.base_flags, *(each.flags for each in findings.variants)]
    for flag, words in FLAGS_IN_WORDS.items():
        if count := sum(flag in flags for flags in outputs):
            yield f"{count} of {len(outputs)} outputs {words}."


def _about_stillness(findings: Findings) -> Iterator[str]:
    """What could fake that nothing moved."""
    differ = [each for each in findings.scored if each.first_divergence.character is not None]
    if unseen := [each for each in differ if each.cosine_distance == 0]:
        yield (
            f"{len(unseen)} outputs with distance 0 differ in their text ({_names(unseen)}): the sentence "
            "embedder does not see the difference."
        )
    if hidden := [each for each in findings.scored if each.raw_differs and each not in differ]:
        yield (
            f"{len(hidden)} whole outputs differ although their answers do not ({_names(hidden)}): see "
            "--filter raw."
        )
    distances = [each.cosine_distance for each in findings.variants if each.rung == "positive_control"]
    controls = [distance for distance in distances if distance is not None]
    if not controls:
        yield (
            "No positive control was scored: a model that answers everything alike would look the same. Give a "
            "control_topic with --variants."
        )
    elif max(controls) <= (findings.noise_floor or 0):
        yield (
            "The positive control did not move the output either: this model may answer everything alike, and "
            "then a small distance says nothing."
        )


def _names(variants: Sequence[Variant]) -> str:
    return ", ".join(each.edit for each in variants)


# ---- a limit


@dataclass(frozen=True)
class Check:
    """What `--fail-above` found."""

    limit: float
    status: str
    """`passed`, `failed`, or `blind` if nothing could be scored: what saw nothing must not pass."""
    above: tuple[str, ...]
    """Edits whose distance is above the limit."""
    message: str


def check_limit(findings: Findings, limit: float) -> Check:
    """Compare every scored meaning-preserving distance with a limit.

    Args:
        findings: of the prompt.
        limit: largest accepted cosine distance.

    Returns:
        `failed` where one is above, `blind` where none was scored, else `passed`.
    """
    if above := findings.above(limit):
        listed = ", ".join(f"{each.edit} ({shown_distance(each.cosine_distance)})" for each in above)
        floor = "not known" if findings.noise_floor is None else shown_distance(findings.noise_floor)
        message = f"above {limit:g}: {listed}. The noise floor is {floor}."
        return Check(limit, "failed", tuple(each.edit for each in above), message)
    n_scored = len(findings.scored)
    if not n_scored:
        message = f"nothing could be scored, so nothing is known to be within {limit:g}."
        return Check(limit, "blind", (), message)
    unseen = len(findings.meaning_preserving) - n_scored
    message = f"{n_scored} scored distances are at most {limit:g}; {unseen} variants have none."
    return Check(limit, "passed", (), message)


def shown_distance(distance: float | None) -> str:
    """A distance in print.

    Returns:
        Rounded as everywhere in print; `-` for None.

    Example:
        >>> shown_distance(None)
        '-'
    """
    return "-" if distance is None else in_print(distance)
