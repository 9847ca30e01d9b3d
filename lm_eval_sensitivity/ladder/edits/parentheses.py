"""Which words of English prose may be put in parentheses, and which of them are most likely nouns."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from lm_eval_sensitivity.ladder.edits.positions import MARKS
from lm_eval_sensitivity.ladder.edits.words import (
    ABBREVIATIONS,
    ARTICLES,
    CONTRACTIONS,
    DETERMINERS,
    FUNCTION_WORDS,
    LIMITING_WORDS,
    LINKING_WORDS,
    MANNER_WORDS,
)

_VERB_ENDINGS = ("ly", "ing", "ed")
_GOES_ON = LINKING_WORDS | {"and", "or", "but", "as", "who", "which", "that"}
_AUXILIARIES = {"do", "does", "did"}
_REACH = 60  # characters looked at on each side; three words fit in
_MORE_ITEMS = re.compile(r"(?:, [\w'’-]+(?: [\w'’-]+){0,3}?)+,? (?:and|or)\b")


@dataclass(frozen=True)
class _Surroundings:
    """One word and what stands beside it."""

    word: str
    before: list[str]
    """Tokens before the word, their marks included."""
    after: list[str]
    following: str
    """The text right after the word."""

    @property
    def previous(self) -> str:
        return self.before[-1].lower() if self.before else "."

    @property
    def is_closed(self) -> bool:
        """True when a mark or the end of the line follows the word."""
        return self.following[:1] in ("", "\n", *MARKS)


def can_stand_in_parentheses(text: str, start: int, end: int) -> bool:
    """Whether parentheses around `text[start:end]` withdraw nothing and break no expression.

    Returns:
        False where in doubt.

    Example:
        >>> can_stand_in_parentheses("a quiet garden", 8, 14), can_stand_in_parentheses("only tea", 5, 8)
        (True, False)
    """
    around = _around(text, start, end)
    if around.following[:1] == "." and around.word in ABBREVIATIONS:
        return False
    if any(_is_limit(word) for word in around.before[-2:]):
        return False
    if around.previous in ("to", "from") or around.before[-2:] == ["at", "a"]:
        return False
    return not _is_list_item(around) and not _is_beside_symbol(around) and _is_no_verb(around)


def closes_noun_phrase(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is a word between an article or preposition and a mark or function word.

    Returns:
        True for what is most likely a noun.

    Example:
        >>> closes_noun_phrase("the garden is big", 4, 10), closes_noun_phrase("the quiet garden", 4, 9)
        (True, False)
    """
    around = _around(text, start, end)
    follows = around.after[0].rstrip(MARKS) if around.after and not around.is_closed else ""
    if around.word.endswith(_VERB_ENDINGS) or around.word in MANNER_WORDS:
        return False
    if _opens_phrase(around.previous):
        return around.is_closed or (follows in FUNCTION_WORDS and follows not in ("of", "one", "ones"))
    if around.previous in MANNER_WORDS and around.is_closed:
        return True
    return _is_second(around) and (
        around.is_closed or (follows in _GOES_ON and not around.word.endswith("s"))
    )


def _around(text: str, start: int, end: int) -> _Surroundings:
    following = text[end : end + _REACH]
    before = text[max(0, start - _REACH) : start].split()
    return _Surroundings(text[start:end], before, following.lstrip(MARKS).split(), following)


def _opens_phrase(word: str) -> bool:
    is_possessive = word.endswith(("'s", "’s")) and word.replace("’", "'") not in CONTRACTIONS
    return word in ARTICLES or word in LINKING_WORDS - {"to", "from"} or is_possessive


def _is_no_verb(around: _Surroundings) -> bool:
    """True where the words beside it speak against a verb: a determiner before it, or a mark after it."""
    if around.word.endswith("est") and not around.is_closed and FUNCTION_WORDS.isdisjoint(around.after[:1]):
        return False  # a superlative narrows the noun after it
    if _opens_phrase(around.previous) or around.previous in DETERMINERS or around.previous in MANNER_WORDS:
        return True
    is_predicate = around.previous in FUNCTION_WORDS or around.word.endswith(("ing", "ed"))
    if _is_second(around) and not around.word.endswith(("s", "ed", "ing")):
        return around.is_closed or not _GOES_ON.isdisjoint(around.after[:1])
    return around.is_closed and not is_predicate


def _is_second(around: _Surroundings) -> bool:
    """True for the second word of a phrase (`a bus driver`); in `What do its marks mean?` it may be the verb."""
    return (
        len(around.before) > 1
        and _opens_phrase(around.before[-2].lower())
        and around.previous[-1] not in MARKS
        and not (around.following[:1] == "?" and not _AUXILIARIES.isdisjoint(around.before))
        and around.previous not in FUNCTION_WORDS
    )


def _is_list_item(around: _Surroundings) -> bool:
    if _MORE_ITEMS.match(around.following):
        return True
    is_joined = around.after[:1] in (["and"], ["or"])
    if is_joined and around.after[1:2] and around.after[1][-1] in MARKS:
        return True  # `in hours and minutes?`
    if around.previous in ("and", "or") and around.is_closed:
        return True
    return (around.following[:1] == "," or is_joined) and any(
        word.endswith(",") for word in around.before[-2:]
    )


def _is_beside_symbol(around: _Surroundings) -> bool:
    """True when a bracket, a number, an operator or code is next to the word, in the same clause."""
    if around.previous.endswith((")", "]")) or any(word.startswith(("(", "[")) for word in around.after[:1]):
        return True
    neighbors = [] if around.previous[-1] in MARKS else [around.previous]
    neighbors += [] if around.is_closed else around.after[:1]
    return any(_is_symbol(character) for word in neighbors for character in word)


def _is_symbol(character: str) -> bool:
    """True for digits, operators, currencies and the marks of code; an emoji is none of them."""
    return character in '`*/^|_@#&%\\"“”' or unicodedata.category(character) in ("Nd", "No", "Nl", "Sm", "Sc")


def _is_limit(word: str) -> bool:
    word = word.lower()
    return word in LIMITING_WORDS or word.endswith(("n't", "n’t"))
