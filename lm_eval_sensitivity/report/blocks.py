"""What a command says, once, as records: a document of tables, sentences and sections.

The same document is a table on a terminal, Markdown, CSV, JSON or part of a page (`render/`), so that no form can say
something else than another.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lm_eval_sensitivity.report.figures.style import Drawn, NotDrawn
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Note, NoteKind

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = ("table", "markdown", "csv", "json")
GateFormat = Literal["junit", "comment"]
GATE_FORMATS: tuple[GateFormat, ...] = ("junit", "comment")
"""Forms of a document that has a gate: XML for the tests of a build, and Markdown that fits a comment."""

Cell = str | float | int | None
"""None is a number that is missing, and is shown as a dash; its reason stands in another column or a note."""

_PREFIXES: dict[NoteKind, str] = {
    "caution": "Caution: ",
    "remark": "Remark: ",
    "left_out": "Left out: ",
    "signature": "Signature: ",
}


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    """Heading, and field name in CSV and JSON."""
    digits: int | None = None
    """Decimal places of a number in print; CSV and JSON keep all of them. None for texts, 0 for counts."""
    path: str = ""
    """Where a record has the cell, as in `mean.estimate`; where it is empty, the heading with `_` for spaces."""

    @property
    def is_number(self) -> bool:
        """Numbers stand at the right."""
        return self.digits is not None

    def cell(self, record: Any) -> Cell:
        """The cell of one record.

        Returns:
            What stands at the path; texts of a list joined by commas; None where something on the way is None, and for
            an empty list.

        Example:
            >>> from lm_eval_sensitivity.stats import Cluster
            >>> Column("members").cell(Cluster("a", ("m", "n"))), Column("x", path="y.z").cell(None)
            ('m, n', None)
        """
        for name in (self.path or self.name.replace(" ", "_")).split("."):
            record = None if record is None else getattr(record, name)
        if isinstance(record, tuple):
            return ", ".join(record) or None
        cell: Cell = record
        return cell


def columns(digits: int | None, *names: str) -> tuple[Column, ...]:
    """Columns with the same digits beside each other.

    Args:
        digits: of each.
        *names: headings; a record has the cells under them.

    Example:
        >>> [each.name for each in columns(4, "peak", "at push")]
        ['peak', 'at push']
    """
    return tuple(Column(name, digits) for name in names)


def interval(path: str, digits: int, *names: str) -> tuple[Column, ...]:
    """The three columns of an interval.

    Args:
        path: where a record has the interval.
        digits: of each column.
        *names: headings of estimate, lower and upper bound; by themselves the path, `lower` and `upper`.

    Example:
        >>> [each.path for each in interval("mean", 4)]
        ['mean.estimate', 'mean.lower', 'mean.upper']
    """
    headings = names or (path, "lower", "upper")
    bounds = ("estimate", "lower", "upper")
    return tuple(
        Column(name, digits, f"{path}.{bound}") for name, bound in zip(headings, bounds, strict=True)
    )


MEAN = interval("mean", 4)
COUNTS = tuple(Column(name, 0, f"counts.n_{name}") for name in ("prompts", "pairs", "erased", "unscored"))
"""What every table about systems has, of the records of `statements`."""


@dataclass(frozen=True)
class ResultTable:
    """A table with a caption, in the order of its rows."""

    name: str
    """Short, lower case: names the table in CSV and JSON."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    """What a reader of the table must know."""
    only: tuple[Format, ...] = FORMATS
    """Forms that show this table: a wide one is for reading, the same numbers in rows are for CSV and JSON."""
    is_detail: bool = False
    """What only some readers want to see: a page folds it."""

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.name


def table_of(
    name: str,
    title: str,
    columns: Sequence[Column],
    records: Iterable[Any],
    notes: Iterable[Note | str] = (),
    **options: Any,
) -> ResultTable:
    """A table of records, one row each.

    Args:
        name: of the table.
        title: its caption.
        columns: with the paths of their cells.
        records: in the order of the rows.
        notes: below it; empty ones are left out.
        **options: `only`, `is_detail`.

    Returns:
        The table, one row per record.
    """
    rows = tuple(tuple(column.cell(record) for column in columns) for record in records)
    return ResultTable(
        name, title, tuple(columns), rows, " ".join(filter(None, map(in_words, notes))), **options
    )


@dataclass(frozen=True)
class Verbatim:
    """Somebody's text that must be read as it is; inert already."""

    title: str
    text: str
    only: tuple[Format, ...] = FORMATS


