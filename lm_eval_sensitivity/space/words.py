"""Values of an address in words."""

from __future__ import annotations

from lm_eval_sensitivity.glossary import GLOSSARY, Kind

_SPOKEN: tuple[Kind, ...] = ("filter", "rung set")
WHOLE = "whole"
"""Value of `window` for the whole output."""

WORDS = {each.name: each.title for kind in _SPOKEN for each in GLOSSARY[kind].values()} | {
    WHOLE: "whole output"
}
"""Words for values that do not speak for themselves."""


def words_of(value: str) -> str:
    """A value for the reader.

    Args:
        value: a metric, window, filter or rung set.

    Returns:
        Words; the value as it is typed where it has none of its own.

    Example:
        >>> words_of("cosine_distance"), words_of("64"), words_of("raw")
        ('cosine_distance', 'first 64 tokens', 'raw: the whole output')
    """
    if value.isdigit():
        return f"first {value} tokens"
    return WORDS.get(value, value)
