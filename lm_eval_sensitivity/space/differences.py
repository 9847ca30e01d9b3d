"""What two texts have in common and what not, word by word, for readers: no distance is computed from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from rapidfuzz.distance import LCSseq

Kind = Literal["same", "gone", "new"]
_NO_BLANKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that part no words by blanks: each of their characters is a unit."""
_UNIT = re.compile(
    rf"\s+|[{_NO_BLANKS}]|(?:(?![{_NO_BLANKS}])(?:\w|[^\w\s\x00-\x7f]|(?<=\w)'(?=\w)))+|[^\w\s]"
)
"""Blanks, a word with its accents, apostrophes and invisible characters, or one sign."""


@dataclass(frozen=True)
class Stretch:
    """A part of one of the texts."""

    kind: Kind
    """`gone`: of the first text only; `new`: of the second text only."""
    start: int
    """First character: of the second text where it is new, else of the first."""
    end: int


def differences(first: str, second: str) -> tuple[Stretch, ...]:
    """Both texts in one row: what they share, what only the first has, and what only the second has.

    Args:
        first: before.
        second: after.

    Returns:
        Stretches in reading order. Those that are shared or gone make up the first text; the number of new ones is
        kept small, so that a change of a phrase is one change.

    Example:
        >>> [(each.kind, each.start, each.end) for each in differences("He held it.", "He had it.")]
        [('same', 0, 3), ('gone', 3, 7), ('new', 3, 6), ('same', 7, 11)]
    """
    units = [_UNIT.findall(text) for text in (first, second)]
    at, to = ([0, *accumulate(map(len, each))] for each in units)
    found = []
    for is_same, i, i_end, j, j_end in _joined(*units):
        if is_same:
            found.append(Stretch("same", at[i], at[i_end]))
            continue
        found += [Stretch("gone", at[i], at[i_end])] * (i < i_end) + [Stretch("new", to[j], to[j_end])] * (
            j < j_end
        )
    return tuple(found)


LARGE = 12
"""Units of a change that is a whole sentence."""
_Block = tuple[bool, int, int, int, int]
"""(whether both have it, units of the first from and to, units of the second from and to)."""


def _joined(first: list[str], second: list[str]) -> Iterator[_Block]:
    """Blocks in which a few shared units between two larger changes belong to the change, and blanks always do; so does
    the full stop after a sentence that is another."""
    held: list[_Block] = []
    for block in _blocks(first, second):
        held.append(block)
        while len(held) >= 3 and not held[-1][0] and _is_swallowed(held[-3], held[-2], held[-1], first):
            (_, i, _, j, _), _, (_, _, i_end, _, j_end) = held[-3:]
            held[-3:] = [(False, i, i_end, j, j_end)]
    if (
        len(held) >= 2
        and held[-1][0]
        and _size(held[-2]) > LARGE
        and not any(map(str.isalnum, first[held[-1][1] :]))
    ):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = held[-2:]
        held[-2:] = [(False, i, i_end, j, j_end)]
    yield from held


def _is_swallowed(before: _Block, shared: _Block, after: _Block, first: list[str]) -> bool:
    if not shared[0] or before[0]:
        return False
    words = [unit for unit in first[shared[1] : shared[2]] if not unit.isspace()]
    return not words or (len(words) <= 2 and min(_size(before), _size(after)) > 2 * len(words))


def _size(block: _Block) -> int:
    return max(block[2] - block[1], block[4] - block[3])


def _blocks(first: list[str], second: list[str]) -> Iterator[_Block]:
    """Neighboring changes are one block."""
    waiting: _Block | None = None
    for found in LCSseq.opcodes(first, second):
        i, i_end, j, j_end = found.src_start, found.src_end, found.dest_start, found.dest_end
        if found.tag != "equal":
            waiting = (False, waiting[1] if waiting else i, i_end, waiting[3] if waiting else j, j_end)
            continue
        if waiting is not None:
            yield waiting
            waiting = None
        yield (True, i, i_end, j, j_end)
    if waiting is not None:
        yield waiting
