"""What the evaluation that is calling a task was told: lm_eval hands a task less than the user asked for."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any


def told(name: str) -> Any:
    """An argument of the evaluation that is calling.

    Args:
        name: of `lm_eval.evaluator.evaluate` or `simple_evaluate`, such as `lm` or `device`.

    Returns:
        Its value in the nearest of the two that has it; None where no evaluation is calling.
    """
    # Looking at the frames from here changes nothing in lm_eval.
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "lm_eval.evaluator" and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    return None


def engine_told() -> Any:
    """The model of the evaluation that is calling, without lm_eval's cache around it.

    Returns:
        As lm_eval made it; None where no evaluation is calling.
    """
    lm = told("lm")
    return vars(lm).get("lm", lm) if type(lm).__name__ == "CachingLM" else lm
