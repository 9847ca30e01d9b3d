"""Telling the request of a prompt from the material it hands over: lists, data, pasted text.

A semicolon in a data row or a blank line in a pasted message changes what the model has to work on, not how the
request is put. Punctuation edits therefore stay in the request. No-op edits, which nobody sees, prefer it
and may fall back to other prose, but never touch a list, a table or a row of data.

What is told apart is the form alone. Where that leaves a doubt, a place counts as material.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lm_eval_sensitivity.ladder.edits.positions import CLOSERS, FINAL_MARKS, TEXT_BLOCK, starts_as_markup
from lm_eval_sensitivity.ladder.edits.protected import BLANK_LINE, Protection, blanked

_COLON = re.compile(r":(?=\s)|：")
_POINTER = re.compile(r"\b(?:below|following|this|these)\b", re.IGNORECASE)
_BELOW = re.compile(r"\bbelow\b[^\n]{0,20}\Z", re.IGNORECASE)
_DATA_ROW = re.compile(r"[\d,=\t|]")
_VISIBLE = re.compile(r"\S")
_ENDS_PARAGRAPH = re.compile(r"[.?!]?[ \t]*(?:\n|\Z)")
_NEW_SENTENCE = re.compile(r" [^\W\d_a-z]")

_WORD_LIKE = re.compile(r"[^\W\d_][^\s\d=,.;:?!+*/^()|-]")
_LONG_LINE = 40  # characters: a wrapped line of prose rather than a verse, a name or a row


class Request:
    """Answers which places of one text belong to the request, and which at least to prose.

    Prose are the lines before the first list item, heading, table row or indented line of their paragraph,
    unless they look like data: hardly any words, or short lines below each other that end no sentence.
    Material starts after the first colon, or in the paragraph after a `this`, `these`, `below` or
    `following`. Where a list, rows of data, code or a quotation is handed over there, which can be told from
    prose, the request goes on after it.

    Args:
        text: the whole prompt.
        protection: that of the same text.

    Example:
        >>> text = "Sum it up: It rains."
        >>> request = Request(text, Protection(text))
        >>> request.has(2), request.has(14), request.is_prose(14), request.material_start
        (True, False, True, 9)
    """

    def __init__(self, text: str, protection: Protection) -> None:
        self._prose = bytearray(len(text))
        for start, end in _prose_lines(text, protection):
            self._prose[start:end] = b"\1" * (end - start)
        self.material_start = _material_start(text, protection, self._prose)
        """First character that may be material; the length of the text where there is none."""

    def has(self, position: int) -> bool:
        """True when the character at this position is part of the request."""
        return position < self.material_start and self.is_prose(position)

    def is_prose(self, position: int) -> bool:
        """True when the character at this position is in a sentence, of the request or of the material."""
        return bool(self._prose[position])

    def prefer(self, positions: list[int], choose: Callable[[list[int]], int | None]) -> int | None:
        """Choose a position in the request, or else in other prose.

        Args:
            positions: candidates.
            choose: takes one of some of them, or None.

        Returns:
            What `choose` takes; None where it takes none in any prose.
        """
        of_request = choose([at for at in positions if self.has(at)])
        return choose([at for at in positions if self.is_prose(at)]) if of_request is None else of_request


def _material_start(text: str, protection: Protection, prose: bytearray) -> int:
    handed_over = {span.start: span.end for span in protection.spans if span.kind in ("quote", "code")}
    for colon in _COLON.finditer(text):
        if (
            prose[colon.start()]
            and not (
                protection.covers(*colon.span())
                or _is_set_apart(text, colon.end(), handed_over)
                # The material is below, and the colon opens the details.
                or (
                    _BELOW.search(text, max(0, colon.start() - 30), colon.start())
                    and "\n\n" in text[colon.end() :]
                )
            )
        ):
            start = colon.start()
            break
    else:
        start = len(text)
    pointers = (match for match in _POINTER.finditer(text) if not protection.covers(*match.span()))
    pointer = next(pointers, None)
    blank = BLANK_LINE.search(text, pointer.end()) if pointer else None
    if blank and not _is_set_apart(text, blank.end(), handed_over):
        start = min(start, blank.end())
    return start


def _is_set_apart(text: str, start: int, handed_over: dict[int, int]) -> bool:
    """True when what follows is a list, data, code or a quotation, after which the prompt has a new start."""
    visible = _VISIBLE.search(text, start)
    if visible is None:
        return False
    if text[visible.start() - 1] == "\n" and _is_list_or_data(text, visible.start()):
        return True
    end = handed_over.get(visible.start())
    if end is None:
        return False
    if _ENDS_PARAGRAPH.match(text, end):
        return True
    return text[end - 2] in FINAL_MARKS and _NEW_SENTENCE.match(text, end) is not None


def _is_list_or_data(text: str, start: int) -> bool:
    blank = BLANK_LINE.search(text, start)
    lines = text[start : blank.start() if blank else len(text)].split("\n")
    return starts_as_markup(lines[0]) or (
        len(lines) > 1
        and all(_DATA_ROW.search(line) and not _is_sentence(line, len(lines)) for line in lines)
    )


def _prose_lines(text: str, protection: Protection) -> Iterator[tuple[int, int]]:
    code = (span for span in protection.spans if span.kind == "code")
    fenced = blanked(text, [span for span in code if "\n" in text[span.start : span.end]], "\n")
    visible = blanked(text, [span for span in protection.spans if span.kind != "number"], " ")
    for block in TEXT_BLOCK.finditer(text):
        lines, start = block.group().split("\n"), block.start()
        for line in lines:
            end = start + len(line)
            if fenced[start] != "\n":
                if line.startswith(("  ", "\t")) or starts_as_markup(line):
                    break  # an item can go on in the next line, without a marker
                if _is_sentence(line, len(lines)) and _has_words(visible[start:end]):
                    yield start, end
            start = end + 1


def _is_sentence(line: str, n_lines: int) -> bool:
    line = line.rstrip()
    return (
        n_lines == 1
        or len(line) >= _LONG_LINE
        or line.rstrip(CLOSERS + "」』）")[-1:] in (*FINAL_MARKS, ":", "：")
    )


def _has_words(line: str) -> bool:
    """True when at least one token in three has the form of a word; `2x - 4 = x + 5` has none."""
    tokens = line.split()
    return 3 * sum(_WORD_LIKE.search(token) is not None for token in tokens) >= len(tokens)
