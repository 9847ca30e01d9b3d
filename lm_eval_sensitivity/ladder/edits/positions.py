"""Finding the place of an edit: word gaps, brackets, and the middle-most of several candidates.

Edits take the middle-most place instead of a random one. The choice then depends on the text alone,
so neither the order of the edits nor the number of workers can change the ladder.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lm_eval_sensitivity.ladder.edits.words import (
    ABBREVIATIONS,
    CLOSING_WORDS,
    DETERMINERS,
    FUNCTION_WORDS,
    LINKING_WORDS,
    MANNER_WORDS,
    OPENING_WORDS,
    PAIRED_WORDS,
    PLACE_WORDS,
    PLURALS_WITHOUT_S,
    REFERRING_WORDS,
    REGIONS,
    SUMMARY_WORDS,
)

PERIODS = ".。।۔"
FINAL_MARKS = PERIODS + "?!？！؟"
"""Marks that end a sentence, in Latin, East Asian, Indic and Arabic writing."""
MARKS = ",.;:?!"
"""Marks that follow a word without a space, in Latin writing."""
CLOSERS = "\"'”’»)]*_`"
"""What may stand between a mark and the space after it."""

TEXT_BLOCK = re.compile(r"[^\n]+(?:\n[^\n]+)*")
"""A paragraph: the lines between two blank ones."""

# The dot that ends an item number (`1. Item`, `b. Item`) does not end a sentence.
_LINE_MARKER = re.compile(r"[ \t]*(?:[-*+>•#]+|(?:\d{1,3}|[A-Za-z])[.)])")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])*")  # `J`, `e.g`, `u.s`
_LAST_WORD = re.compile(r"[^\s()\[\]]+\Z")
_STARTS_AS_MARKUP = re.compile(r"\s*(?:[-*+•]\s|#{1,6}\s|>|\||```|~~~|(?:\d{1,3}|[A-Za-z])[.)]\s)|\s{4}")
_BRACKETS = {")": "(", "]": "[", "}": "{", "）": "（"}

_CLAUSE_STOP = re.compile(r"[.?!…;:](?=\s|\Z)|[\n\"“”„«»()\[\]{}`—–]")
_ITEM_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*|\d+(?:[.,]\d+)?")
_SINGULARS_IN_S = ("ss", "us", "is", "ics")


def middle_most(positions: Iterable[int], length: int) -> int | None:
    """The position nearest to the middle of a text of `length` characters; the earlier of two.

    Returns:
        A position, or None where there is none to choose.

    Example:
        >>> middle_most([1, 4, 6, 9], 10)
        4
        >>> middle_most([], 10) is None
        True
    """
    return min(positions, key=lambda position: (abs(2 * position - length), position), default=None)


def is_word_character(character: str) -> bool:
    """Whether a character is part of a word.

    The pattern `\\w` leaves out combining marks, which end many words in Hindi or Thai.

    Args:
        character: exactly one.

    Returns:
        True for letters, digits and the marks that combine with them, in any script.

    Example:
        >>> [is_word_character(each) for each in ("a", "7", "\\u0301", "_")]
        [True, True, True, False]
    """
    return unicodedata.category(character)[0] in "LMN"


def word_gaps(text: str) -> list[int]:
    """Positions of single spaces between two words of one line, in any script.

    A space after a list or heading marker is left out: there it is markup.

    Returns:
        Positions in characters, ascending.

    Example:
        >>> word_gaps("One, two  three\\n- four five")
        [4, 22]
    """
    return [
        position
        for position in range(1, len(text) - 1)
        if text[position] == " "
        and is_word_character(text[position + 1])
        and (is_word_character(text[position - 1]) or text[position - 1] in MARKS)
        and not ends_line_marker(text, position)
    ]


def ends_line_marker(text: str, position: int) -> bool:
    """True when the line up to `position` is nothing but a list or heading marker.

    Returns:
        False for an empty line, and for what is too long for a marker.

    Example:
        >>> ends_line_marker("- tea", 1), ends_line_marker("- tea", 3)
        (True, False)
    """
    line_start = text.rfind("\n", 0, position) + 1
    # A marker is short; a bound keeps long lines from being copied at every space.
    return position - line_start <= 12 and _LINE_MARKER.fullmatch(text, line_start, position) is not None


def bracketed(text: str) -> bytearray:
    """One byte per character: 1 inside matched brackets, the brackets included.

    Returns:
        Shape [character], 0 or 1.

    Example:
        >>> list(bracketed("a (b) :("))
        [0, 0, 1, 1, 1, 0, 0, 0]
    """
    inside = bytearray(len(text))
    opened: list[int] = []
    for position, character in enumerate(text):
        if character in _BRACKETS.values():
            opened.append(position)
        elif opened and _BRACKETS.get(character) == text[opened[-1]]:
            start = opened.pop()
            inside[start : position + 1] = b"\1" * (position + 1 - start)
    return inside


def ends_sentence(text: str, period: int) -> bool:
    """Whether a period ends a sentence that another one follows.

    A lower-case word after it, an abbreviation or initial before it, an item number or a run of marks
    speak against it.

    Args:
        text: the whole prompt.
        period: position of a final mark, of any script.

    Returns:
        False also for the last sentence.

    Example:
        >>> text = "Ask Dr. Low. Then go."
        >>> [at for at, mark in enumerate(text) if mark == "." and ends_sentence(text, at)]
        [11]
    """
    following = _next_visible(text, period + 1)
    if (
        not following
        or following in FINAL_MARKS
        or following.islower()
        or text[period - 1 : period] in FINAL_MARKS
    ):
        return False
    if text[period] != ".":
        return True  # the periods of other scripts do nothing else
    match = _LAST_WORD.search(text, max(0, period - 20), period)
    word = match.group().lower().strip("\"'“”‘’") if match else ""
    is_abbreviation = word in ABBREVIATIONS or _INITIALS.fullmatch(word) is not None
    return text[period + 1].isspace() and not is_abbreviation and not ends_line_marker(text, period + 1)


def starts_as_markup(text: str) -> bool:
    """True when a text or line opens with a list, heading, quotation, table or code marker.

    Returns:
        True also for an indentation of four spaces.

    Example:
        >>> starts_as_markup("1. Item"), starts_as_markup("1.5 items")
        (True, False)
    """
    return _STARTS_AS_MARKUP.match(text) is not None


def plain_blocks(text: str) -> list[tuple[int, int]]:
    """Spans of the paragraphs in which no line is markup or indented.

    A list item can go on in the next line without a marker, so one marked line rules out its
    paragraph.

    Returns:
        (start, end) of each paragraph, half-open, in characters.

    Example:
        >>> plain_blocks("One\\ntwo\\n\\n- three\\nfour")
        [(0, 7)]
    """
    return [
        match.span()
        for match in TEXT_BLOCK.finditer(text)
        if not any(
            line.startswith(("  ", "\t")) or starts_as_markup(line) for line in match.group().split("\n")
        )
    ]


def series_commas(text: str) -> Iterator[tuple[int, int]]:
    """The comma before the last item of each English list of three or more.

    An item is one word, or two to four that open with the same kind of determiner as the other
    items. Commas look alike after an opening phrase (`In winter, cats and dogs sleep`), between clauses,
    before a noun's explanation (`my parents, Anna and Ben`) and between adjectives; where the words do
    not rule these out the list is left out.

    Yields:
        Start and end of the comma in text order, equal where it is missing.

    Example:
        >>> list(series_commas("Buy tea, milk and salt. Compare ink, chalk, and lead. I came, and she left."))
        [(13, 13), (42, 43)]
    """
    for start, end, is_closed in _clauses(text.rstrip()):
        pieces = _pieces(text, start, end)
        refers = False
        for index in range(1, len(pieces)):
            words = pieces[index].words
            joint = next((at for at, word in enumerate(words) if word in ("and", "or")), None)
            missing = joint != 0  # without a comma the item before `and` stands in the same piece
            first = index - 1 if missing else index - 2
            refers = refers or any(word.lower() in REFERRING_WORDS for word in pieces[index - 1].words)
            if joint is None or first < 0:
                continue
            item = words[:joint] if missing else pieces[index - 1].words
            last = _last_item(words[joint + 1 :], pieces[index + 1 : index + 2], is_closed)
            if (
                last
                and _are_parallel(pieces[first].words, item, last)
                and (
                    _is_inner_item(pieces, first)
                    or (not refers and _opens_list(pieces[first].words, item, last, words[joint], first > 0))
                    or _names_roles(pieces[first].words, item, last)
                )
            ):
                comma = pieces[index].start + len(" ".join(item)) if missing else pieces[index - 1].end
                yield comma, comma if missing else comma + 1


class _Piece(NamedTuple):
    """A part of a clause between commas."""

    start: int
    end: int
    words: list[str]


def _clauses(text: str) -> Iterator[tuple[int, int, bool]]:
    """Spans without a stronger mark than a comma inside, and whether the clause is complete at its end.

    Left out are those whose start may lie elsewhere: after a quotation, a bracket or an abbreviation.
    """
    start, is_opened = 0, True
    for stop in _CLAUSE_STOP.finditer(text):
        at, mark = stop.start(), stop.group()
        is_blank = not text[start:at].strip()
        if is_opened and not is_blank:
            yield start, at, mark in ".?!…;:" or text[at + 1 : at + 2] == "\n"
        is_opened = (
            mark in "?!…;:" or (mark == "." and ends_sentence(text, at)) or (mark == "\n" and is_blank)
        )
        start = at + 1
    if is_opened and text[start:].strip():
        yield start, len(text), True


def _pieces(text: str, start: int, end: int) -> list[_Piece]:
    start += len(text[start:end]) - len(text[start:end].lstrip())
    pieces = []
    for part in text[start:end].split(", "):
        pieces.append(_Piece(start, start + len(part), part.split(" ")))
        start += len(part) + 2
    # A list marker or an emoji hides how the clause begins.
    return pieces if _ITEM_WORD.fullmatch(pieces[0].words[0]) else []


def _last_item(words: list[str], following: list[_Piece], is_closed: bool) -> list[str] | None:
    """The item after `and`, or None where something else than the end of the list may follow it."""
    links = LINKING_WORDS - {"of"} if words and _kind(words) else LINKING_WORDS
    end = next((at for at, word in enumerate(words[:6]) if word in links), len(words))
    if not _is_item(words[:end]):
        return None
    if end == len(words) and following:
        rest = following[0].words
        if rest[0][:1].isupper():
            return None  # `Paris, France and Lima, Peru`
        # `bread, salt and pepper, and oil`: the two are one item of a longer list.
        return None if _is_item(rest[1:] if rest[0] in ("and", "or") else rest) else words
    return words[:end] if end < len(words) or is_closed else None


def _is_item(words: list[str]) -> bool:
    content = words[1:] if words and _kind(words) else words
    return (
        1 <= len(words) <= 4
        and 1 <= len(content) <= (1 if content is words else 3)
        and all(_ITEM_WORD.fullmatch(word) for word in words)
        and not any(_is_function_word(word) and word != "of" for word in content)
        and "of" not in (content[0], content[-1])
    )


def _kind(words: list[str]) -> str:
    """What kind of determiner opens an item; empty for none."""
    return "number" if words[0][:1].isdigit() else DETERMINERS.get(words[0].lower(), "")


def _are_parallel(before: list[str], item: list[str], last: list[str]) -> bool:
    """True when three items have the same form. Of the first, `before`, only the end is known."""
    if not _is_item(item) or not _ITEM_WORD.fullmatch(before[-1]) or _is_function_word(before[-1]):
        return False
    kind = _kind(item)
    heads = [before[-1], item[-1], last[-1]]
    # `with the columns Who, What and When`: the determiner is not that of the name.
    tail = before[-2:-1] if heads[0][0].isupper() else before[-4:-1]
    # `the use of iron`: the determiner is not that of `iron`. `2 g of iron` is one item.
    links = [] if kind else [at for at, word in enumerate(tail, 1) if word in LINKING_WORDS or word == "as"]
    kinds = {_kind([word]) for word in tail[max(links, default=0) :]}
    lowered = [head.lower() for head in heads]
    return (
        kind == _kind(last)
        and (kind in kinds if kind else not any(kinds))
        and len(set(lowered)) == 3
        and len({head[0].isupper() for head in heads}) == 1
        and len({head.endswith("ly") for head in lowered}) == 1
        and (lowered[0] in REGIONS or lowered[1] not in REGIONS)
        and (lowered[0] in MANNER_WORDS) == (lowered[1] in MANNER_WORDS)
        and PAIRED_WORDS.isdisjoint({(lowered[1], lowered[2]), (lowered[2], lowered[1])})
    )


def _is_inner_item(pieces: list[_Piece], index: int) -> bool:
    """True when the piece is an item between two commas: then no noun before a pair, but a longer list."""
    words = pieces[index].words
    return (
        index > 0
        and _is_item(words)
        and not any(word.lower() in OPENING_WORDS or word.lower() in CLOSING_WORDS for word in words)
        # `In Paris, France, Anna and Ben met`: a place in two parts, no list.
        and not (words[-1][0].isupper() and pieces[index - 1].words[0].lower() in OPENING_WORDS)
    )


def _opens_list(before: list[str], item: list[str], last: list[str], joint: str, is_later: bool) -> bool:
    """True when the end of `before` is the first of three items, and nothing that the other two explain.

    `is_later`: before it the clause has another piece.
    """
    opening, head = before[0].lower(), before[-1].lower()
    if len(before) < 2 or opening in OPENING_WORDS:
        return False
    if re.fullmatch(r"\w{2,}(?:ed|ing)", opening) and not _is_verb_of_list(before, item, is_later):
        return False
    if head in SUMMARY_WORDS or head in CLOSING_WORDS:
        return False
    if before[-1][0].isupper():
        return before[-2].lower() not in PLACE_WORDS
    # `Choose a side, left or right`: with `or`, only a name is surely no other word for the pair.
    if joint == "or" or (_kind(item) == "number" and _is_plural(head)):
        return False
    return _is_plural(head) in (_is_plural(item[-1]), _is_plural(last[-1]))


def _is_verb_of_list(before: list[str], item: list[str], is_later: bool) -> bool:
    """True for `Loved the pool, the staff ...` and `..., using only smell, sound ...`; not `Compared to ...`."""
    if not LINKING_WORDS.isdisjoint(before):
        return False
    return is_later or (len(before) > 2 and bool(_kind(item)) and _kind(before[1:]) == _kind(item))


def _names_roles(before: list[str], item: list[str], last: list[str]) -> bool:
    """True for `Label it as positive, negative or mixed`: after `as` and one word no explanation follows."""
    return (
        len(before) > 3
        and before[-2] == "as"
        and len(item) == len(last) == 1
        and before[-1].lower() not in OPENING_WORDS | {"usual", "normal", "ever", "such"}
        and not before[-1].endswith(("ed", "ing"))
    )


def _is_function_word(word: str) -> bool:
    """A capital letter inside a clause makes a name of a function word: `the columns Who, What and When`."""
    return word.lower() in FUNCTION_WORDS and (word == "I" or word.islower())


def _is_plural(word: str) -> bool:
    word = word.lower()
    return word in PLURALS_WITHOUT_S or (word.endswith("s") and not word.endswith(_SINGULARS_IN_S))


def _next_visible(text: str, position: int) -> str:
    while position < len(text) and text[position].isspace():
        position += 1
    return text[position : position + 1]
