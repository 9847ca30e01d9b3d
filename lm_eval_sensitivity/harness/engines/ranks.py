"""What the processes of one run tell each other: each has a part of the pairs, and some things are of all."""

from __future__ import annotations

from typing import Any, TypeVar

Value = TypeVar("Value")


def over_ranks(lm: Any, value: Value) -> list[Value]:
    """The values of all processes of a run; every one of them has to ask.

    Args:
        lm: the model as lm_eval made it; None where it is not seen.
        value: of this process.

    Returns:
        [process] values; the own one alone where there is no other process.

    Example:
        >>> over_ranks(None, 3)
        [3]
    """
    if getattr(lm, "world_size", 1) == 1:
        return [value]
    # Models of several processes have PyTorch; others must not load it.
    from lm_eval_sensitivity.harness.engines.hf.ranks import all_gather

    return all_gather(value)


def in_order(parts: list[Value], n_ranks: int) -> list[Value]:
    """Items of all processes in the order of their documents, which lm_eval deals out one by one.

    Args:
        parts: those of the first process, then those of the second, ...
        n_ranks: number of processes.

    Returns:
        As one process would have them.

    Example:
        >>> in_order(["a", "c", "e", "b", "d"], 2)
        ['a', 'b', 'c', 'd', 'e']
    """
    ordered, start = list(parts), 0
    for rank in range(n_ranks):
        size = len(range(rank, len(parts), n_ranks))
        ordered[rank::n_ranks] = parts[start : start + size]
        start += size
    return ordered
