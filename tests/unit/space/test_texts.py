"""What cannot be seen is seen, and nothing that is shown is active."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.space.texts import cut, visible

ANY_TEXT = st.text(st.characters(blacklist_categories=()), max_size=80)


@given(ANY_TEXT)
def test_all_that_is_shown_is_printable_and_nothing_ordinary_is_lost(text: str) -> None:
    pieces = visible(text)
    assert all(piece.text.isprintable() and piece.name.isprintable() for piece in pieces)
    ordinary = "".join(piece.text for piece in pieces if not piece.is_mark)
    position = 0
    for character in ordinary:
        position = text.index(character, position) + 1
    assert len(ordinary) + sum(piece.is_mark for piece in pieces) == len(text)


@pytest.mark.parametrize(
    "character", ["\u00a0", "\u200b", "\u202e", "\u2066", "\x1b", "\x00", "\ufeff", "\u3000", "\n", "\t"]
)
def test_what_an_edit_hides_is_a_mark_of_its_own(character: str) -> None:
    pieces = visible(f"a{character}b")
    assert [piece.is_mark for piece in pieces] == [False, True, False]
    assert pieces[1].name


def test_spaces_are_seen_where_they_could_be_overlooked() -> None:
    shown = "".join(piece.text for piece in visible(" a b  c \nd "))
    assert shown == "·a b··c·⏎d·"


def test_a_cut_says_how_much_is_gone() -> None:
    assert cut("x" * 10, 4).n_cut == 6
    assert cut("x" * 4, 4).n_cut == 0
