"""A positive control for own prompts that nobody wrote one for: another prompt of the same list in their place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from lm_eval_sensitivity.ladder.authoring.checks.texts import LENGTH_RATIOS, letters_of
from lm_eval_sensitivity.ladder.authoring.own_pairs import GENERIC_CONTROL
from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, AuthoredVariant, Source
from lm_eval_sensitivity.types import Rung

RUNG: Rung = "positive_control"
_COMPARED = 32
"""Prompts nearest in length that one is chosen from."""


def with_generic_controls(source: Source) -> Source:
    """Give every prompt without a positive control another prompt of the list as one.

    Of the prompts nearest in length, the one that shares the smallest part of its words is taken; among equals a hash
    of both texts decides, so that the order of the list does not matter. Nothing more is generated: the other prompt
    is a base of the ladder anyway.

    Returns:
        The source with variants under `GENERIC_CONTROL`; unchanged where no prompt gets one. A prompt without another
        of similar length gets none.

    Example:
        >>> prompts = [AuthoredPrompt(name, "uncategorized", base, {}) for name, base in
        ...            [("tea", "Which tea is best?"), ("rain", "Why does it rain?")]]
        >>> with_generic_controls(Source("1", tuple(prompts))).prompts[0].variants[GENERIC_CONTROL].text
        'Why does it rain?'
    """
    controls = {*edits_of_rung(RUNG), *(edit for edit, rung in source.own_edits.items() if rung == RUNG)}
    by_length = sorted(source.prompts, key=lambda prompt: (len(prompt.base), prompt.base))
    places = {prompt.prompt_id: place for place, prompt in enumerate(by_length)}
    prompts = []
    for prompt in source.prompts:
        other = None
        if not controls & prompt.variants.keys():
            start = max(0, places[prompt.prompt_id] - _COMPARED // 2)
            other = _another(prompt, by_length[start : start + _COMPARED + 1])
        prompts.append(prompt if other is None else _controlled(prompt, other))
    if not any(GENERIC_CONTROL in prompt.variants for prompt in prompts):
        return source
    return replace(source, prompts=tuple(prompts), own_edits={**source.own_edits, GENERIC_CONTROL: RUNG})


def shared_words(one: str, other: str) -> float:
    """How much of the vocabulary of two texts is common to them.

    Returns:
        Words of both by words of either, 0 to 1, case aside.

    Example:
        >>> shared_words("Why does it rain?", "Why does it snow?")
        0.6
    """
    first, second = (set(re.findall(r"\w+", text.casefold())) for text in (one, other))
    return len(first & second) / max(len(first | second), 1)


def _another(prompt: AuthoredPrompt, near: Sequence[AuthoredPrompt]) -> AuthoredPrompt | None:
    lowest, highest = LENGTH_RATIOS[RUNG]
    taken = {prompt.base, *(variant.text for variant in prompt.variants.values())}
    letters = letters_of(prompt.base)
    fitting = [
        each
        for each in near
        if lowest <= len(each.base) / len(prompt.base) <= highest
        and each.base not in taken
        and letters_of(each.base) != letters
    ]
    return min(fitting, key=lambda each: _order(prompt.base, each.base), default=None)


def _order(base: str, other: str) -> tuple[float, str]:
    key = hashlib.sha256(f"{base}\0{other}".encode("utf-8", "surrogatepass")).hexdigest()
    return shared_words(base, other), key


def _controlled(prompt: AuthoredPrompt, other: AuthoredPrompt) -> AuthoredPrompt:
    reason = (
        f"Another request: the prompt {other.prompt_id} of the same list, of similar length, in the place of "
        f"{prompt.prompt_id}. Chosen by program."
    )
    return replace(prompt, variants={**prompt.variants, GENERIC_CONTROL: AuthoredVariant(other.base, reason)})
