"""Edits of the format around a question: casing, separator and spacing of the names of its fields.

After Sclar et al., Quantifying language models' sensitivity to spurious features in prompt design (ICLR 2024), who draw
such formats at random. Here they are a fixed set, so that every model is asked in the same ones.

A field is a line of the task's template that begins with up to three words and a colon, `Question:` or `Answer:`. What
comes out of the document is never edited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lm_eval_sensitivity.types import Rung

_FIELD = re.compile(
    r"^(?P<name>[^\W\d_][\w'-]{0,20}(?: [\w'-]{1,20}){0,2})(?P<colon>:)(?P<space> ?)", re.MULTILINE
)
_SHORTEST = 3
"""Characters of a text from a document that is looked for in the prompt; `A` would be found everywhere."""


@dataclass(frozen=True)
class Field:
    """One name of a field in a prompt."""

    start: int
    name: str
    space: str
    """Between the colon and what follows: one space, or nothing."""

    @property
    def end(self) -> int:
        """One past the colon and the space."""
        return self.start + len(self.name) + 1 + len(self.space)


FieldEdit = Callable[[Field, str], tuple[int, str]]
"""A field and the whole prompt -> where the replaced part begins, and what stands there up to the field's end."""


@dataclass(frozen=True)
class FormatEdit:
    """One edit of every field of a prompt."""

    name: str
    meaning: str
    """In words."""
    function: FieldEdit
    rung: Rung = "punctuation"

    def __call__(self, prompt: str, material: Iterable[str]) -> str | None:
        """Edit a prompt.

        Args:
            prompt: as the task's template renders it.
            material: texts that come out of the document.

        Returns:
            The prompt; None where there is no field, or none that this edit changes.

        Example:
            >>> FORMATS["format_upper"]("Question: Why: so?\\nAnswer:", ["Why: so?"])
            'QUESTION: Why: so?\\nANSWER:'
            >>> FORMATS["format_upper"]("Why?", ["Why?"]) is None
            True
        """
        edited = prompt
        for field in reversed(fields_of(prompt, material)):
            start, text = self.function(field, prompt)
            edited = edited[:start] + text + edited[field.end :]
        return None if edited == prompt else edited


def fields_of(prompt: str, material: Iterable[str]) -> list[Field]:
    """The fields of a prompt that its template wrote.

    Args:
        prompt: as the task's template renders it.
        material: texts that come out of the document.

    Example:
        >>> [field.name for field in fields_of("Question: Note: why?\\nAnswer:", ["Note: why?"])]
        ['Question', 'Answer']
    """
    taken = bytearray(len(prompt))
    for text in material:
        at = prompt.find(text) if len(text) >= _SHORTEST else -1
        while at >= 0:
            taken[at : at + len(text)] = b"\1" * len(text)
            at = prompt.find(text, at + len(text))
    return [
        Field(match.start(), match["name"], match["space"])
        for match in _FIELD.finditer(prompt)
        if not any(taken[match.start() : match.end("colon")])
    ]


def _named(change: Callable[[str], str]) -> FieldEdit:
    return lambda field, prompt: (field.start, f"{change(field.name)}:{field.space}")


def _separated(separator: str) -> FieldEdit:
    """By another separator in place of the colon and its space, without white space at the end of a line."""

    def edit(field: Field, prompt: str) -> tuple[int, str]:
        ends_line = prompt[field.end : field.end + 1] in ("", "\n")
        return field.start, field.name + (separator.rstrip() + field.space if ends_line else separator)

    return edit


def _before(joint: str) -> FieldEdit:
    """With something else in place of the line break before it."""

    def edit(field: Field, prompt: str) -> tuple[int, str]:
        own = f"{field.name}:{field.space}"
        single = field.start > 0 and prompt[: field.start].endswith("\n")
        if not single or prompt[: field.start].endswith("\n\n"):
            return field.start, own
        return field.start - 1, joint + own

    return edit


FORMATS: dict[str, FormatEdit] = {
    edit.name: edit
    for edit in (
        FormatEdit("format_upper", "names of fields in capitals", _named(str.upper)),
        FormatEdit("format_lower", "names of fields in small letters", _named(str.lower)),
        FormatEdit("format_dash", "a dash in place of the colon", _separated(" - ")),
        FormatEdit("format_double_colon", "two colons in place of one", _separated(":: ")),
        FormatEdit("format_no_space", "no space after the colon", _separated(":")),
        FormatEdit("format_newline", "what a field holds in a new line", _separated(":\n")),
        FormatEdit("format_blank_line", "a blank line between fields", _before("\n\n")),
        FormatEdit("format_one_line", "all fields in one line", _before(" ")),
    )
}
"""Every edit of a format by name. What one does is frozen with the version of the edits."""
