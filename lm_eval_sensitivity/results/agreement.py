"""Rows of the summary tables that agree with themselves: numbers in the range of their metric, whole intervals, no
number of nothing, letters as this package gives them.

A page draws these numbers, and a reader believes them: an erased cell with a mean of 0 would look robust.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from lm_eval_sensitivity.results.files import refuse
from lm_eval_sensitivity.results.schema import LABELS, MOST_CLUSTERS, value_range
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC
from lm_eval_sensitivity.stats.clusters import cluster_letters
from lm_eval_sensitivity.stats.intervals import NO_SPREAD
from lm_eval_sensitivity.text.escape import shown

Row = Mapping[str, Any]

REACH = 1 / math.sqrt(NO_SPREAD)
"""Widths of its metric's range that a bound may lie outside it. The bound is the mean plus its standard error times the
(resampled mean - mean) / (resampled standard error) of one resample. That difference is at most a width, and resamples
whose standard error is below sqrt(`NO_SPREAD`) of the sample's are not used."""
_TERMS = 4.0
"""Widths of a contrast of axes: at most four means, with factors near 1."""
_LETTERS = {letter: at for at, letter in enumerate(islice(cluster_letters(), MOST_CLUSTERS))}


@dataclass(frozen=True)
class _Mean:
    """Columns of a number, of its interval, and of what it is over."""

    name: str
    counts: tuple[str, ...]
    """It is missing where one of them is 0."""
    bounds: tuple[str, str] | tuple[()] = ("lower", "upper")
    difference: float = 0.0
    """How many widths of the range a difference can have, in both directions; 0 for a mean."""


_MEANS: dict[str, tuple[_Mean, ...]] = {
    "clusters.parquet": (
        _Mean("mean", ("n_prompts", "n_pairs")),
        _Mean("noise_floor", ("noise_prompts",), bounds=()),
    ),
    "contrasts.parquet": (_Mean("difference", ("n_prompts", "n_pairs"), difference=1.0),),
    "axes.parquet": tuple(
        _Mean(axis, (f"{axis}_n",), bounds=(f"{axis}_lower", f"{axis}_upper")) for axis in "pcfb"
    ),
    "axes_contrasts.parquet": (_Mean("estimate", ("n",), difference=_TERMS),),
    "heatmap.parquet": (_Mean("mean", ("n_scored",)),),
    "windows.parquet": (_Mean("mean", ("n_prompts", "n_pairs")),),
}
_AT_MOST = {
    "clusters.parquet": (("n_prompts", "n_pairs"),),
    "contrasts.parquet": (("n_prompts", "n_pairs"),),
    "windows.parquet": (("n_prompts", "n_pairs"),),
    "axes.parquet": (("b_zeros", "b_n"),),
}
"""Counts, and counts that they are part of."""


def check_rows(name: str, rows: Iterable[Row], place: str) -> None:
    """Raise InputError unless every row of a table agrees with itself.

    Args:
        name: of the file.
        rows: with every cell accepted.
        place: the file's name, for messages.
    """
    own = _OWN.get(name)
    for at, row in enumerate(rows, 1):
        for mean in _MEANS.get(name, ()):
            _check_mean(mean, row, place, at)
        for part, whole in _AT_MOST.get(name, ()):
            if row[part] > row[whole]:
                refuse(f"{place}: `{part}`, row {at}", f"is {row[part]}, and `{whole}` is {row[whole]}")
        if own is not None:
            own(row, place, at)


def _check_mean(mean: _Mean, row: Row, place: str, at: int) -> None:
    value = row[mean.name]
    low, high = value_range(row.get("metric", PRIMARY_METRIC))  # windows are of that one only
    width = high - low
    if mean.difference:
        low, high = -mean.difference * width, mean.difference * width
    _check_number(value, low, high, f"{place}: `{mean.name}`, row {at}")
    empty = next((count for count in mean.counts if not row[count]), None)
    if value is not None and empty is not None:
        refuse(f"{place}: `{mean.name}`, row {at}", f"is {value}, and `{empty}` is 0; accepted is no number")
    if mean.bounds:
        reach = REACH * (high - low)
        for bound in mean.bounds:
            _check_number(row[bound], low - reach, high + reach, f"{place}: `{bound}`, row {at}")
        _check_whole(mean.name, mean.bounds, row, place, at)


