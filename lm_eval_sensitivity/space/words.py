"""Values of an address in words."""

from __future__ import annotations

WHOLE = "whole"
"""Value of `window` for the whole output."""

WORDS = {
    "meaning_preserving": "all meaning-preserving rungs",
    "raw": "raw: the whole output",
    "answer": "answer: without reasoning",
    WHOLE: "whole output",
}
"""Words for values that do not speak for themselves."""


def words_of(value: str) -> str:
    """A value for the reader.

    Args:
        value: a metric, window, filter or rung set.

    Returns:
        Words; underscores become blanks where it has none of its own.

    Example:
        >>> words_of("cosine_distance"), words_of("64"), words_of("raw")
        ('cosine distance', 'first 64 tokens', 'raw: the whole output')
    """
    if value.isdigit():
        return f"first {value} tokens"
    return WORDS.get(value, value.replace("_", " "))
