"""Find the answer in one output: what follows the reasoning scaffold, if there is one.

Decisions, where the text alone leaves a choice:

- **The first closing delimiter ends a block.** Counting depth would let reasoning that merely talks
  about its own tags swallow the answer. A closing delimiter repeated right after is skipped with it.
- **Blocks in sequence** (white space between) are one scaffold; the answer follows the last one.
- **Opening** counts at the very start of the output or at the very end of the prompt, nowhere else.
- **A closing delimiter alone** counts only if the prompt is unknown (`prompt_tail` empty or white
  space) and some template opens that scaffold in the prompt. A known prompt that does not open it
  proves that the model is only talking about the tag.
- **A delimiter cut off** by the end of the output is `unclosed`, as the whole output (`<thi`) or after
  a closed block (`</think><resp`). It takes two characters, of a sentence two words: `<` and `Here`
  are answers.
- **An answer wrapper without reasoning** (gpt-oss writes only its final channel) is `closed`, because
  `none` covers the whole output and would leave the wrapper in the answer. Wrappers of ordinary text
  (`<answer>`) count alone only after a prompt that ends with the closed, empty scaffold.
- **Special tokens dropped by decoding**: gpt-oss and Gemma 4 leave a word that the end of the prompt
  lets us trust. For the other families with special delimiters reasoning and answer have become one
  text, and the status is `none`: decode with special tokens visible.
- **White space and end-of-turn tokens** at the end never belong to a `closed` answer.

Every step moves forward through the text and none starts over, so the time is linear in its length.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from lm_eval_sensitivity.scaffold.table import END_OF_TURN_TOKENS, KNOWN_SCAFFOLDS, Scaffold
from lm_eval_sensitivity.types import AnswerSpan, Missing

SHARED_PREAMBLE = "shared_preamble"
"""`AnswerSpan.scaffold` of an answer found behind a detected preamble."""

_NOT_WHITE_SPACE = re.compile(r"\S")


class _Place(NamedTuple):
    """Where an output enters a scaffold: in its reasoning, or already at the answer's wrapper."""

    scaffold: Scaffold
    position: int
    in_reasoning: bool


def find_answer(
    output: str,
    prompt_tail: str = "",
    *,
    shared_preamble: str | None = None,
    scaffolds: tuple[Scaffold, ...] = KNOWN_SCAFFOLDS,
) -> AnswerSpan:
    """The span of the answer in `output`, and what happened to the scaffold before it.

    Statuses: `none` (no scaffold: the whole output, whatever it is), `closed` (the span excludes the
    white space around the answer, its wrapper and end-of-turn tokens), `unclosed` (start and end are
    the length of the output) and `empty_answer` (start and end are where the answer would begin).

    An empty output is `none`, unless the prompt opened a scaffold: then it is `unclosed`.

    Args:
        output: generated text, special tokens visible where the engine lets us see them.
        prompt_tail: end of the rendered prompt, special tokens visible; a few hundred characters are
            enough. Empty means unknown.
        shared_preamble: what the outputs of this system share at their start (`detect_shared_preamble`),
            compared exactly. Known delimiters take precedence. An output that is only the beginning
            of it is `unclosed`.
        scaffolds: the ones that are looked for; all others are ordinary text.

    Returns:
        Status, name of the scaffold, and the half-open range of characters of `output` that is the answer.

    Example:
        >>> find_answer("<think>2 and 2</think> 4")
        AnswerSpan(status='closed', scaffold='think', start=23, end=24)
        >>> find_answer("2 and 2</think> 4", "<|im_start|>assistant\\n<think>\\n").start
        16
        >>> find_answer("2 and", "<|im_start|>assistant\\n<think>\\n").status
        'unclosed'
        >>> find_answer("HTML has no </think> tag.", "<|im_start|>assistant\\n")
        AnswerSpan(status='none', scaffold=None, start=0, end=25)
    """
    place = _enter(output, prompt_tail.rstrip(), scaffolds)
    if place is not None:
        return _leave(output, place, scaffolds)
    if shared_preamble and shared_preamble.strip():
        span = _after_preamble(output, shared_preamble)
        if span is not None:
            return span
    return AnswerSpan("none", None, 0, len(output))


def why_no_answer(span: AnswerSpan, whose: str) -> Missing | None:
    """Why an output has no answer.

    Args:
        span: of `find_answer`.
        whose: output it is of, as `base`.

    Returns:
        The reason; None where the span is that of an answer, which may be a blank text without a scaffold.

    Example:
        >>> str(why_no_answer(find_answer("<think>2 and"), "base"))
        'unclosed: the scaffold of the base never ends, there is no answer'
    """
    reasons = {
        "unclosed": Missing("unclosed", f"the scaffold of the {whose} never ends, there is no answer"),
        "empty_answer": Missing("empty answer", f"the scaffold of the {whose} ends and nothing follows"),
    }
    return reasons.get(span.status)


def _enter(output: str, tail: str, scaffolds: tuple[Scaffold, ...]) -> _Place | None:
    """The scaffold that the prompt or the output opens; None where there is none."""
    candidates = [scaffold for scaffold in scaffolds if _is_looked_for(scaffold, tail)]
    for scaffold in candidates:
        if tail.endswith(scaffold.opens):
            return _Place(scaffold, 0, in_reasoning=True)
    start = _skip_white_space(output, 0)
    for scaffold in candidates:
        opening = _any_of(scaffold.opens).match(output, start)
        if opening is not None:
            return _Place(scaffold, opening.end(), in_reasoning=True)
        if _any_of(_lone_wrappers(scaffold, tail)).match(output, start) is not None:
            return _Place(scaffold, start, in_reasoning=False)
    for scaffold in candidates:
        if _is_cut_off(output, start, scaffold.opens + _lone_wrappers(scaffold, tail)):
            return _Place(scaffold, len(output), in_reasoning=True)
    return None if tail else _enter_before_closing(output, scaffolds)


