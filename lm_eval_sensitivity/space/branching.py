"""How the two outputs of a pair part, step by step: which characters each step says, and the numbers beside them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.metrics import edit_distance_curve, first_divergence
from lm_eval_sensitivity.results.system_files import PairDetail, SideDetail
from lm_eval_sensitivity.space.differences import differences
from lm_eval_sensitivity.space.pieces import visible_between
from lm_eval_sensitivity.space.texts import Piece

LONGEST_OUTPUT = 6_000
"""Characters of one output that the page shows."""
MOST_WORDS = 2_000
"""Words of one output that are compared where nobody knows where tokens end."""
_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Segment:
    """A piece of an output that one step says."""

    pieces: tuple[Piece, ...]
    step: int
    """It stands there once this many steps are made; 0 is what stands before the first one."""
    is_scaffold: bool
    """Not part of the answer."""
    parts: bool
    """The outputs part where it begins."""
    is_own: bool
    """The other output has other words there, or none."""


@dataclass(frozen=True)
class Side:
    """One output in segments."""

    segments: tuple[Segment, ...]
    n_steps: int
    n_hidden: int
    """Characters at its end that are not shown."""
    parts_at: int | None
    """Character at which the outputs part; None where they do not, or not in what is shown."""
    margins: tuple[float | None, ...] | None
    """[step] nats."""

    @property
    def parts_at_end(self) -> bool:
        """It has ended where the other goes on, so that the mark follows it."""
        return self.parts_at is not None and not any(segment.parts for segment in self.segments)


@dataclass(frozen=True)
class Path:
    """Both outputs, and how far they are apart after each step."""

    unit: str
    """`token`, or `word` where nobody knows where tokens end."""
    base: Side
    variant: Side
    curve: tuple[int, ...]
    """[t - 1] edits between the first t units of both outputs."""
    parts_after: int | None
    """Steps that both outputs share; None where they do not part."""
    censored: bool
    """They are equal up to a token limit and may part later."""
    remarks: tuple[str, ...]
    """What a reader must know of the steps."""

    @property
    def n_steps(self) -> int:
        """Of the longer output."""
        return len(self.curve)


_Own = tuple[tuple[int, int], ...]
"""[stretch] (first character, one past the last) of what only this output has."""
_Steps = tuple[tuple[int, ...], int]
"""The steps of one side that a filter counts: [step] character at which each ends, and where the first one begins."""


def path_of(detail: PairDetail, filter_name: str) -> Path:
    """The steps of a pair under one filter, as tokens where that is known and as words where it is not.

    Args:
        detail: of a pair that was not erased.
        filter_name: `answer` counts from the first token of each answer; where there is no answer to compare,
            the whole outputs are shown, and a remark says so.

    Returns:
        Segments of both outputs, the curve between them, and remarks on what a step is.

    Example:
        See `tests/unit/space/test_pairs_view.py`.
    """
    curve = detail.curves.get(filter_name)
    known = detail.base.token_ends is not None and detail.variant.token_ends is not None
    remarks = []
    if filter_name == "answer" and ((curve is None and known) or _without_answer(detail)):
        remarks.append(
            "There are no tokens of answers to compare in this pair, so the steps are those of the whole outputs."
            if known
            else "There are no two answers to compare in this pair, so the steps are those of the whole outputs."
        )
        filter_name = "raw"
        curve = detail.curves.get(filter_name)
    if known and curve is not None:
        return _by_tokens(detail, filter_name, tuple(curve), remarks)
    return _by_words(detail, filter_name, remarks)


def _without_answer(detail: PairDetail) -> bool:
    return any(
        side.answer_start is None or side.status in ("unclosed", "empty_answer")
        for side in (detail.base, detail.variant)
    )


def _by_tokens(detail: PairDetail, filter_name: str, curve: tuple[int, ...], remarks: list[str]) -> Path:
    parts_after = detail.first_divergence[filter_name]
    if parts_after is not None and parts_after >= len(curve):
        parts_after = None
        remarks.append(f"Only the first {len(curve)} tokens were kept, and the outputs part after them.")

    def side(output: SideDetail, own: _Own) -> Side:
        steps, first = _token_steps(output, filter_name, len(curve))
        margins = output.margins and output.margins[first : first + len(steps[0])]
        return _side(output, steps, parts_after, margins, own)

    censored = bool(detail.censored[filter_name])
    base, variant = map(side, (detail.base, detail.variant), _own_words(detail))
    return Path("token", base, variant, curve, parts_after, censored, tuple(remarks))


def _own_words(detail: PairDetail) -> tuple[_Own, _Own]:
    """Of both outputs, as far as they are shown."""
    found = differences(*(side.text[:LONGEST_OUTPUT] for side in (detail.base, detail.variant)))
    base, variant = (
        tuple((each.start, each.end) for each in found if each.kind == kind) for kind in ("gone", "new")
    )
    return base, variant


def _token_steps(side: SideDetail, filter_name: str, most: int) -> tuple[_Steps, int]:
    """The tokens of a side that a filter counts, and the number of the first one in the whole output.

    The same rule cut the answer when it was measured.
    """
    ends = side.token_ends
    assert ends is not None  # the caller has looked
    first, last, begins = 0, len(ends), 0
    if side.finish_reason == "end_token" and side.cut_characters == 0:
        last -= 1  # the end token says nothing and is in no curve
    if filter_name == "answer" and side.status == "closed":
        assert side.answer_start is not None and side.answer_end is not None  # records come in such pairs
        first = bisect_right(ends, side.answer_start)
        begins = side.answer_start
        if side.finish_reason == "stop_string" or side.answer_end < len(side.text):
            last = min(last, bisect_left(ends, side.answer_end) + 1)
    return (ends[first : max(first, min(last, first + most))], begins), first


def _by_words(detail: PairDetail, filter_name: str, remarks: list[str]) -> Path:
    outputs = (detail.base, detail.variant)
    steps = [_word_steps(output, filter_name) for output in outputs]
    words = [
        [output.text[start:end].strip() for start, end in zip([begins, *ends], ends, strict=False)]
        for output, (ends, begins) in zip(outputs, steps, strict=True)
    ]
    parts_after = first_divergence(*words).step
    remarks.append(
        "The run does not say where tokens end in the text, so the steps here are words: distances of the first words, "
        "not of tokens as in the table above, and no margins beside them."
    )
    if any(len(ends) == MOST_WORDS for ends, _ in steps):
        remarks.append(f"Only the first {MOST_WORDS} words are compared here.")
    base, variant = (
        _side(output, each, parts_after, None, own)
        for output, each, own in zip(outputs, steps, _own_words(detail), strict=True)
    )
    curve = tuple(edit_distance_curve(*words).tolist())
    return Path("word", base, variant, curve, parts_after, censored=False, remarks=tuple(remarks))


def _word_steps(side: SideDetail, filter_name: str) -> _Steps:
    start, end = 0, len(side.text)
    if filter_name == "answer" and side.answer_start is not None and side.answer_end is not None:
        start, end = min(side.answer_start, end), min(side.answer_end, end)
    ends = [
        match.end()
        for match, _ in zip(_WORD.finditer(side.text, start, end), range(MOST_WORDS), strict=False)
    ]
    return tuple(ends), start


def _side(
    side: SideDetail,
    steps: _Steps,
    parts_after: int | None,
    margins: tuple[float | None, ...] | None,
    own: _Own,
) -> Side:
    text, (ends, begins) = side.text[:LONGEST_OUTPUT], steps
    parts_at = None if parts_after is None else [begins, *ends][min(parts_after, len(ends))]
    return Side(
        _segments(text, side, steps, parts_at, own),
        len(ends),
        len(side.text) - len(text) + side.cut_characters,
        parts_at if parts_at is not None and parts_at <= len(text) else None,
        margins,
    )


def _segments(
    text: str, side: SideDetail, steps: _Steps, parts_at: int | None, own: _Own
) -> tuple[Segment, ...]:
    answer = (side.answer_start, side.answer_end) if side.status == "closed" else (None, None)
    ends, begins = steps
    edges = [at for stretch in own for at in stretch]
    marks = {begins, *ends, parts_at, *answer, *edges}
    cuts = sorted(at for at in marks if at is not None and 0 < at < len(text))
    bounds = [0, *cuts, len(text)]
    return tuple(
        Segment(
            pieces,
            step=0 if start < begins else min(bisect_left(ends, end) + 1, len(ends)),
            is_scaffold=_is_scaffold(start, side),
            parts=start == parts_at,
            # An odd number of edges lies before what is inside a stretch.
            is_own=bisect_right(edges, start) % 2 == 1,
        )
        for start, end, pieces in zip(bounds, bounds[1:], visible_between(text, cuts), strict=False)
        if pieces
    )


def _is_scaffold(at: int, side: SideDetail) -> bool:
    """Whether a character is reasoning, which is shown and is no part of the answer."""
    if side.status == "closed":
        return not (side.answer_start or 0) <= at < (side.answer_end or 0)
    return side.status in ("unclosed", "empty_answer")


def thinned(values: Sequence[float | None], most: int) -> list[tuple[int, float | None]]:
    """A line with fewer points: of every few steps the smallest value, because low margins are what matters.

    Args:
        values: [step], None where one is missing.
        most: points of the line.

    Returns:
        (step, value) of at most so many steps, rising; a value is None where a whole block has none.

    Example:
        >>> thinned([3.0, 1.0, None, 2.0], 2), thinned([3.0, None], 2)
        ([(1, 1.0), (3, 2.0)], [(0, 3.0), (1, None)])
    """
    if len(values) <= most:
        return list(enumerate(values))
    width = -(-len(values) // most)
    found: list[tuple[int, float | None]] = []
    for start in range(0, len(values), width):
        block = [
            (value, at) for at, value in enumerate(values[start : start + width], start) if value is not None
        ]
        found.append((min(block)[1], min(block)[0]) if block else (start, None))
    return found
