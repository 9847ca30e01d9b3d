"""The few-shot examples of a prompt, drawn once: its edits get the same ones, the next prompt those of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from lm_eval.api.task import Task


class Shots:
    """Records what is drawn for one prompt, and gives it again.

    lm_eval draws anew each time a prompt is made. It also knows an edited document as another one, and may put the
    original with its answer among the examples.

    Args:
        task: whose prompts are made.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._drawn: list[Any] = []
        self._before: Any = None

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """What is drawn in the block is remembered, instead of what was before."""
        self._drawn, self._before = [], self._chance()
        sampler = getattr(self._task, "sampler", None)
        if sampler is None:
            yield
            return
        draw = sampler.sample

        def sample(*arguments: Any, **options: Any) -> Any:
            self._drawn.append(draw(*arguments, **options))
            return self._drawn[-1]

        with _instead(sampler, sample):
            yield

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """The same is drawn in the block, from generators that are left as they were."""
        after = self._chance()
        self._set_chance(self._before)
        sampler, drawn = getattr(self._task, "sampler", None), iter(self._drawn)
        try:
            if sampler is None:
                yield
            else:
                with _instead(sampler, lambda *_, **__: next(drawn)):
                    yield
        finally:
            self._set_chance(after)

    def _chance(self) -> Any:
        own = getattr(self._task, "fewshot_rnd", None)
        return random.getstate(), np.random.get_state(), None if own is None else own.getstate()

    def _set_chance(self, state: Any) -> None:
        random.setstate(state[0])
        np.random.set_state(state[1])
        if state[2] is not None and self._task.fewshot_rnd is not None:
            self._task.fewshot_rnd.setstate(state[2])


@contextmanager
def _instead(sampler: Any, sample: Any) -> Iterator[None]:
    """An attribute of the object stands before the method of its class."""
    sampler.sample = sample
    try:
        yield
    finally:
        del sampler.sample
