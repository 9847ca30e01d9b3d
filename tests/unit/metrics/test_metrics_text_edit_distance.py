"""The edit distance of characters, by hand, in every script; its laws stand with those of the token path."""

from __future__ import annotations

import math

import pytest

from lm_eval_sensitivity.metrics.text_edit_distance import text_edit_distance


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("kitten", "sitting", 3 / 7),
        ("Yes 🎉", "Yes 😭", 1 / 5),
        ("แมวชอบนม", "แมวชอบน้ำ", 2 / 9),
        ("月亮绕着地球转。", "猫喜欢喝牛奶。", 7 / 8),
        ("x² + 1", "x³ + 1", 1 / 6),
        ("🐱", "🐱🥛", 1 / 2),
        ("a b", "a  b", 1 / 4),
        ("", "four", 1.0),
        ("same", "same", 0.0),
        ("\ud800x", "\udc00x", 1 / 2),
    ],
)
def test_by_hand(text: str, other: str, expected: float) -> None:
    assert text_edit_distance(text, other) == text_edit_distance(other, text) == pytest.approx(expected)


def test_two_empty_texts_have_no_character_to_edit() -> None:
    assert math.isnan(text_edit_distance("", ""))


def test_the_triangle_inequality_does_not_hold() -> None:
    """As the docstring says: by way of `aba`, `ab` and `ba` are nearer to each other than directly."""
    assert text_edit_distance("ab", "ba") == 1.0
    assert text_edit_distance("ab", "aba") + text_edit_distance("aba", "ba") == pytest.approx(2 / 3)
