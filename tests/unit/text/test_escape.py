"""Strangers' texts inside messages: whatever they hold, a message is one printable line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.text.escape import brief, inert, quoted

ANY_TEXT = st.text(st.characters(blacklist_categories=()), max_size=200)
"""Control and format characters and half surrogates included."""


@given(ANY_TEXT)
def test_nothing_that_is_shown_is_active(text: str) -> None:
    for shown in (inert(text), quoted(text), brief(text)):
        assert shown.isprintable()
        shown.encode("utf-8")


@given(ANY_TEXT)
def test_what_is_printable_stays_and_the_rest_can_be_read_back(text: str) -> None:
    if text.isprintable():
        assert inert(text) == text
    if "\\" not in text:
        escaped = "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
        ascii_only = inert(text).encode("ascii", "backslashreplace").decode("ascii")
        assert ascii_only.encode("ascii").decode("unicode_escape") == text
        assert len(inert(text)) <= len(escaped)


@given(ANY_TEXT)
def test_inert_twice_is_inert(text: str) -> None:
    assert inert(inert(text)) == inert(text)


@given(st.text(min_size=500))
def test_long_texts_are_cut(text: str) -> None:
    assert len(quoted(text)) <= 82
    assert len(brief(text, 100)) <= 106


@given(st.lists(st.text("abcé", min_size=1, max_size=9), min_size=1, max_size=60), st.integers(10, 200))
def test_a_problem_is_cut_between_words(words: list[str], longest: int) -> None:
    shown = brief("\n ".join(words), longest)
    kept = shown.removesuffix(" [...]").split()
    assert kept == words[: len(kept)]
    assert len(shown.removesuffix(" [...]")) <= longest
    if shown.endswith(" [...]"):
        assert len(" ".join(words[: len(kept) + 1])) > longest
    else:
        assert kept == words


def test_a_full_stop_of_somebody_else_does_not_double_ours() -> None:
    assert brief("This is no parquet file.") == "This is no parquet file"
    assert brief("x" * 400, 10) == "x" * 10 + " [...]"
    assert brief("") == ""
