"""Pieces of documents that commands over runs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from lm_eval_sensitivity.runs import Pairs
from lm_eval_sensitivity.stats import Interval

SYSTEMS_PER_TABLE = 6
"""Columns of systems that a terminal of 100 columns holds beside a name."""


def blocks_of_systems(names: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """Systems in blocks that fit side by side, each with words that tell which block it is.

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


def runs_in_words(pairs: Pairs) -> Iterator[str]:
    """What a reader must know of the runs: remarks, and what was left out; in an order of their own."""
    yield from (f"Remark: {remark}" for remark in sorted(pairs.remarks))
    yield from sorted(f"Left out: {each.what}: {each.reason}." for each in pairs.left_out)


def interval_data(interval: Interval) -> dict[str, Any]:
    """An interval for JSON, without its resamples."""
    return {
        "estimate": interval.estimate,
        "lower": interval.lower,
        "upper": interval.upper,
        "level": interval.level,
        "n_prompts": interval.n,
        "method": interval.method,
        "resamples": interval.resamples,
        "seed": interval.seed,
        "reason": interval.reason,
    }


def as_data(record: Any) -> dict[str, Any]:
    """A flat record for JSON."""
    return asdict(record)
