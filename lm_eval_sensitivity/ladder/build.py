"""Building a ladder: authored sources and rule edits become pairs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.replacements import apply_replacements, minimal_replacement
from lm_eval_sensitivity.ladder.schema import IDENTICAL_EDIT, is_meaning_preserving
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS, AuthoredPrompt, Source
from lm_eval_sensitivity.ladder.spread import spread_pairs
from lm_eval_sensitivity.types import RUNGS, Origin, Pair, Replacement, Rung


def build_pairs(source: Source) -> list[Pair]:
    """All pairs of a source, mildest rung first.

    Within a rung the order is edit by edit, and within an edit prompt by prompt, so that the first
    rows of a rung span many prompts. Rule edits that are not applicable to a base, and authored
    variants that nobody wrote, have no row.

    Returns:
        One pair per prompt and applicable edit, each with the replacements that give its variant; where the
        source has the spread design, its part of them.

    Raises:
        InputError: the budget is too small for the prompts.

    Example:
        >>> prompt = AuthoredPrompt("greeting", "creative_writing", "Write a greeting.", {})
        >>> [pair.pair_id for pair in build_pairs(Source("0.1.0", (prompt,)))][:3]
        ['greeting/identical', 'greeting/leading_space', 'greeting/trailing_space']
    """
    pairs = [
        pair
        for rung in RUNGS
        for edit in (*edits_of_rung(rung), *(name for name, own in source.own_edits.items() if own == rung))
        for prompt in source.prompts
        for pair in _pairs_of(prompt, edit, rung, source.ladder_version)
    ]
    return spread_pairs(pairs, source.budget) if source.design == "spread" else pairs


def edits_of_rung(rung: Rung) -> list[str]:
    """The edit ids that stand on a rung, in the order of the ladder.

    Returns:
        Edit ids: those of rules first, then the authored ones.

    Example:
        >>> edits_of_rung("positive_control")
        ['control_reversal', 'control_topic']
    """
    if rung == "identical":
        return [IDENTICAL_EDIT]
    by_rule = [edit.name for edit in EDITS.values() if edit.rung == rung]
    return by_rule + [name for name, rung_of_edit in AUTHORED_EDITS.items() if rung_of_edit == rung]


def _pairs_of(prompt: AuthoredPrompt, edit: str, rung: Rung, version: str) -> Iterator[Pair]:
    """The pair of one prompt and one edit, or nothing where the edit does not apply."""
    make = partial(_pair, prompt, edit, rung, version)
    if edit == IDENTICAL_EDIT:
        yield make((), "rule", "")
    elif edit in EDITS:
        replacements = EDITS[edit](prompt.base)
        if replacements is not None:
            yield make(replacements, "rule", "")
    elif edit in prompt.variants:
        authored = prompt.variants[edit]
        yield make(minimal_replacement(prompt.base, authored.text), "authored", authored.reason)


def _pair(
    prompt: AuthoredPrompt,
    edit: str,
    rung: Rung,
    version: str,
    replacements: tuple[Replacement, ...],
    origin: Origin,
    reason: str,
) -> Pair:
    return Pair(
        pair_id=f"{prompt.prompt_id}/{edit}",
        prompt_id=prompt.prompt_id,
        category=prompt.category,
        rung=rung,
        rung_index=RUNGS.index(rung),
        edit=edit,
        base=prompt.base,
        variant=apply_replacements(prompt.base, replacements),
        meaning_preserving=is_meaning_preserving(rung),
        origin=origin,
        reason=reason,
        replacements=replacements,
        ladder_version=version,
    )
