"""A synonym row replaces exactly one word by another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation
from lm_eval_sensitivity.ladder.edits import Protection
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import Pair

_WORD = re.compile(r"\S+")


def synonyms_replace_one_word(pairs: Sequence[Pair]) -> Iterator[Violation]:
    """Exactly one unprotected word differs, and no two synonym rows of a prompt replace the same one.

    Yields:
        One violation per synonym row, at its variant.
    """
    taken: dict[int, str] = {}
    for pair in pairs:
        if pair.rung == "synonym":
            found = _replaced_word(pair.base, pair.variant)
            if isinstance(found, str):
                yield Violation("synonym", found, pair.pair_id, "variant")
            elif taken.setdefault(found, pair.pair_id) != pair.pair_id:
                problem = (
                    f"replaces the same word as the row {quoted(taken[found])}; accepted is another word."
                )
                yield Violation("synonym", problem, pair.pair_id, "variant")


def _replaced_word(base: str, variant: str) -> int | str:
    """The number of the one word that differs, or what is wrong."""
    before, after = list(_WORD.finditer(base)), _WORD.findall(variant)
    if len(before) != len(after):
        return f"has {len(after)} words and its base {len(before)}; accepted is one word for one word."
    if _WORD.split(base) != _WORD.split(variant):
        return "has other white space than its base; accepted is one other word and nothing else."
    places = [number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old[0] != new]
    if len(places) != 1:
        return f"differs from its base in {len(places)} words; accepted is exactly one."
    return _word_problem(base, before[places[0]], after[places[0]]) or places[0]


def _word_problem(base: str, old: re.Match[str], new: str) -> str:
    left, word, right = _split_marks(old[0])
    if (left, right) != (_split_marks(new)[0], _split_marks(new)[2]):
        return f"has {quoted(new)} for {quoted(old[0])}; accepted is the same punctuation around the word."
    if word.casefold() == _split_marks(new)[1].casefold():
        return (
            f"has {quoted(new)} for {quoted(old[0])}; accepted is another word, not another spelling of it."
        )
    if Protection(base).covers(old.start() + len(left), old.end() - len(right)):
        return f"replaces {quoted(old[0])}, which stands in code, a number, a link or a quotation; accepted is another."
    return ""


def _split_marks(word: str) -> tuple[str, str, str]:
    """Punctuation before a word, the word, punctuation after it."""
    places = [place for place, character in enumerate(word) if character.isalnum()]
    if not places:
        return word, "", ""
    return word[: places[0]], word[places[0] : places[-1] + 1], word[places[-1] + 1 :]
