"""Which of a task's numbers stand in lm_eval's table: one with its standard error, or all."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from lm_eval_sensitivity.harness.close.table_errors import STDERR, error_of_scored
from lm_eval_sensitivity.harness.close.table_rows import OfPair
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER

Aggregations = Mapping[str, Callable[[Sequence[Any]], Any]]


class Entries(dict[str, Any]):
    """What of a pair goes into the samples file, some of it into the table.

    lm_eval copies the whole mapping into the line, and makes a row of the table of everything among its `items()`.
    """

    def __init__(self, entries: Mapping[str, Any], rows: Mapping[str, Any]) -> None:
        super().__init__(entries)
        self._rows = dict(rows)

    def items(self) -> Any:
        """What makes rows of the table."""
        return self._rows.items()


class TaskTable:
    """The rows of one task.

    Args:
        primary: the metric of the short table, under the filter `answer`.
        full: all rows stand in the table; else the results file has the others.
    """

    def __init__(self, primary: str, *, full: bool) -> None:
        self._primary, self._full = primary, full
        self._left_out: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)

    def entries(self, entries: Mapping[str, Any], filter_name: str, nowhere: Collection[str]) -> Entries:
        """A pair's entries, split into rows of the table and others.

        Args:
            entries: row name to item, and what only the samples file needs.
            filter_name: of the pair.
            nowhere: rows that would say another one again.
        """
        rows = {name: item for name, item in entries.items() if name not in nowhere}
        if not self._full:
            short = {name: item for name, item in rows.items() if self._is_short(name, filter_name)}
            for name in rows.keys() - short.keys():
                self._left_out[name, filter_name].append(rows[name])
            rows = short
        errors = {f"{name}{STDERR}": item for name, item in rows.items() if isinstance(item, OfPair)}
        return Entries(entries, {**rows, **errors})

    def _is_short(self, name: str, filter_name: str) -> bool:
        return (name, filter_name) == (self._primary, PRIMARY_FILTER)

    def left_out(self, aggregations: Aggregations) -> dict[str, Any] | None:
        """The rows that the table does not have, as lm_eval names them; None where it has all.

        Args:
            aggregations: row name to function.
        """
        if self._full:
            return None
        found = {}
        for (name, filter_name), items in sorted(self._left_out.items()):
            found[f"{name},{filter_name}"] = aggregations[name](items)
            if all(isinstance(item, OfPair) for item in items):
                error = error_of_scored(items)
                found[f"{name}{STDERR},{filter_name}"] = None if math.isnan(error) else float(error)
        return found


def with_errors(aggregations: Aggregations) -> Aggregations:
    """The functions of the rows, and of the standard errors of those that have one.

    lm_eval knows no standard error of a function that is not its own, and writes `N/A`; a row of this name, which
    comes after it, takes its place.
    """
    return {**{f"{name}{STDERR}": error_of_scored for name in aggregations}, **aggregations}
