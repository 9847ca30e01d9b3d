"""A rung that the ladder lacks: its task of a group is left out, and that is said once."""

from __future__ import annotations

import logging
from typing import Protocol

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.tasks.evaluator import of_evaluator
from lm_eval_sensitivity.ladder import Ladder

logger = logging.getLogger(__name__)


class RungTask(Protocol):
    """A task of one rung."""

    ladder: Ladder
    rung: str

    @property
    def lacks_rung(self) -> bool:
        """Whether its ladder has no pairs there."""


def no_requests(task: RungTask, task_name: str, request_type: str) -> list[Instance]:
    """The requests of a task without pairs: one that is made no time.

    lm_eval refuses a task without any. One that is repeated zero times reaches no model and has no results, so that
    the task has no row in the table.

    Args:
        task: it lacks its rung.
        task_name: in lm_eval.
        request_type: of its class.

    Returns:
        [one] instance.

    Raises:
        InputError: none of the tasks that run this ladder has a pair.
    """
    ours = tasks_beside(task)
    lacking = [each.rung for each in ours if each.lacks_rung]
    words = f"The ladder `{task.ladder.name}` has no pairs on the rung{'s' * (len(lacking) > 1)} {', '.join(lacking)}"
    if len(lacking) == len(ours):
        raise InputError(f"{words}, and nothing else is asked for. It has {', '.join(task.ladder.rungs)}.")
    if task.rung == lacking[0]:
        logger.warning("%s, which are left out.", words)
    return [Instance(request_type=request_type, doc={}, arguments=(), idx=0, metadata=(task_name, 0, 0))]


def tasks_beside(task: RungTask) -> list[RungTask]:
    """The tasks of this evaluation on the same ladder, this one among them."""
    found = of_evaluator("eval_tasks")
    tasks = [
        each
        for each in (found.values() if isinstance(found, dict) else ())
        if isinstance(getattr(each, "ladder", None), Ladder)
        and each.ladder.content_hash == task.ladder.content_hash
    ]
    return tasks or [task]