def _check_number(value: float | None, low: float, high: float, place: str) -> None:
    if value is not None and not low <= value <= high:
        refuse(place, f"is {value}; accepted is a number from {low:g} to {high:g}")


def _check_whole(name: str, bounds: tuple[str, str], row: Row, place: str, at: int) -> None:
    """Both bounds in their order and with their mean, or none."""
    lower, upper = (row[bound] for bound in bounds)
    if (lower is None) != (upper is None):
        missing, other = bounds if lower is None else bounds[::-1]
        refuse(f"{place}: `{missing}`, row {at}", f"is missing, and `{other}` is not")
    if lower is not None and lower > upper:
        refuse(f"{place}: `{bounds[1]}`, row {at}", f"is {upper}, below `{bounds[0]}`, which is {lower}")
    if lower is not None and row[name] is None:
        refuse(f"{place}: `{name}`, row {at}", "is missing, and has bounds")


# ---- of single tables


def _check_lost(row: Row, place: str, at: int) -> None:
    """Every pair of a cell was scored, erased or not scored."""
    parts = row["n_scored"] + row["n_erased"] + row["n_unscored"]
    if parts != row["n_given"]:
        refuse(
            f"{place}: `n_given`, row {at}",
            f"is {row['n_given']}, and `n_scored`, `n_erased` and `n_unscored` add up to {parts}",
        )


def _check_verdict(row: Row, place: str, at: int) -> None:
    """The reference has no verdict; all others have one, in words."""
    if (row["verdict"] == "reference") != row["is_reference"]:
        refuse(
            f"{place}: `verdict`, row {at}",
            f"is {row['verdict']!r}, and `is_reference` {row['is_reference']}",
        )
    if not set(row["possible"]) <= set(LABELS):
        refuse(
            f"{place}: `possible`, row {at}",
            f"is {shown(', '.join(row['possible']))}; accepted are {', '.join(LABELS)}",
        )
    if row["verdict_words"] is None and not row["is_reference"]:
        refuse(f"{place}: `verdict_words`, row {at}", "is missing; accepted are the sentences of the verdict")


def _check_letters(row: Row, place: str, at: int) -> None:
    letters = row["letters"]
    places = [_LETTERS.get(each, MOST_CLUSTERS) for each in letters]
    if places != sorted(set(places)) or MOST_CLUSTERS in places:
        *_, last = _LETTERS
        refuse(
            f"{place}: `letters`, row {at}",
            f"is {shown(', '.join(letters))}; accepted are different ones of a, b, ..., z, aa, ..., {last} in this "
            "order",
        )


_OWN: dict[str, Callable[[Row, str, int], None]] = {
    "clusters.parquet": _check_letters,
    "axes.parquet": _check_verdict,
    "heatmap.parquet": _check_lost,
}


def check_clusters(rows: Sequence[Row], place: str) -> None:
    """Raise InputError unless the letters of one selection name clusters: the first letters, none left out, and no
    cluster inside another.

    Args:
        rows: of one selection, each accepted.
        place: the file's name, for messages.
    """
    members: dict[str, int] = {}
    for at, row in enumerate(rows):
        for letter in row["letters"]:
            members[letter] = members.get(letter, 0) | 1 << at
    if set(members) != set(islice(_LETTERS, len(members))):
        refuse(f"{place}: `letters`", f"leave one out: there are {shown(', '.join(members))}")
    for (first, ours), (second, theirs) in combinations(members.items(), 2):
        if ours & theirs in (ours, theirs):
            refuse(f"{place}: `letters`", f"name a cluster inside another one: {first} and {second}")
