"""A document in Markdown."""

from __future__ import annotations

import re

from lm_eval_sensitivity.report.blocks import Document, ResultTable, shown


def as_markdown(document: Document) -> str:
    """The document in Markdown; nothing in it that strangers wrote is markup.

    Returns:
        A heading, then tables with headings of their own and paragraphs.
    """
    blocks = [f"# {escaped(document.title)}"]
    for part in document.parts_in("markdown"):
        if isinstance(part, ResultTable):
            blocks += [f"## {escaped(part.title)}", table_rows(part)]
            blocks += [paragraph(part.note)] if part.note else []
        elif isinstance(part, str):
            blocks.append(paragraph(part))
        else:
            blocks += [*([f"{escaped(part.title)}:"] if part.title else []), _fenced(part.text)]
    return "\n\n".join(blocks) + "\n"


def table_rows(table: ResultTable) -> str:
    """A table without its caption.

    Returns:
        One line per row, without the last line break; a cell is never markup.
    """
    header = "| " + " | ".join(escaped(column.name) for column in table.columns) + " |"
    rule = "|" + "".join("---:|" if column.is_number else "---|" for column in table.columns)
    rows = (
        "| "
        + " | ".join(escaped(shown(c, column)) for c, column in zip(row, table.columns, strict=True))
        + " |"
        for row in table.rows
    )
    return "\n".join([header, rule, *rows])


def escaped(text: str) -> str:
    """Markdown that renders as the text itself: names of systems come from strangers."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*[]|~$":
        escaped = escaped.replace(character, f"\\{character}")
    # Underscores inside a word mean nothing, and metrics are full of them; bare addresses become links.
    escaped = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)
    escaped = re.sub(r"(?i)(www)\.", r"\1\.", escaped).replace("://", "\\://").replace("@", "&#64;")
    return " ".join(escaped.split("\n")).strip()


def _fenced(text: str) -> str:
    """A code block, in which nothing is markup."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def paragraph(text: str) -> str:
    """An escaped text that does not begin a heading, a list, a rule or a table."""
    return re.sub(
        r"^([#+=-])|^(\d+)([.)])", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", escaped(text)
    )
