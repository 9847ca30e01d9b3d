"""Loop detection against a twin that tries every period and every position of every 4-gram."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_sensitivity.metrics import collapse_flags, has_loop
from lm_eval_sensitivity.metrics.collapse import _smallest_period


@st.composite
def sequences(draw: st.DrawFn) -> list[int]:
    """Random starts followed by a cycle that may be broken once: both sides of every threshold."""
    start = draw(st.lists(st.integers(0, 60), max_size=50))
    cycle = draw(st.lists(st.integers(0, 9), min_size=1, max_size=20))
    tail = (cycle * 40)[: draw(st.integers(0, 60))]
    if draw(st.booleans()) and tail:
        tail[draw(st.integers(0, len(tail) - 1))] = 99
    return start + tail


def naive_period(symbols: list[int]) -> int:
    for period in range(1, len(symbols)):
        if all(symbols[i] == symbols[i + period] for i in range(len(symbols) - period)):
            return period
    return len(symbols)


def naive_occurrences(symbols: list[int], gram: list[int]) -> int:
    count = start = 0
    while start + len(gram) <= len(symbols):
        found = symbols[start : start + len(gram)] == gram
        count += found
        start += len(gram) if found else 1
    return count


def naive_loop(symbols: list[int]) -> bool:
    n = len(symbols)
    frequent = [i for i in range(n - 3) if naive_occurrences(symbols, symbols[i : i + 4]) >= 6]
    last = range(n - n // 2, n)
    if last and sum(any(i <= j < i + 4 for i in frequent) for j in last) >= 0.8 * len(last):
        return True
    half = symbols[n - n // 2 :]
    return len(half) >= 16 and 2 * naive_period(half) <= len(half)


@given(sequences())
@settings(deadline=None, max_examples=300)
def test_loops_against_the_definition(symbols: list[int]) -> None:
    assert has_loop(symbols) == naive_loop(symbols)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40))
def test_periods_against_the_definition(symbols: list[int]) -> None:
    assert _smallest_period(list(symbols)) == naive_period(symbols)


@given(sequences(), st.booleans(), st.booleans())
@settings(deadline=None)
def test_flags_do_not_depend_on_the_names_of_the_tokens(
    symbols: list[int], cut: bool, unclosed: bool
) -> None:
    words = [f"w{symbol}" for symbol in symbols]
    flags = collapse_flags(symbols, cut=cut, unclosed=unclosed)
    assert flags == collapse_flags(words, cut=cut, unclosed=unclosed)
    assert (flags.empty, flags.cut, flags.unclosed) == (not symbols, cut, unclosed)
    assert not (flags.empty and flags.loop)
