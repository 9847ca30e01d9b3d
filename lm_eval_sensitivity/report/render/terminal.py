"""A document on a terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Literal

from lm_eval_sensitivity.report.blocks import Document, ResultTable, shown

LONGEST_WORD = 24
"""What a column may ask for before a table is split; a longer name is folded."""
MOST_NAMES = 3
"""First columns that may stand again in every part of a table that is split."""
MIN_WIDTH = 6
"""Of a column on a terminal too narrow for its words; narrower still, the terminal breaks the lines."""


def as_terminal(document: Document, width: int | None) -> str:
    """A document for a terminal.

    Args:
        document: what to show.
        width: columns; None where nothing may wrap.

    Returns:
        Plain text; what does not fit is wrapped, never cut.
    """
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
        if not isinstance(part, ResultTable):
            paragraph(part if isinstance(part, str) else ": ".join(filter(None, (part.title, part.text))))
            continue
        paragraph(part.title)
        cells = [tuple(map(shown, row, part.columns)) for row in part.rows]
        texts = [tuple(column.name for column in part.columns), *cells]
        blocks, gap = column_blocks(texts, width)
        for block in blocks:
            widths = column_widths([[line[index] for index in block] for line in texts], width, gap)
            table = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False)
            for index, chosen in zip(block, widths, strict=True):
                column = part.columns[index]
                # Folded, never cut: two names may differ in their last letter.
                justify: Literal["left", "right"] = "right" if column.is_number else "left"
                table.add_column(Text(column.name), justify=justify, overflow="fold", width=chosen)
            for cell_texts in cells:
                table.add_row(*(Text(cell_texts[index]) for index in block))
            console.print(table)
        if part.note:
            paragraph(part.note)
    lines = "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def column_blocks(rows: Sequence[Sequence[str]], width: int | None) -> tuple[list[list[int]], int]:
    """Columns that stand beside each other without a broken word; what does not fit goes on below.

    Args:
        rows: heading and cells, as they are shown.
        width: of the terminal; None where nothing may wrap.

    Returns:
        [block] indexes of columns, every block with the first columns, as many as name the rows; and the blanks
        between two columns: one where that keeps all of them together.

    Example:
        >>> rows = [("system", "noise floor", "prompts"), ("m", "0.0000", "9")]
        >>> [column_blocks(rows, width) for width in (None, 24, 20)]
        [([[0, 1, 2]], 2), ([[0, 1, 2]], 1), ([[0, 1], [0, 2]], 2)]
    """
    words = [min(LONGEST_WORD, longest) for longest in _longest_words(rows)]
    names = _names(rows, words, width)
    wide, narrow = (_blocks(words, names, width, gap) for gap in (2, 1))
    return (narrow, 1) if len(narrow) == 1 < len(wide) else (wide, 2)


def _names(rows: Sequence[Sequence[str]], words: Sequence[int], width: int | None) -> list[int]:
    """The first columns, as many as tell all rows apart; the first alone where these would fill half of the width."""
    for count in range(1, min(MOST_NAMES, len(words)) + 1):
        if width is not None and sum(words[:count]) > width // 2:
            break
        if len({tuple(row[:count]) for row in rows}) == len(rows):
            return list(range(count))
    return [0]


def _blocks(words: Sequence[int], names: Sequence[int], width: int | None, gap: int) -> list[list[int]]:
    blocks = [list(names)]
    for index in range(len(names), len(words)):
        together = [*blocks[-1], index]
        needed = sum(words[each] for each in together)
        if width is not None and len(together) > len(names) + 1 and needed > _room(width, together, gap):
            blocks.append([*names, index])
        else:
            blocks[-1] = together
    return blocks


def _longest_words(rows: Sequence[Sequence[str]]) -> list[int]:
    from rich.cells import cell_len

    columns = zip(*rows, strict=True)
    return [max(cell_len(word) for text in column for word in [*text.split(), " "]) for column in columns]


def _room(width: int, columns: Sequence[object], gap: int) -> int:
    """For letters: what the space between columns leaves."""
    return width - gap * len(columns) - 1


def column_widths(rows: Sequence[Sequence[str]], width: int | None, gap: int = 2) -> list[int]:
    """Widths of columns that fit side by side: lines break between words first, and inside words if they must.

    Args:
        rows: heading and cells, as they are shown.
        width: of the terminal; None where nothing may wrap.
        gap: blanks between two columns.

    Returns:
        [column] characters on a terminal; none is narrowed below `MIN_WIDTH`, so that many columns may stay too wide.

    Example:
        >>> rows = [("name", "p adjusted"), ("m", "0.001")]
        >>> column_widths(rows, None), column_widths(rows, 18), column_widths(rows, 14)
        ([4, 10], [4, 9], [4, 6])
    """
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    widths = [max(1, *map(cell_len, column)) for column in columns]
    words = _longest_words(rows)
    if width is None:
        return widths
    available = _room(width, columns, gap)
    for least in (words, [MIN_WIDTH] * len(columns)):
        while sum(widths) > available:
            slack = [own - low for own, low in zip(widths, least, strict=True)]
            if max(slack) <= 0:
                break
            widest = max(range(len(widths)), key=lambda index: (slack[index] > 0, widths[index]))
            widths[widest] -= 1
    return widths
