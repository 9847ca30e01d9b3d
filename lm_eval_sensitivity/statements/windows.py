"""Does a window of the output show the answer, or the scaffold before it?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.metrics import WINDOWS_TOKENS
from lm_eval_sensitivity.records.columns import SIDES
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.text.format import percent

WINDOW_SHARE = 0.5
"""A scaffold dominates a window of one output where more than this share of its tokens stand before the answer:
most of what is compared there is then no answer."""
OUTPUT_SHARE = 0.5
"""From this share of the outputs on, the window is said to be dominated: in the typical output it is."""

SCAFFOLD_DOMINATES = "scaffold dominates this window"
WHERE_IT_DOMINATES = (
    f"in at least {percent(OUTPUT_SHARE)} of the outputs more than {percent(WINDOW_SHARE)} of its tokens stand before "
    "the answer"
)

NO_ANSWER = ("unclosed", "empty_answer")
"""A scaffold that is never left: all of the output stands before an answer."""


@dataclass(frozen=True)
class OutputTokens:
    """How much of one output stands before its answer."""

    n_before: int
    """Tokens before the answer's first one; all of them where there is no answer."""
    n_tokens: int
    """Without the end token."""

    def dominated(self, window: int | None) -> bool:
        """Whether the scaffold dominates the first `window` tokens; None is the whole output.

        Example:
            >>> output = OutputTokens(n_before=40, n_tokens=100)
            >>> output.dominated(64), output.dominated(80), output.dominated(None)
            (True, False, False)
        """
        shown = self.n_tokens if window is None else min(window, self.n_tokens)
        return min(self.n_before, shown) > WINDOW_SHARE * shown


def output_tokens(n_tokens: int | None, answer_start: int | None, status: str | None) -> OutputTokens | None:
    """What is known about one output; None where it is not known where tokens end.

    Args:
        n_tokens: without the end token.
        answer_start: tokens before the answer's first one.
        status: of the scaffold.
    """
    before = n_tokens if answer_start is None and status in NO_ANSWER else answer_start
    return None if n_tokens is None or before is None else OutputTokens(before, n_tokens)


def dominated_windows(
    outputs: Sequence[OutputTokens], windows: Sequence[int | None]
) -> tuple[int | None, ...]:
    """The windows that the scaffold dominates; none where there is no output.

    Example:
        >>> dominated_windows([OutputTokens(40, 100), OutputTokens(0, 100)], [64, None])
        (64,)
    """
    if not outputs:
        return ()
    return tuple(
        window
        for window in windows
        if sum(each.dominated(window) for each in outputs) >= OUTPUT_SHARE * len(outputs)
    )


def windows_within(outputs: Sequence[OutputTokens]) -> tuple[int | None, ...]:
    """Windows that end before the longest output does, and the whole output (None): a longer one says it again.

    Returns:
        Windows in tokens, shortest first.

    Example:
        >>> windows_within([OutputTokens(0, 100), OutputTokens(0, 20)])
        (64, None)
    """
    longest = max((each.n_tokens for each in outputs), default=0)
    return (*(window for window in WINDOWS_TOKENS if window < longest), None)


def window_in_words(window: int | None) -> str:
    """Its name.

    Example:
        >>> window_in_words(64), window_in_words(None)
        ('64 tokens', 'whole output')
    """
    return "whole output" if window is None else f"{window} tokens"


def outputs_of(
    partition: TablePartition, metric: str, rungs: Iterable[str], system: str
) -> list[OutputTokens]:
    """Both outputs of every pair of a system that has a number, under the filter raw.

    Args:
        partition: of a pairs table.
        metric: which number.
        rungs: of the pairs.
        system: display name.

    Returns:
        [output] those of which it is known where tokens end.
    """
    rows = rows_of(partition, rungs, system)
    rows = rows.filter(pc.is_valid(rows[metric]))
    found = []
    for side in SIDES:
        columns = (
            rows[f"{side}_{name}"].to_pylist() for name in ("n_tokens", "answer_start", "scaffold_status")
        )
        found += [output_tokens(*cells) for cells in zip(*columns, strict=True)]
    return [each for each in found if each is not None]


def rows_of(partition: TablePartition, rungs: Iterable[str], system: str) -> pa.Table:
    """The rows of one system on some rungs, under the filter raw."""
    table = partition.table
    mask = pc.and_(pc.equal(table["filter"], "raw"), pc.equal(table["name"], system))
    return table.filter(pc.and_(mask, pc.is_in(table["rung"], pa.array(list(rungs), pa.string()))))


def shows_the_scaffold(partition: TablePartition, selection: Selection, system: str) -> bool:
    """Whether the selected window is dominated by the scaffold; only the filter raw shows one."""
    return selection.filter_name == "raw" and bool(
        dominated_windows(
            outputs_of(partition, selection.metric, selection.rungs, system), [selection.window]
        )
    )
