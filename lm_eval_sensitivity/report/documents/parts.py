"""Pieces of documents that commands over runs share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from lm_eval_sensitivity.report.blocks import Cell
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements import Signature
from lm_eval_sensitivity.types import Note

SYSTEMS_PER_TABLE = 6
"""Columns of systems that a terminal of 100 columns holds beside a name."""


def blocks_of_systems(names: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """Systems in blocks that fit side by side.

    Args:
        names: of all systems, in the order of the table.

    Returns:
        (names of the block, at most `SYSTEMS_PER_TABLE`; words for the caption, empty where one block holds all).

    Example:
        >>> [(len(block), words) for block, words in blocks_of_systems(list("abcdefgh"))]
        [(6, ', beside systems 1 to 6 of 8 by name'), (2, ', beside systems 7 to 8 of 8 by name')]
        >>> list(blocks_of_systems(["m"]))
        [(['m'], '')]
    """
    for start in range(0, len(names), SYSTEMS_PER_TABLE):
        block = list(names[start : start + SYSTEMS_PER_TABLE])
        whole = len(block) == len(names)
        yield (
            block,
            "" if whole else f", beside systems {start + 1} to {start + len(block)} of {len(names)} by name",
        )


def headings(taken: Sequence[str], names: Sequence[str]) -> list[str]:
    """Names of systems as headings beside others: a system may be called as a column is.

    Args:
        taken: headings of the other columns.
        names: of the systems, each once.

    Returns:
        One heading per name, no two alike; a prime stands behind a name that is taken.

    Example:
        >>> headings(("system",), ["m", "system"])
        ['m', "system'"]
    """
    used = {*taken}
    found = []
    for name in names:
        heading = name
        while heading in used or (heading != name and heading in names):
            heading += "'"
        used.add(heading)
        found.append(heading)
    return found


def below_rungs(rows: Iterable[tuple[str, tuple[Cell, ...]]]) -> tuple[tuple[Cell, ...], ...]:
    """Rows for reading: each rung's below its name.

    Args:
        rows: (rung, cells), those of a rung in a row.

    Returns:
        The cells, with a row before those of each rung that holds its name and else nothing.

    Example:
        >>> below_rungs([("noop", ("tab", 9)), ("noop", ("nbsp", 9)), ("synonym", ("synonym_1", 9))])
        (('noop:', ''), ('tab', 9), ('nbsp', 9), ('synonym:', ''), ('synonym_1', 9))
    """
    found: list[tuple[Cell, ...]] = []
    for rung, group in groupby(rows, key=itemgetter(0)):
        own = [row for _, row in group]
        found += [(f"{rung}:", *[""] * (len(own[0]) - 1)), *own]
    return tuple(found)


def runs_in_words(pairs: Runs) -> Iterator[Note]:
    """What a reader must know of the runs.

    Returns:
        Remarks in the order of letters, then what was left out, as `what_and_why` orders it.
    """
    yield from sorted(pairs.remarks, key=str)
    yield from (
        replace(each, text=f"{each.about[0]}: {each.text}")
        for each in sorted(pairs.left_out, key=what_and_why)
    )


def what_and_why(left_out: Note) -> tuple[str, str]:
    """Sort key of what was left out.

    Returns:
        (what it is, why).
    """
    return left_out.about[0], left_out.text


def closing(pairs: Runs, signed: Signature) -> tuple[Note, ...]:
    """What stands at the end of every document.

    Args:
        pairs: the runs.
        signed: what the numbers were computed from.

    Returns:
        As `runs_in_words`, and last the signature.
    """
    return (*runs_in_words(pairs), Note("signature", f"{signed.in_words()}."))


def run_data(pairs: Runs, signed: Signature) -> dict[str, Any]:
    """The same for JSON.

    Args:
        pairs: the runs.
        signed: what the numbers were computed from.

    Returns:
        `signature`, `left_out` and `remarks`, in the order of `runs_in_words`.
    """
    return {
        "signature": signed,
        "left_out": sorted(pairs.left_out, key=what_and_why),
        "remarks": sorted(pairs.remarks, key=str),
    }
