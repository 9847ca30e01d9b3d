"""Strangers' texts inside Markdown: white space made visible, and nothing in them read as markup."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_NAMES = {"\n": "↵", "\t": "⇥", "\u00a0": "⍽"}
_IDENTIFIER = re.compile(r"[\w./+-]+", re.ASCII)
# Entities are never read as markup, inside `<code>` neither: backticks would need a fence around every cell, and a
# vertical bar would still end it.
_ENTITIES = str.maketrans({character: f"&#{ord(character)};" for character in "&<>|`\\*_[]~$"})


def visible(text: str, *, spaces: bool = False) -> str:
    r"""A text on one line, in which white space, invisible characters and combining accents are seen.

    Args:
        text: any text.
        spaces: show plain spaces as well, as `·`.

    Returns:
        Markdown is not escaped here: see `plain`.

    Example:
        >>> visible("two\u200b words\n\u00a0e\u0301"), visible(" ", spaces=True)
        ('two[U+200B] words↵⍽e◌́', '·')
    """
    return "".join(_visible(character, spaces) for character in text)


def _visible(character: str, spaces: bool) -> str:
    if character == " ":
        return "·" if spaces else " "
    if character in _NAMES:
        return _NAMES[character]
    category = unicodedata.category(character)
    if category == "Mn":
        return "◌" + character
    return f"[U+{ord(character):04X}]" if category[0] in "CZ" else character


def plain(text: str) -> str:
    """A text as Markdown that shows exactly that text.

    Args:
        text: anything at all.

    Returns:
        One line, for a table cell as well.

    Example:
        >>> plain("a | b <i>")
        'a &#124; b &#60;i&#62;'
    """
    return visible(text).translate(_ENTITIES)


def code(text: str) -> str:
    """A text in the fixed-width font, safe in a table cell; `visible` is left to the caller.

    Args:
        text: made visible before.

    Returns:
        Markdown for a table cell as well.

    Example:
        >>> code("f(x) | `g`"), code("drop_apostrophe")
        ('<code>f(x) &#124; &#96;g&#96;</code>', '`drop_apostrophe`')
    """
    if _IDENTIFIER.fullmatch(text):
        return f"`{text}`"
    return f"<code>{text.translate(_ENTITIES)}</code>"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, numbers_from: int) -> str:
    """A Markdown table; the columns from `numbers_from` on are aligned to the right.

    Args:
        headings: finished Markdown.
        rows: finished Markdown cells, as many as there are headings.
        numbers_from: position of the first column of numbers.

    Returns:
        Lines without a line break at the end.

    Example:
        >>> print(table(["edit", "pairs"], [["nbsp", 9]], numbers_from=1))
        | edit | pairs |
        |---|---:|
        | nbsp | 9 |
    """
    rules = ["---" if position < numbers_from else "---:" for position in range(len(headings))]
    lines = [headings, *rows]
    shown = [f"| {' | '.join(map(str, cells))} |" for cells in lines]
    return "\n".join([shown[0], f"|{'|'.join(rules)}|", *shown[1:]])
