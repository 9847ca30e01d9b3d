"""Loops, flags and output spread: what must trigger, and what ordinary text must not."""

from __future__ import annotations

import numpy as np
import pytest

from lm_eval_sensitivity.metrics import CollapseFlags, collapse_flags, has_loop

NORMAL = (
    "To install the package, open a terminal and type the command below. Then open a second terminal, "
    "start the server, and check that the page loads. If it does not, read the log, look for the first "
    "error, and search the page of known problems for it. Most errors come from a wrong version."
)


LOOPS = {
    "4-gram": [1, 2, 3, 4] * 6,
    "one token": [9] * 24,
    "late loop": list(range(50)) + [1, 2, 3, 4, 5] * 12,
    "repeated paragraph": list(range(100)) + list(range(200, 250)) * 2,  # last half has period 50
    "six 4-grams": [1, 2, 3, 4, 99] * 5 + [1, 2, 3, 4],  # the last half being too short to tell
    "refrain": ["I", "cannot", "help", "with", "that."] * 8,
    "a list that counts for ever": [symbol for n in range(12) for symbol in (100 + n, 1, 2, 3, 4, 5)],
}
NO_LOOPS = {
    "empty": [],
    "one": [1],
    "words": NORMAL.split(),
    "a ruled line of dashes": [9] * 23,
    "laugh": ["ha"] * 4,
    "last third": list(range(40)) + [7] * 16,  # a periodic third is not a periodic half
    "five 4-grams": [1, 2, 3, 4, 99] * 5,
    "seven separators": [n if n % 80 else 7 for n in range(512) for _ in range(1 if n % 80 else 4)],
    "recovered": [1, 2, 3, 4] * 8 + list(range(100, 140)),  # it got out of its loop
    "once and a bit": [*range(100), *range(200, 260), *range(200, 240)],  # period fits less than twice
}


@pytest.mark.parametrize("name", [*LOOPS, *NO_LOOPS])
def test_loops(name: str) -> None:
    assert has_loop({**LOOPS, **NO_LOOPS}[name]) == (name in LOOPS)


def test_overlapping_occurrences_are_not_counted_twice() -> None:
    assert not has_loop([5] * 9, min_half=100)  # six overlapping 4-grams, two that do not overlap
    assert has_loop([5] * 8, repeats=2, min_half=100)


def test_a_string_is_refused_because_its_characters_are_no_symbols() -> None:
    with pytest.raises(TypeError, match="split"):
        has_loop(NORMAL)
    with pytest.raises(TypeError, match="split"):
        collapse_flags("", cut=False, unclosed=False)


def test_arrays_and_lists_agree() -> None:
    sequence = list(range(50)) + [1, 2, 3] * 30
    assert has_loop(np.array(sequence, dtype=np.int32))
    assert not has_loop(np.arange(90, dtype=np.int32))


def test_flags() -> None:
    assert collapse_flags(NORMAL.split(), cut=False, unclosed=False) == CollapseFlags(
        False, False, False, False
    )
    assert collapse_flags([], cut=False, unclosed=True) == CollapseFlags(True, False, False, True)
    looped = collapse_flags(np.zeros(512, dtype=np.int32), cut=True, unclosed=False)
    assert looped == CollapseFlags(empty=False, loop=True, cut=True, unclosed=False)
