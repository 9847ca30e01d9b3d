"""Measure how much a language model's output moves when its prompt barely does.

In a notebook: `import lm_eval_sensitivity as les`, then `les.load`, `les.summary`, `les.clusters`, `les.compare`,
`les.drift` and `les.from_results` (docs/python.md). They are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = ["__version__", "clusters", "compare", "drift", "from_results", "load", "summary"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("lm_eval_sensitivity.notebook"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
