"""What cannot be seen is seen, and nothing that is shown is active."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.space.texts import MARK_COUNTS, in_plain_text, shown, visible

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
    "character",
    [
        *("\u00a0", "\u200b", "\u202e", "\u2066", "\x1b", "\x00", "\ufeff", "\u3000", "\n", "\t", "\u00ad"),
        *("\u3164", "\u115f", "\u1160", "\uffa0", "\u2800", "\u034f", "\u17b4", "\u2060"),
        *("\ufe00", "\ufe0f", "\u180b", "\u180f", "\U000e0100", "\U000e01ef"),
    ],
)
def test_what_an_edit_hides_is_a_mark_of_its_own(character: str) -> None:
    pieces = visible(f"a{character}b")
    assert [piece.is_mark for piece in pieces] == [False, True, False]
    assert pieces[1].name


def test_spaces_are_seen_where_they_could_be_overlooked() -> None:
    shown = "".join(piece.text for piece in visible(" a b  c \nd "))
    assert shown == "·a b··c·⏎d·"


@pytest.mark.parametrize("text", ["ﬁ Ünïcödé", "한국어", "日本語", "عربى", "ไทย", "नमस्ते", "e\u0301", "🎉"])
def test_letters_of_any_script_and_their_accents_are_no_marks(text: str) -> None:
    assert not [piece for piece in visible(text) if piece.is_mark]


@given(ANY_TEXT, st.integers(1, 120))
def test_what_is_shown_fits_and_what_is_cut_is_counted(text: str, longest: int) -> None:
    pieces, n_cut = shown(text, longest)
    taken = sum(MARK_COUNTS if piece.is_mark else len(piece.text) for piece in pieces)
    assert taken <= longest
    n_shown = sum(1 if piece.is_mark else len(piece.text) for piece in pieces)
    assert n_shown + n_cut == len(text)
    assert shown(text, MARK_COUNTS * len(text) + 1) == (visible(text), 0)


def test_a_space_before_the_cut_is_not_taken_for_one_at_the_end() -> None:
    assert [piece.text for piece in shown("ab cd", 3)[0]] == ["ab "]
    assert [piece.text for piece in shown("abcd", 4)[0]] == ["abcd"]


@given(ANY_TEXT)
def test_where_no_element_can_stand_a_text_is_printable_and_short(text: str) -> None:
    words = in_plain_text(text, 40)
    assert words.isprintable()
    assert len(words) <= 2 * 40 + 1, "brackets around marks, and a sign that it is cut"
