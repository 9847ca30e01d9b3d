"""Token path against obvious twins: RapidFuzz per prefix, a table filled cell by cell, and laws."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from lm_eval_sensitivity.metrics import edit_distance_curve, first_divergence, token_edit_distance
from lm_eval_sensitivity.metrics.length_change import length_change
from lm_eval_sensitivity.metrics.text_edit_distance import text_edit_distance

# Few symbols, so that sequences share much; lengths differ, so that one side ends first.
tokens = st.lists(st.integers(0, 3), max_size=30)


# Of several scripts, with a combining mark, a character outside the basic plane, and half of one.
texts = st.text(st.sampled_from("ab \u0e41\u0e49\u6708\u0301\U0001f389\ud83c"), max_size=20)


def naive_distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    table = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            substituted = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, substituted)
    return table[-1][-1]


@given(tokens, tokens)
@settings(deadline=None, max_examples=150)
def test_curve_is_the_distance_of_every_prefix(y: list[int], y_prime: list[int]) -> None:
    expected = [naive_distance(y[:t], y_prime[:t]) for t in range(1, max(len(y), len(y_prime)) + 1)]
    assert edit_distance_curve(y, y_prime).tolist() == expected


def test_curve_against_rapidfuzz_at_the_length_of_real_outputs() -> None:
    rng = random.Random(0)
    for edits in (0, 3, 40, 400):
        y = [rng.randrange(200) for _ in range(300)]
        y_prime = list(y)
        for _ in range(edits):
            position = rng.randrange(len(y_prime))
            y_prime[position : position + rng.randrange(2)] = [rng.randrange(200)] * rng.randrange(2)
        curve = edit_distance_curve(y, y_prime)
        assert len(curve) == max(len(y), len(y_prime))
        for t in range(1, len(curve) + 1, 7):
            assert curve[t - 1] == Levenshtein.distance(y[:t], y_prime[:t])
        assert curve[-1] == Levenshtein.distance(y, y_prime)


@given(tokens, tokens)
@settings(deadline=None)
def test_laws_of_the_curve(y: list[int], y_prime: list[int]) -> None:
    curve = edit_distance_curve(y, y_prime)
    shorter = min(len(y), len(y_prime))
    steps = np.diff(np.concatenate([[0], curve]))
    assert (edit_distance_curve(y_prime, y) == curve).all()
    assert (edit_distance_curve(y, y) == 0).all()
    assert (curve <= np.arange(1, len(curve) + 1)).all()
    assert (np.abs(steps) <= 1).all()
    assert (steps[:shorter] >= 0).all()  # while both run, nothing is ever repaired for good


@given(tokens, tokens, tokens)
@settings(deadline=None)
def test_edit_distances_satisfy_the_triangle_inequality(a: list[int], b: list[int], c: list[int]) -> None:
    def end(y: list[int], y_prime: list[int]) -> int:
        return int(edit_distance_curve(y, y_prime)[-1]) if y or y_prime else 0

    assert end(a, c) <= end(a, b) + end(b, c)


@given(tokens, tokens, st.permutations(range(4)))
@settings(deadline=None)
def test_renaming_the_tokens_changes_nothing(y: list[int], y_prime: list[int], names: list[int]) -> None:
    renamed = edit_distance_curve([names[t] for t in y], [names[t] for t in y_prime])
    assert (renamed == edit_distance_curve(y, y_prime)).all()


@given(tokens, tokens)
@settings(deadline=None)
def test_laws_of_the_normalized_distance(y: list[int], y_prime: list[int]) -> None:
    distance = token_edit_distance(y, y_prime)
    assert 0.0 <= distance <= 1.0
    assert (distance == 0.0) == (y == y_prime)
    assert distance == token_edit_distance(y_prime, y)
    if y or y_prime:
        assert distance == Levenshtein.distance(y, y_prime) / max(len(y), len(y_prime))


@given(tokens, tokens, st.booleans())
def test_first_divergence_is_where_the_curve_leaves_zero(y: list[int], y_prime: list[int], cut: bool) -> None:
    divergence = first_divergence(y, y_prime, cut=cut)
    curve = edit_distance_curve(y, y_prime)
    nonzero = np.flatnonzero(curve)
    assert divergence.step == (int(nonzero[0]) if nonzero.size else None)
    assert divergence.censored == (cut and y == y_prime)
    assert divergence == first_divergence(y_prime, y, cut=cut)


@given(tokens, tokens, st.permutations(range(4)))
@settings(deadline=None)
def test_laws_of_the_length_change(y: list[int], y_prime: list[int], names: list[int]) -> None:
    change = length_change(y, y_prime)
    assert math.isnan(change) == (not y and not y_prime)
    if not math.isnan(change):
        assert change == 1 - min(len(y), len(y_prime)) / max(len(y), len(y_prime)) or 0 < change < 1
        assert change == length_change(y_prime, y)
        assert change == length_change([names[token] for token in y], sorted(y_prime))  # only lengths count
        assert (change == 0) == (len(y) == len(y_prime)) and (change == 1) == (not y or not y_prime)
        assert change <= token_edit_distance(y, y_prime)


@given(texts, texts, texts)
@settings(deadline=None)
def test_laws_of_the_text_edit_distance(text: str, other: str, third: str) -> None:
    found = text_edit_distance(text, other)
    longer = max(len(text), len(other))
    if not longer:
        assert math.isnan(found)
        return
    assert found == naive_distance(text, other) / longer  # the table, filled cell by cell
    assert found == text_edit_distance(other, text) == text_edit_distance(text[::-1], other[::-1])
    assert abs(len(text) - len(other)) / longer <= found <= 1
    assert (found == 0) == (text == other)
    # Normalized, the triangle inequality fails; the numbers of edits keep it.
    detour = naive_distance(text, third) + naive_distance(third, other)
    assert found * longer <= detour + 1e-9
