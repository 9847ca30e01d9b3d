"""The rows of a ladder, prompt by prompt."""

from __future__ import annotations

from collections.abc import Iterable

from lm_eval_sensitivity.types import Pair


def rows_by_prompt(pairs: Iterable[Pair]) -> dict[str, tuple[Pair, ...]]:
    """The pairs of each prompt, both in ladder order.

    Example:
        >>> rows_by_prompt([])
        {}
    """
    rows: dict[str, list[Pair]] = {}
    for pair in pairs:
        rows.setdefault(pair.prompt_id, []).append(pair)
    return {prompt: tuple(found) for prompt, found in rows.items()}


def first_rows(pairs: Iterable[Pair]) -> list[Pair]:
    """One row of each prompt, the first: violations of a base are named by it."""
    return [rows[0] for rows in rows_by_prompt(pairs).values()]
