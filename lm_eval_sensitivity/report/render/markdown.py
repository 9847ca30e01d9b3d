"""A document in Markdown."""

from __future__ import annotations

import re

from lm_eval_sensitivity.report.blocks import Document, ResultTable, shown


def as_markdown(document: Document) -> str:
    """The document in Markdown; nothing in it that strangers wrote is markup.

    Returns:
        A heading, then tables with headings of their own and paragraphs.
    """
    blocks = [f"# {_escaped(document.title)}"]
    for part in document.parts_in("markdown"):
        if not isinstance(part, ResultTable):
            blocks += (
                [_paragraph(part)]
                if isinstance(part, str)
                else [*([f"{_escaped(part.title)}:"] if part.title else []), _fenced(part.text)]
            )
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


def _fenced(text: str) -> str:
    """A code block, in which nothing is markup."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _paragraph(text: str) -> str:
    """An escaped text that does not begin a heading, a list, a rule or a table."""
    return re.sub(
        r"^([#+=-])|^(\d+)([.)])", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", _escaped(text)
    )
