"""From outputs to views: find the scaffold, cut the answer, mark the token windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval_sensitivity.harness.generate.generation import WINDOWS, Answer, Output, View
from lm_eval_sensitivity.harness.generate.plan import Plan
from lm_eval_sensitivity.scaffold import SharedPreamble, detect_shared_preamble, find_answer
from lm_eval_sensitivity.types import AnswerSpan

Decode = Callable[[Sequence[int], bool], str]
"""(token ids, skip special tokens) -> text."""


THINK_END = "think_end_token"
"""`AnswerSpan.scaffold` of an answer behind the end of reasoning that the user declared."""


def find_spans(
    plan: Plan,
    outputs: Sequence[Output],
    think_end: str | None = None,
    gather: Callable[[dict[str, str]], list[dict[str, str]]] = lambda own: [own],
) -> tuple[list[AnswerSpan], SharedPreamble | None]:
    """Find the answer in every output.

    The detector of shared preambles sees one output per prompt, and only outputs without a known scaffold.

    Args:
        plan: of the run.
        outputs: [item] in the plan's order.
        think_end: what the user said that reasoning ends with.
        gather: from the outputs of this process, by prompt, to those of each process of the run.

    Returns:
        [item] answer spans, and the unknown preamble that unrelated prompts' outputs share, None if there is none.
    """
    texts = [_visible(output) for output in outputs]
    tails = [item.tail for item in plan.items]
    spans = [find_answer(text, tail) for text, tail in zip(texts, tails, strict=True)]
    if think_end:
        spans = [
            after_think_end(output, think_end) if span.status == "none" else span
            for output, span in zip(outputs, spans, strict=True)
        ]
    unrelated: dict[str, str] = {}
    for index in sorted(plan.base_items):
        if spans[index].status == "none" and plan.items[index].replicate == 0:
            unrelated.setdefault(plan.prompt_of_item[index], texts[index])
    every = {prompt: text for part in reversed(gather(unrelated)) for prompt, text in part.items()}
    preamble = detect_shared_preamble(every)
    if preamble is not None:
        spans = [
            find_answer(text, tail, shared_preamble=preamble.text) if span.status == "none" else span
            for text, tail, span in zip(texts, tails, spans, strict=True)
        ]
    return spans, preamble


def after_think_end(output: Output, think_end: str) -> AnswerSpan:
    """The answer behind the last end of reasoning, as lm_eval's models cut it.

    Args:
        output: without a known scaffold.
        think_end: what the user said that reasoning ends with.

    Returns:
        The whole output where it does not stand there, unless the token limit came first: such reasoning never ended.

    Example:
        >>> after_think_end(Output("2 and 2 :: 4"), "::")
        AnswerSpan(status='closed', scaffold='think_end_token', start=11, end=12)
    """
    text = _visible(output)
    head, found, rest = text.rpartition(think_end)
    end = len(text.rstrip())
    if found:
        start = len(head) + len(found) + len(rest) - len(rest.lstrip())
        return AnswerSpan("closed" if rest.strip() else "empty_answer", THINK_END, start, max(start, end))
    if output.trace is not None and output.trace.cut:
        return AnswerSpan("unclosed", THINK_END, len(text), len(text))
    return AnswerSpan("none", None, 0, len(text))


def raw_view(output: Output, decode: Decode | None) -> View:
    """The whole output as a view.

    Args:
        output: of an engine.
        decode: the engine's own decoding.

    Returns:
        Text, token ids without the end token, and window ends; of an output without ids the text only.
    """
    if output.trace is None or decode is None:
        return View(output.text, None, {})
    # Without the end token: whether it was reached before the limit is no difference in what was said.
    ids = output.trace.content_ids
    return View(output.text, ids, _window_ends(output.text, ids.tolist(), decode))


def answer_of(output: Output, span: AnswerSpan, raw: View, decode: Decode | None) -> Answer:
    """The answer span of an output, as text and as steps.

    Args:
        output: of an engine.
        span: where its answer stands, in characters.
        raw: the whole output, which is the answer where there is no scaffold.
        decode: the engine's own decoding.

    Returns:
        Span, view and steps; view and steps are None where there is no answer to score, the steps also without
        token ids.
    """
    scored = span.status in ("none", "closed")
    if output.trace is None or decode is None:
        text = output.text[span.start : span.end].strip()
        return Answer(span, View(text, None, {}) if scored else None, None, None)
    if span.status == "none":
        return Answer(span, raw, 0, len(output.trace.content_ids))
    if not scored:
        return Answer(span, None, None, None)
    trace = output.trace
    ids = trace.content_ids.tolist()
    start, end = _steps_before(ids, span.start, decode, whole=True), len(ids)
    stopped = trace.finish_reason == "stop_string"
    if stopped or span.end < len(trace.visible_text):
        end = _steps_before(ids, span.end, decode, whole=False)
    # The ids of a stop string are part of the trace but not of the text.
    text = trace.visible_text[span.start : span.end] if stopped else decode(ids[start:end], True)
    lead = len(text) - len(text.lstrip())
    ends = _window_ends(text.strip(), ids[start:end], decode, lead=lead)
    return Answer(span, View(text.strip(), trace.content_ids[start:end], ends), start, end)


def _visible(output: Output) -> str:
    return output.text if output.trace is None else output.trace.visible_text


def _window_ends(text: str, ids: Sequence[int], decode: Decode, *, lead: int = 0) -> Mapping[int, int]:
    """Where the first 64, 128, ... tokens end in a text that lost `lead` characters at its start.

    A window that ends inside a character decodes to a replacement mark there; the mark is left out, so
    that a window is always a prefix of the text.
    """
    ends = {}
    for window in WINDOWS:
        reached = len(text)
        if window < len(ids):
            reached = len(decode(ids[:window], True).rstrip("\ufffd")) - lead
        ends[window] = max(0, min(reached, len(text)))
    return ends


def _steps_before(ids: Sequence[int], character: int, decode: Decode, *, whole: bool) -> int:
    """How many steps it takes to reach a character of the visible text.

    Args:
        whole: count only steps that end at or before the character (where an answer starts); otherwise
            also the step that crosses it (where an answer ends).
    """
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high + 1) // 2 if whole else (low + high) // 2
        reached = len(decode(ids[:middle], False))
        if whole:
            low, high = (middle, high) if reached <= character else (low, middle - 1)
        else:
            low, high = (low, middle) if reached >= character else (middle + 1, high)
    return low


def decoder_for(output: Output, decode: Decode | None) -> Decode | None:
    """How the ids of one output become text.

    Args:
        output: of an engine.
        decode: the engine's own decoding.

    Returns:
        The engine's; where the ids are symbols of the output's own tokens, those tokens in a row.
    """
    trace = output.trace
    if trace is None or trace.token_bytes is None:
        return decode
    known = dict(zip(trace.token_ids.tolist(), trace.token_bytes, strict=True))
    return lambda ids, skip: b"".join(known[each] for each in ids).decode("utf-8", "replace")


def decoder_with(tokenizer: Any) -> Decode:
    """A transformers tokenizer's decoding, as `decoder_of` gives an engine's."""
    return lambda ids, skip: str(tokenizer.decode(list(ids), skip_special_tokens=skip))


def decoder_of(lm: Any) -> Decode | None:
    """The engine's own decoding.

    Returns:
        Takes ids and whether to skip special tokens; None where the engine has none.
    """
    if not hasattr(lm, "tok_decode"):
        return None
    return lambda ids, skip: str(lm.tok_decode(list(ids), skip_special_tokens=skip))