@dataclass(frozen=True)
class Folded:
    """What only some readers want to see."""

    title: str
    parts: tuple[ResultTable | Note | str, ...]


Block = ResultTable | Verbatim | Note | str
Part = Drawn | NotDrawn | Folded | Block


@dataclass(frozen=True)
class CardNumber:
    """One number that is read first."""

    words: str
    """What it is."""
    value: str
    """In print."""
    note: str
    """Its interval, or what to read it with."""


@dataclass(frozen=True)
class Card:
    """One system at a glance."""

    title: str
    verdict: str
    numbers: tuple[CardNumber, ...]
    lines: tuple[str, ...]
    """What else is read first, one sentence each."""
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One part of a page under a heading."""

    title: str
    parts: tuple[Part, ...]
    short: str = ""
    """In the list of contents; the title where it is empty."""


Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Case:
    """What a build counts as one test."""

    group: str
    name: str
    outcome: Outcome
    """`skipped`: not judged, which is no pass."""
    message: str = ""
    """Why it failed or was not judged, or the number with which it passed; a phrase."""
    text: str = ""
    """All that is to be said of it; the message where it is empty."""


@dataclass(frozen=True)
class Gate:
    """What a build and its reviewers read of a document."""

    headline: str
    """The answer in one sentence."""
    numbers: ResultTable
    """Four numbers of each row."""
    failing: tuple[str, ...]
    """What did not pass, one phrase each."""
    details: tuple[ResultTable | Note | str, ...]
    """What only some readers want to see."""
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Document:
    """What one command found."""

    title: str
    parts: tuple[Block, ...]
    """In reading order."""
    data: dict[str, Any] = field(default_factory=dict)
    """Everything, for JSON: the statements, and the signature."""
    gate: Gate | None = None
    """Of a document that a build may pass or fail."""

    def parts_in(self, form: Format) -> tuple[ResultTable | Verbatim | str, ...]:
        """The parts that one form shows.

        Returns:
            Tables, verbatim texts and sentences in reading order; sentences as `in_words` has them.
        """
        return tuple(
            part if isinstance(part, (ResultTable, Verbatim)) else in_words(part)
            for part in self.parts
            if isinstance(part, (Note, str)) or form in part.only
        )

    def tables_in(self, form: Format) -> list[ResultTable]:
        """The tables alone."""
        return [part for part in self.parts_in(form) if isinstance(part, ResultTable)]

    def text_in(self, form: Format) -> list[str]:
        """Sentences and notes of tables, in reading order: the words beside the numbers.

        Returns:
            One text per sentence or note; none is empty.
        """
        words = (
            part if isinstance(part, str) else part.note if isinstance(part, ResultTable) else part.text
            for part in self.parts_in(form)
        )
        return [text for text in words if text]


def in_words(note: Note | str) -> str:
    """A sentence as it is read.

    Returns:
        The text; a caution or a note of another kind that has a word for it stands behind that word.

    Example:
        >>> in_words(Note("caution", "Only 3 prompts.")), in_words("A sentence.")
        ('Caution: Only 3 prompts.', 'A sentence.')
    """
    return note if isinstance(note, str) else _PREFIXES.get(note.kind, "") + note.text


def shown(value: Cell, column: Column) -> str:
    """A cell in print: neither a missing number nor a p-value below its last digit is shown as 0.

    Args:
        value: the cell.
        column: its column.

    Returns:
        `-` for None and NaN; else the text, or the number to the digits of its column.

    Example:
        >>> shown(None, Column("p", 3)), shown(0.00001, Column("p", 3)), shown(0, Column("n"))
        ('-', '<0.001', '0')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, str) or column.digits is None:
        return str(value)
    return in_print(value, column.digits)
