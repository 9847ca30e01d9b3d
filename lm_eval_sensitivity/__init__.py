"""Measure how much a language model's output moves when its prompt barely does."""

from __future__ import annotations

__version__ = "0.1.0"
