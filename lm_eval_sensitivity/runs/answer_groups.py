"""Groups of wrapped tasks, each as one task: the documents of all that is in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lm_eval_sensitivity.records.answers import AGAIN, PREFIX, TaskAnswers


def groups_of(answers: Sequence[TaskAnswers], groups: Mapping[str, Sequence[str]]) -> list[TaskAnswers]:
    """The groups that a run was asked for.

    Args:
        answers: of the tasks of one run.
        groups: name -> names of the tasks and groups in it, as lm_eval calls them.

    Returns:
        By name and filter; those of several tasks that are judged by one metric, with the same edits. None that stands
        in another group.
    """
    inner = {name for members in groups.values() for name in members}
    found = []
    for name in sorted(groups.keys() - inner):
        members = _members(name, groups)
        by_filter: dict[str, list[TaskAnswers]] = {}
        for each in answers:
            if each.task in members:
                by_filter.setdefault(each.filter_name, []).append(each)
        for own in by_filter.values():
            if len(own) > 1 and len({(each.metric, each.wrapped.edits) for each in own}) == 1:
                found.append(_as_one(name, own))
    return found


def _members(name: str, groups: Mapping[str, Sequence[str]]) -> set[str]:
    found, ahead = set[str](), [name]
    while ahead:
        # A stranger's groups may stand in each other.
        new = {*groups.get(ahead.pop(), ())} - found
        found |= new
        ahead += new
    return found


def _as_one(name: str, answers: Sequence[TaskAnswers]) -> TaskAnswers:
    first = answers[0]
    rows = [row for each in answers for row in each.rows]
    scores = {first.filter_name: _scores(answers)}
    return replace(
        first,
        task=name,
        wrapped=replace(first.wrapped, task=name.removeprefix(PREFIX), scores=scores),
        rows=tuple(replace(row, doc_id=index) for index, row in enumerate(rows)),
        n_there=sum(each.n_there for each in answers),
        n_tasks=len(answers),
    )


def _scores(answers: Sequence[TaskAnswers]) -> dict[str, dict[str, float]]:
    """Means over documents, as lm_eval's groups have them; an edit without a place in a task leaves its prompts."""
    metrics = [name for name in answers[0].scores if all(name in each.scores for each in answers)]
    names = (AGAIN, *(edit.name for edit in answers[0].wrapped.edits))
    n = sum(len(each.rows) for each in answers)

    def mean(metric: str, edit: str) -> float:
        values = ((len(each.rows), each.scores[metric]) for each in answers)
        return math.fsum(size * own.get(edit, own[AGAIN]) for size, own in values) / n

    return {
        metric: {
            edit: mean(metric, edit) for edit in names if any(edit in each.scores[metric] for each in answers)
        }
        for metric in metrics
    }
