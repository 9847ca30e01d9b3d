"""Which engine serves which lm_eval model. An engine's file is imported where a model of its kind is at work."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lm_eval_sensitivity.harness.engines.contract import Engine
from lm_eval_sensitivity.harness.engines.text import TextEngine

_ENGINES: dict[type, type[Engine]] = {}

_Kind = TypeVar("_Kind", bound=type[Engine])


def register(served: type) -> Callable[[_Kind], _Kind]:
    """Let an engine serve an lm_eval model class and its subclasses.

    Args:
        served: class of `lm_eval.models`.

    Returns:
        A decorator that enters an `Engine` and returns it unchanged.
    """

    def enter(engine: _Kind) -> _Kind:
        _ENGINES[served] = engine
        return engine

    return enter


def engine_of(lm: Any, model_args: Mapping[str, str]) -> Engine:
    """The engine of the nearest class that has one; every other model answers with text only.

    Args:
        lm: the model as lm_eval made it.
        model_args: the run's `--model_args`.

    Returns:
        A new engine around the model; `TextEngine` where no registered one can serve it.
    """
    for kind in type(lm).__mro__:
        _import_engine_of(kind.__module__)
        engine = _ENGINES.get(kind)
        if engine is not None and engine.can_serve(lm):
            return engine(lm, model_args)
    return TextEngine(lm, model_args)


def _import_engine_of(module: str) -> None:
    """Import the file that is named like a module of lm_eval's models; its libraries are loaded already."""
    folder, _, name = module.rpartition(".")
    file = f"{__package__}.{name}"
    if folder == "lm_eval.models" and importlib.util.find_spec(file) is not None:
        importlib.import_module(file)
