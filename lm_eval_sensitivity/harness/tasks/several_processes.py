"""A run of several processes, of which each has a part of the pairs: lm_eval brings the parts together at the end.

It hands the first process what every pair gives the rows of the table. The row `verdict` brings the note of its pair
along, so that the first process knows the run as the only process of a run does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.harness.engines.ranks import in_order
from lm_eval_sensitivity.harness.generate.generation import Generation
from lm_eval_sensitivity.harness.tasks.filters import VIEWS

BRINGS = "verdict"
"""The row whose items bring the notes along."""


class OfRun(str):
    """Item of a row about the whole run: the filter that it is under, and from another process the note of its pair.

    Example:
        >>> OfRun("raw", 3) == "raw", OfRun("raw", 3).note
        (True, 3)
    """

    note: Any

    def __new__(cls, filter_name: str, note: Any = None) -> OfRun:
        self = super().__new__(cls, filter_name)
        self.note = note
        return self


def notes_of(items: Mapping[tuple[str, str], Sequence[Any]], n_ranks: int) -> list[Any]:
    """The notes of all pairs of a task.

    Args:
        items: (row, filter) -> what the pairs of all processes gave it.
        n_ranks: number of processes.

    Returns:
        As one process would have collected them.

    Example:
        >>> items = {("verdict", "answer"): [OfRun("answer", 0), OfRun("answer", 2), OfRun("answer", 1)]}
        >>> notes_of(items, 2)
        [0, 1, 2]
    """
    ordered = [in_order(list(items.get((BRINGS, view), ())), n_ranks) for view in VIEWS]
    return [item.note for view in ordered for item in view if item.note is not None]


def audits_of(items: Mapping[tuple[str, str], Sequence[Any]]) -> list[Any]:
    """What became of the edits of a task's pairs, in all processes.

    Args:
        items: as for `notes_of`.

    Returns:
        [pair] statuses.
    """
    return [pair["audit"]["status"] for pair in items.get(("pair", "raw"), ())]


def longest_answer(instances: Sequence[Instance]) -> int | None:
    """Tokens of the longest output of some requests that were answered.

    Args:
        instances: of lm_eval; those without an answer are passed over.

    Returns:
        None where the tokens of one are not known, and where there is none.
    """
    answered = [each.resps[0] for each in instances if each.resps]
    traces = [each.trace for each in answered if isinstance(each, Generation)]
    known = [len(trace.content_ids) for trace in traces if trace is not None]
    return max(known) if known and len(known) == len(answered) else None


def longest_of(parts: Sequence[int | None]) -> int | None:
    """The longest output of all processes.

    Args:
        parts: of each process; None where it does not know.

    Returns:
        None where one does not know.

    Example:
        >>> longest_of([3, 5]), longest_of([3, None])
        (5, None)
    """
    known = [each for each in parts if each is not None]
    return max(known) if len(known) == len(parts) else None
