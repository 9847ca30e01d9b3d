"""Protected spans: the parts of a prompt that no edit may change.

Code, formulas, links, numbers and quoted text carry the request itself: `1,000` with another comma is another
number, and a quoted sentence is the material to work on. Where a rule is in doubt it protects too
much, because an edit that finds no place is only not applicable, while a wrong place changes the
meaning.

Every pattern here consumes its input in one direction, so that a hostile text of 100,000 characters
costs milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lm_eval_sensitivity.ladder.edits.notation import code_lines, mathematics

ProtectedKind = Literal["code", "math", "link", "number", "quote"]

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n`]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_BACKTICKS = re.compile(r"`+")
BLANK_LINE = re.compile(r"\n[ \t]*\n")

# Quotes and East Asian punctuation end a token: they stand next to a link without a space.
_TOKEN = re.compile(r"[^\s\"<>“”„«»‘「」『』《》（），。、；：！？\0]+")
_LINK_MARK = re.compile(r"://|@|^www\.|\w\.[A-Za-z]{2}")  # two letters: `p.m` is no name

# Only Latin letters join a number (`3D`, `GPT-4`, `10th`): Chinese or Thai is written without spaces,
# and one digit would protect the whole sentence.
_ALPHANUMERIC = re.compile(r"(?:[A-Za-z]|\d)+(?:[-.,:/'’–−×^·٫٬](?:[A-Za-z]|\d)+)*")
_NUMBER_PREFIX = "+-−±~≈#№$€£¥₹."
_UNIT = re.compile(
    r"[ \u00a0\u202f]?(?:%|‰|°[CFK]?|[€$£¥₹]"
    r"|(?:[kmcdµn]?[gml]|km/h|m/s|mph|ms|s|h|min|[kM]?Wh?|[kMG]?Hz|[kKMGT]i?B|V|A|°|a\.m\.|p\.m\.|am|pm|AM|PM"
    r"|o'clock|percent|degrees?|seconds?|minutes?|hours?|days?|weeks?|months?|years?"
    r"|grams?|kilograms?|lit(?:er|re)s?|millilit(?:er|re)s?|met(?:er|re)s?|kilomet(?:er|re)s?|miles?|inches"
    r"|feet|ounces?|pounds?|euros?|dollars?)(?!\w))"
)

# Hebrew writes a double quote inside abbreviations; it opens and closes nothing.
_GERSHAYIM = re.compile(r"(?<=[\u05d0-\u05ea])\"(?=[\u05d0-\u05ea])")
_QUOTES = (
    # Not after a Latin letter or a digit: there a double quote closes, or means inches.
    re.compile(r"(?<![A-Za-z0-9])\"(?:[^\"\n]|\n(?![ \t]*\n))*\""),
    re.compile(r"“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|»[^«»]*«|「[^「」]*」|『[^『』]*』"),
    # A single quote is an apostrophe between letters (`it's`), so it quotes only at a word's outside.
    re.compile(r"‘(?:[^‘’\n]|’(?=\w))*’(?!\w)"),
    re.compile(r"(?<![\w'])'(?=[^\s'])(?!\d0s\b)(?:[^'\n]|(?<=\w)'(?=\w))*(?<=[^\s'])'(?!\w)"),
)


@dataclass(frozen=True)
class ProtectedSpan:
    """A part of a text that no edit may change."""

    start: int
    """First protected character."""
    end: int
    """One past the last protected character."""
    kind: ProtectedKind
    """`quote` includes its quote characters, which the edit `curly_quotes` alone may exchange."""


@lru_cache(maxsize=64)  # some twenty edits and four checks ask for those of one text in a row
def protected_spans(text: str) -> tuple[ProtectedSpan, ...]:
    """All protected spans of a text, sorted by start. Spans of different kinds may overlap.

    Returns:
        Spans [start, end) in characters.

    Example:
        >>> for span in protected_spans('Run `f(x)` at 14:35, then say "go" to it@example.org.'):
        ...     print(span.kind, span.start, span.end)
        code 4 10
        number 14 19
        quote 30 34
        link 38 52
    """
    code = [ProtectedSpan(*span, "code") for span in _code(text)]
    math = [ProtectedSpan(*span, "math") for span in mathematics(blanked(text, code))]
    code += [ProtectedSpan(*span, "code") for span in code_lines(blanked(text, [*code, *math]))]
    without_code = blanked(text, [*code, *math])
    links = [ProtectedSpan(*span, "link") for span in _links(without_code)]
    plain = blanked(without_code, links)
    numbers = [ProtectedSpan(*span, "number") for span in _numbers(plain)]
    quotes = [ProtectedSpan(*span, "quote") for span in _quotes(plain)]
    return tuple(sorted([*code, *math, *links, *numbers, *quotes], key=lambda span: (span.start, span.end)))


class Protection:
    """Answers quickly whether a place in one text may be changed.

    Args:
        text: the text to protect.

    Example:
        >>> protection = Protection("Add 3.5 to it")
        >>> protection.covers(5, 6), protection.covers(4, 4), protection.covers(7, 8)
        (True, False, False)
    """

    def __init__(self, text: str) -> None:
        self.spans = protected_spans(text)
        self.opens_with_code = any(
            span.kind == "code" and text[span.start] not in "`~" and not text[: span.start].strip()
            for span in self.spans[:2]
        )
        """Whether the first line is code without a fence, in which an indentation counts."""
        self._protected = bytearray(len(text) + 1)
        for span in self.spans:
            self._protected[span.start : span.end] = b"\1" * (span.end - span.start)

    def covers(self, start: int, end: int) -> bool:
        """Whether replacing `text[start:end]` would change a protected span.

        Returns:
            With `start == end` the answer for an insertion, which is free at the edge of a span.
        """
        if start == end:
            return start > 0 and bool(self._protected[start - 1]) and bool(self._protected[start])
        return any(self._protected[start:end])


def blanked(text: str, spans: Iterable[ProtectedSpan], fill: str = "\0") -> str:
    """Overwrite spans, by default by NUL, which no pattern takes for content.

    Args:
        text: the whole prompt.
        spans: of this text.
        fill: one character.

    Returns:
        A text of the same length.

    Example:
        >>> blanked("add 3 to it", protected_spans("add 3 to it"), "#")
        'add # to it'
    """
    characters = list(text)
    for span in spans:
        characters[span.start : span.end] = fill * (span.end - span.start)
    return "".join(characters)


def _code(text: str) -> Iterator[tuple[int, int]]:
    """Fenced blocks, an unclosed one to the end of the text, then inline code between equal runs."""
    fenced = [match.span() for match in _FENCE.finditer(text)]
    yield from fenced
    rest = blanked(text, [ProtectedSpan(*span, "code") for span in fenced])
    runs = [match.span() for match in _BACKTICKS.finditer(rest)]
    index = 0
    while index < len(runs):
        closing = _closing_run(rest, runs, index)
        if closing is not None:
            yield runs[index][0], runs[closing][1]
            index = closing
        index += 1


def _closing_run(text: str, runs: list[tuple[int, int]], opening: int) -> int | None:
    """Index of the next run of equally many backticks in the same paragraph."""
    length = runs[opening][1] - runs[opening][0]
    for index in range(opening + 1, len(runs)):
        gap = text[runs[index - 1][1] : runs[index][0]]
        if "\0" in gap or BLANK_LINE.search(gap):
            return None
        if runs[index][1] - runs[index][0] == length:
            return index
    return None


def _links(text: str) -> Iterator[tuple[int, int]]:
    """Addresses, e-mail addresses, and names with a dot inside, such as `notes.txt`."""
    for match in _TOKEN.finditer(text):
        token = match.group()
        stripped = token.lstrip("([{'*_")
        start = match.start() + len(token) - len(stripped)
        stripped = stripped.rstrip(".,;:!?)]}'’*_")
        if stripped and _LINK_MARK.search(stripped):
            yield start, start + len(stripped)


def _numbers(text: str) -> list[tuple[int, int]]:
    """Numbers with sign, currency, unit and attached letters; `1 000` with a space is one number."""
    spans: list[tuple[int, int]] = []
    for match in _ALPHANUMERIC.finditer(text):
        start, end = match.span()
        if not any(character.isdigit() for character in match.group()):
            continue
        if text[start].isdigit():
            while start > 0 and text[start - 1] in _NUMBER_PREFIX:
                start -= 1
        unit = _UNIT.match(text, end)
        if unit:
            end = unit.end()
        if spans and _is_digit_gap(text, spans[-1][1], start):
            start = spans.pop()[0]
        spans.append((start, end))
    return spans


def _is_digit_gap(text: str, end: int, start: int) -> bool:
    return text[end:start] in (" ", "\u00a0", "\u202f") and text[end - 1].isdigit() and text[start].isdigit()


def _quotes(text: str) -> list[tuple[int, int]]:
    """Quotations, outermost only; crossing ones (`"a 'b" c'`) become one span from first to last."""
    searched = _GERSHAYIM.sub("\0", text)
    found = sorted(match.span() for pattern in _QUOTES for match in pattern.finditer(searched))
    spans: list[tuple[int, int]] = []
    for start, end in found:
        if spans and start < spans[-1][1]:
            start, end = spans[-1][0], max(end, spans.pop()[1])
        spans.append((start, end))
    return spans
