"""What the evaluator that is running a task knows, and the task is not told."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

EVALUATOR, COMMAND_LINE = "lm_eval.evaluator", "lm_eval._cli.run"


def of_evaluator(name: str, module: str = EVALUATOR) -> Any:
    """A variable of the evaluation that is calling.

    Tasks are told neither where results are saved nor which other tasks there are. Looking at it from here changes
    nothing in lm_eval.

    Args:
        name: of a local variable of `lm_eval.evaluate` or `simple_evaluate`.
        module: of the caller; the command line of lm_eval is another one.

    Returns:
        The value of the nearest caller that has one; None where no evaluation is calling.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == module:
            value = frame.f_locals.get(name)
            if value is not None:
                return value
        frame = frame.f_back
    return None


def engine_of_evaluator() -> Any:
    """The model of the evaluation that is calling, without lm_eval's cache around it.

    Returns:
        As lm_eval made it; None where no evaluation is calling.
    """
    lm = of_evaluator("lm")
    return vars(lm).get("lm", lm) if type(lm).__name__ == "CachingLM" else lm
