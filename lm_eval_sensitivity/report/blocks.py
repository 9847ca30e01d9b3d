"""What a command says, once, as records; and the four forms in which it can be read.

A command makes a `Document` of tables and paragraphs, with the full data beside it. The same document is
a table on a terminal, Markdown, CSV, or JSON, so that no form can say something else than another.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lm_eval_sensitivity.text.format import in_print, to_json

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = ("table", "markdown", "csv", "json")

MIN_WIDTH = 6
"""Of a column on a terminal too narrow for its words; narrower still, the terminal breaks the lines."""

Cell = str | float | int | None
"""None is a number that is missing, and is shown as a dash; its reason stands in another column or a note."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    """Heading, and field name in CSV and JSON."""
    digits: int | None = None
    """Decimal places of a number in print; CSV and JSON keep all of them. None for texts and counts."""

    @property
    def is_number(self) -> bool:
        """Numbers stand at the right."""
        return self.digits is not None


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

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.name


@dataclass(frozen=True)
class Document:
    """What one command found."""

    title: str
    parts: tuple[ResultTable | str, ...]
    """Tables and paragraphs, in reading order."""
    data: dict[str, Any] = field(default_factory=dict)
    """Everything, for JSON: what the tables round or leave out, and the signature."""

    @property
    def tables(self) -> tuple[ResultTable, ...]:
        """The tables alone."""
        return tuple(part for part in self.parts if isinstance(part, ResultTable))

    def parts_in(self, form: Format) -> tuple[ResultTable | str, ...]:
        """The parts that one form shows."""
        return tuple(part for part in self.parts if isinstance(part, str) or form in part.only)

    def text_in(self, form: Format) -> list[str]:
        """Paragraphs and notes of tables, in reading order: the words beside the numbers."""
        words = (part if isinstance(part, str) else part.note for part in self.parts_in(form))
        return [text for text in words if text]


def render(document: Document, form: Format, *, width: int | None = None) -> str:
    """A document in one of its forms, with a final newline.

    Args:
        document: what to show. Its texts may come from strangers' files and must be inert already.
        form: `table` for a terminal, `markdown`, `csv` (every table, each with its name in the first
            column, and last a table `text` of paragraphs and notes), or `json`.
        width: columns of the terminal; None where nothing may wrap, as in a file.

    Example:
        >>> table = ResultTable("means", "Means", (Column("system"), Column("mean", 3)), (("m", 0.12345),))
        >>> print(render(Document("Example", (table, "A note.")), "markdown"))
        # Example
        <BLANKLINE>
        ## Means
        <BLANKLINE>
        | system | mean |
        |---|---:|
        | m | 0.123 |
        <BLANKLINE>
        A note.
        <BLANKLINE>
    """
    if form == "table":
        return _as_terminal(document, width)
    return {"markdown": _as_markdown, "csv": _as_csv, "json": _as_json}[form](document)


def shown(value: Cell, column: Column) -> str:
    """A cell in print: a missing number is a dash, never 0; a p-value below its last digit is not 0 either.

    Example:
        >>> shown(None, Column("p", 3)), shown(0.00001, Column("p", 3)), shown(0, Column("n"))
        ('-', '<0.001', '0')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, str) or column.digits is None:
        return str(value)
    return in_print(value, column.digits)


