"""What is refused before the first scored request: engines that cannot score the choices of a task."""

from __future__ import annotations

from typing import Any

from lm_eval.api.task import Task

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.registry import engine_of

_SCORED = ("multiple_choice", "loglikelihood")


def check_engine(task: Task, lm: Any) -> None:
    """Refuse an engine whose log-likelihoods are no log-likelihoods, as its `check_scoring` finds.

    Args:
        task: to be run.
        lm: the model as lm_eval made it.

    Raises:
        InputError: the task cannot be scored there.
    """
    if task.OUTPUT_TYPE not in _SCORED or lm is None:
        return
    try:
        engine_of(lm, {}).check_scoring()
    except InputError as error:
        raise InputError(
            f"Task `{task.config.task}` scores choices by their log-likelihood. {error}"
        ) from None