def _is_looked_for(scaffold: Scaffold, tail: str) -> bool:
    if scaffold.prompt_end is None:
        return True
    return tail.endswith(scaffold.prompt_end) if scaffold.prompt_end else not tail


def _lone_wrappers(scaffold: Scaffold, tail: str) -> tuple[str, ...]:
    """The answer wrappers that count without reasoning before them in the output."""
    closed_by_prompt = tail.endswith(scaffold.closes)
    return scaffold.answer_opens if scaffold.delimiters == "special" or closed_by_prompt else ()


def _enter_before_closing(output: str, scaffolds: tuple[Scaffold, ...]) -> _Place | None:
    """The scaffold whose closing delimiter comes first, of those that a template may have opened."""
    by_closing = {
        closing: scaffold
        for scaffold in scaffolds
        if scaffold.opened_by_template
        for closing in scaffold.closes
    }
    first = _any_of(tuple(by_closing)).search(output)
    return None if first is None else _Place(by_closing[first.group()], 0, in_reasoning=True)


def _leave(output: str, place: _Place, scaffolds: tuple[Scaffold, ...]) -> AnswerSpan:
    """Follow the scaffold from where it is entered to the answer."""
    scaffold, position, in_reasoning = place
    unclosed = AnswerSpan("unclosed", scaffold.name, len(output), len(output))
    opens, closes = _any_of(scaffold.opens), _any_of(scaffold.closes)
    while in_reasoning:
        closing = closes.search(output, position)
        if closing is None:
            return unclosed
        while closing is not None:
            position = _skip_white_space(output, closing.end())
            closing = closes.match(output, position)
        opening = opens.match(output, position)
        in_reasoning = opening is not None
        if opening is not None:
            position = opening.end()
    wrapped = _unwrap(output, _siblings(scaffold, scaffolds), position)
    if wrapped is not None:
        scaffold, position = wrapped
    elif _is_cut_off(output, position, scaffold.opens + _wrappers(scaffold, scaffolds)):
        return unclosed
    return _answer(output, scaffold.name, position, scaffold.answer_ends)


def _unwrap(output: str, siblings: tuple[Scaffold, ...], position: int) -> tuple[Scaffold, int] | None:
    """The scaffold that the wrapper at `position` belongs to and the place after it; None without one."""
    for sibling in siblings:
        wrapper = _any_of(sibling.answer_opens).match(output, position)
        if wrapper is not None:
            return sibling, _skip_white_space(output, wrapper.end())
    return None


def _after_preamble(output: str, preamble: str) -> AnswerSpan | None:
    """The answer behind a shared preamble; None where the output does not begin with it."""
    if output.startswith(preamble):
        return _answer(output, SHARED_PREAMBLE, _skip_white_space(output, len(preamble)), ())
    if output.strip() and preamble.startswith(output):
        return AnswerSpan("unclosed", SHARED_PREAMBLE, len(output), len(output))
    return None


def _answer(output: str, name: str, start: int, answer_ends: tuple[str, ...]) -> AnswerSpan:
    """The span from `start` to the last character that is not white space or an ending token."""
    endings = answer_ends + END_OF_TURN_TOKENS
    end = len(output)
    ending: str | None = ""
    while ending is not None:
        end -= len(ending)
        while end > start and output[end - 1].isspace():
            end -= 1
        ending = next((token for token in endings if output.endswith(token, start, end)), None)
    return AnswerSpan("closed" if end > start else "empty_answer", name, start, end)


def _is_cut_off(output: str, start: int, delimiters: tuple[str, ...]) -> bool:
    """True if the output from `start` on is the beginning of a delimiter, and long enough to tell."""
    n_left = len(output) - start
    if n_left < 2 or n_left >= max(map(len, delimiters), default=0):
        return False
    rest = output[start:]
    # One word of a sentence ("Here", or "He", the symbol of helium) is as well a whole answer.
    if rest[0].isalpha() and len(rest.split()) < 2:
        return False
    # Never a whole delimiter: that has been recognized before anyone asks here.
    return any(delimiter.startswith(rest) for delimiter in delimiters)


def _skip_white_space(output: str, position: int) -> int:
    found = _NOT_WHITE_SPACE.search(output, position)
    return len(output) if found is None else found.start()


@cache
def _any_of(delimiters: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern of plain alternatives, longest first; it cannot backtrack. No delimiters match nothing."""
    longest_first = sorted(delimiters, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


@cache
def _siblings(scaffold: Scaffold, scaffolds: tuple[Scaffold, ...]) -> tuple[Scaffold, ...]:
    """The scaffolds with the same opening that wrap the answer (itself included, if it does)."""
    return tuple(other for other in scaffolds if other.opens == scaffold.opens and other.answer_opens)


@cache
def _wrappers(scaffold: Scaffold, scaffolds: tuple[Scaffold, ...]) -> tuple[str, ...]:
    return tuple(wrapper for sibling in _siblings(scaffold, scaffolds) for wrapper in sibling.answer_opens)