def _as_terminal(document: Document, width: int | None) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = io.StringIO()
    # Tables choose their own width below; a console that is narrower would cut them off.
    console = Console(file=stream, width=100_000, highlight=False, markup=False, emoji=False)

    def paragraph(text: str) -> None:
        console.print(Text(text), soft_wrap=width is None, width=width)

    paragraph(document.title)
    for part in document.parts_in("table"):
        console.print()
        if isinstance(part, str):
            paragraph(part)
            continue
        paragraph(part.title)
        cells = [tuple(map(shown, row, part.columns)) for row in part.rows]
        widths = column_widths([tuple(column.name for column in part.columns), *cells], width)
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for column, chosen in zip(part.columns, widths, strict=True):
            # Folded, never cut: two names may differ in their last letter.
            justify: Literal["left", "right"] = "right" if column.is_number else "left"
            table.add_column(Text(column.name), justify=justify, overflow="fold", width=chosen)
        for cell_texts in cells:
            table.add_row(*map(Text, cell_texts))
        console.print(table)
        if part.note:
            paragraph(part.note)
    lines = "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def column_widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """Widths of columns that fit side by side: lines break between words first, and inside words if they must.

    Args:
        rows: heading and cells, as they are shown.
        width: of the terminal; None where nothing may wrap.

    Example:
        >>> rows = [("name", "p adjusted"), ("m", "0.001")]
        >>> column_widths(rows, None), column_widths(rows, 18), column_widths(rows, 14)
        ([4, 10], [4, 9], [4, 6])
    """
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    widths = [max(1, *map(cell_len, column)) for column in columns]
    words = [max(cell_len(word) for text in column for word in [*text.split(), " "]) for column in columns]
    if width is None:
        return widths
    available = width - 2 * len(columns) - 1
    for least in (words, [MIN_WIDTH] * len(columns)):
        while sum(widths) > available:
            slack = [own - low for own, low in zip(widths, least, strict=True)]
            if max(slack) <= 0:
                break
            widest = max(range(len(widths)), key=lambda index: (slack[index] > 0, widths[index]))
            widths[widest] -= 1
    return widths


def _as_markdown(document: Document) -> str:
    blocks = [f"# {_escaped(document.title)}"]
    for part in document.parts_in("markdown"):
        if isinstance(part, str):
            blocks.append(_paragraph(part))
            continue
        header = "| " + " | ".join(_escaped(column.name) for column in part.columns) + " |"
        rule = "|" + "".join("---:|" if column.is_number else "---|" for column in part.columns)
        rows = [
            "| "
            + " | ".join(_escaped(shown(c, column)) for c, column in zip(row, part.columns, strict=True))
            + " |"
            for row in part.rows
        ]
        blocks += [f"## {_escaped(part.title)}", "\n".join([header, rule, *rows])]
        if part.note:
            blocks.append(_paragraph(part.note))
    return "\n\n".join(blocks) + "\n"


def _escaped(text: str) -> str:
    """Markdown that renders as the text itself: names of systems come from strangers."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*[]|~$":
        escaped = escaped.replace(character, f"\\{character}")
    # Underscores inside a word mean nothing, and metrics are full of them; bare addresses become links.
    escaped = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)
    escaped = re.sub(r"(?i)(www)\.", r"\1\.", escaped).replace("://", "\\://").replace("@", "&#64;")
    return " ".join(escaped.split("\n")).strip()


def _paragraph(text: str) -> str:
    """An escaped text that does not begin a heading, a list, a rule or a table."""
    return re.sub(
        r"^([#+=-])|^(\d+)([.)])", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", _escaped(text)
    )


def _as_csv(document: Document) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for table in document.parts_in("csv"):
        if isinstance(table, ResultTable):
            writer.writerow(["table", *(csv_cell(column.name) for column in table.columns)])
            writer.writerows([csv_cell(table.name), *(csv_cell(cell) for cell in row)] for row in table.rows)
            stream.write("\n")
    writer.writerow(["table", "text"])
    writer.writerows(["text", csv_cell(text)] for text in (document.title, *document.text_in("csv")))
    return stream.getvalue()


def csv_cell(cell: Cell) -> Cell:
    """A cell as it is; a missing number is empty, and a text that a spreadsheet would run gets a quote."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return cell


def _as_json(document: Document) -> str:
    tables = {
        table.name: [
            {column.name: cell for column, cell in zip(table.columns, row, strict=True)} for row in table.rows
        ]
        for table in document.parts_in("json")
        if isinstance(table, ResultTable)
    }
    text = document.text_in("json")
    content = {"title": document.title, "tables": tables, "text": text, **document.data}
    return json.dumps(to_json(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
