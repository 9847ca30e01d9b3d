"""Punctuation and structural edits: visible, small, and without another meaning.

Every edit takes a text and returns its replacements, or None where it is not applicable. Each makes
exactly one kind of change, outside protected spans.
"""

from __future__ import annotations

import re

from lm_eval_sensitivity.ladder.edits.places import (
    FINAL_MARKS,
    PERIODS,
    bracketed,
    ends_sentence,
    middle_most,
)
from lm_eval_sensitivity.ladder.edits.protected import Protection
from lm_eval_sensitivity.ladder.edits.registry import register
from lm_eval_sensitivity.ladder.edits.words import FUNCTION_WORDS, looks_english
from lm_eval_sensitivity.types import Replacement

_SEMICOLONS = {",": ";", "،": "؛", "，": "；"}

_COMMA = re.compile(r"(?<=\w)[,،](?= )|(?<=\w)，(?=\w)")
_WORD = re.compile(r"(?<!\S)[^\W\d_]{4,}(?=[\s,.;:?!]|\Z)")
_STARTS_AS_MARKUP = re.compile(r"\s*(?:[-*+•]\s|#{1,6}\s|>|\||```|~~~|(?:\d{1,3}|[A-Za-z])[.)]\s)|\s{4}")


@register("punctuation")
def duplicate_period(text: str) -> tuple[Replacement, ...] | None:
    """The final period is doubled.

    A text that does not end in a single period gets the middle-most of its other sentence-final
    periods doubled. None of either: not applicable.

    Example:
        >>> duplicate_period("Hello there.")  # 'Hello there..'
        (Replacement(start=12, end=12, replacement='.'),)
        >>> duplicate_period("It rains. Why?")  # 'It rains.. Why?'
        (Replacement(start=9, end=9, replacement='.'),)
    """
    protection = Protection(text)
    final = _final_mark(text, PERIODS, protection)
    if final is None:
        final = middle_most(_inner_sentence_periods(text, protection), len(text))
    return None if final is None else (Replacement(final + 1, final + 1, text[final]),)


@register("punctuation")
def comma_semicolon(text: str) -> tuple[Replacement, ...] | None:
    """The middle-most unprotected comma between words becomes a semicolon, in the same script.

    Commas inside brackets stay: `f(x, y)` without backticks is still code.

    Example:
        >>> comma_semicolon("Well, choose red, or blue.")  # 'Well, choose red; or blue.'
        (Replacement(start=16, end=17, replacement=';'),)
    """
    protection, inside = Protection(text), bracketed(text)
    commas = [match.start() for match in _COMMA.finditer(text)]
    free = [comma for comma in commas if not inside[comma] and not protection.covers(comma, comma + 1)]
    comma = middle_most(free, len(text))
    return None if comma is None else (Replacement(comma, comma + 1, _SEMICOLONS[text[comma]]),)


@register("punctuation")
def parenthesize_word(text: str) -> tuple[Replacement, ...] | None:
    """The middle-most content word is put in parentheses.

    A content word has four or more lower-case letters and is not in the list of English function
    words. In a text that is not recognisably English the edit is not applicable, because no list
    tells its function words.

    Example:
        >>> parenthesize_word("Why does the sky look blue at noon?")  # '... the sky (look) blue ...'
        (Replacement(start=17, end=17, replacement='('), Replacement(start=21, end=21, replacement=')'))
    """
    if not looks_english(text):
        return None
    protection, inside = Protection(text), bracketed(text)
    spans = {
        match.start() + match.end(): match.span()
        for match in _WORD.finditer(text)
        if match.group().islower()
        and match.group() not in FUNCTION_WORDS
        and not inside[match.start()]
        and not protection.covers(*match.span())
    }
    middle = middle_most(spans, 2 * len(text))
    if middle is None:
        return None
    start, end = spans[middle]
    return (Replacement(start, start, "("), Replacement(end, end, ")"))


@register("punctuation")
def curly_quotes(text: str) -> tuple[Replacement, ...] | None:
    """Straight quotes and apostrophes become typographic ones.

    Exchanged are the quote characters around a quotation and the apostrophes after a letter; nothing
    inside a quotation, in code or in a number changes, and a quote without a partner stays.

    Example:
        >>> from lm_eval_sensitivity.ladder.replacements import apply_replacements
        >>> text = '''Don't say "it's me" in `"code"`.'''
        >>> print(apply_replacements(text, curly_quotes(text)))
        Don’t say “it's me” in `"code"`.
    """
    protection = Protection(text)
    exchanged: dict[int, str] = {}
    for span in protection.spans:
        if span.kind == "quote" and text[span.start] in "\"'" and text[span.start] == text[span.end - 1]:
            opening, closing = ("“", "”") if text[span.start] == '"' else ("‘", "’")
            exchanged[span.start], exchanged[span.end - 1] = opening, closing
    for position in range(1, len(text)):
        is_apostrophe = text[position] == "'" and text[position - 1].isalpha()
        if is_apostrophe and not protection.covers(position, position + 1):
            exchanged[position] = "’"
    return tuple(Replacement(at, at + 1, exchanged[at]) for at in sorted(exchanged)) or None


@register("punctuation")
def drop_final_period(text: str) -> tuple[Replacement, ...] | None:
    """The final period, question mark or exclamation mark is removed.

    Not applicable when the text ends otherwise, or in a run of marks (`...`, `?!`).

    Example:
        >>> drop_final_period("Why does it rain?")  # 'Why does it rain'
        (Replacement(start=16, end=17, replacement=''),)
    """
    final = _final_mark(text, FINAL_MARKS, Protection(text))
    return None if final is None else (Replacement(final, final + 1, ""),)


@register("punctuation")
def bullet_prefix(text: str) -> tuple[Replacement, ...] | None:
    """The text becomes the only item of a Markdown list: `- ` before it.

    Not applicable when the text already starts with markup: a list, a heading, a table, a code block.

    Example:
        >>> bullet_prefix("Hello there.")  # '- Hello there.'
        (Replacement(start=0, end=0, replacement='- '),)
        >>> bullet_prefix("1. First item") is None
        True
    """
    if not text.strip() or _STARTS_AS_MARKUP.match(text):
        return None
    start = len(text) - len(text.lstrip())
    return (Replacement(start, start, "- "),)


def _final_mark(text: str, marks: str, protection: Protection) -> int | None:
    """Position of a single unprotected mark at the end of the text, before trailing white space."""
    final = len(text.rstrip()) - 1
    if final < 1 or text[final] not in marks or text[final - 1] in FINAL_MARKS + "…":
        return None
    return None if protection.covers(final, final + 1) else final


def _inner_sentence_periods(text: str, protection: Protection) -> list[int]:
    """Unprotected periods that end a sentence before the last one."""
    last = len(text.rstrip()) - 1
    return [
        position
        for position in range(1, last)
        if text[position] in PERIODS
        and ends_sentence(text, position)
        and not protection.covers(position, position + 1)
    ]
