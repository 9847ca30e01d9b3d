"""From the samples file back to generations: the texts and ids of a finished run, without its model.

What was never written does not come back: whole distributions, hidden states, and the tokenizer. An answer
that is cut out anew has therefore a text and, unless it is the whole output or the recorded answer, no
tokens and no windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lm_eval_sensitivity.audit import PairAudit
from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.harness.generate.generation import (
    WINDOWS,
    Answer,
    Generation,
    SystemFacts,
    TokenIds,
    Trace,
    View,
)
from lm_eval_sensitivity.harness.generate.plan import PROMPT_TAIL_CHARACTERS
from lm_eval_sensitivity.records.columns import AUDIT_STATUSES, FINISH_REASONS, SIDES, SPAN_STATUSES
from lm_eval_sensitivity.records.fields import Field
from lm_eval_sensitivity.scaffold import KNOWN_SCAFFOLDS, AnswerSpan, find_answer

WHOLE_OUTPUT = "none"
"""The rule that looks for no scaffold: the whole output is the answer."""

RULES = (WHOLE_OUTPUT, *(scaffold.name for scaffold in KNOWN_SCAFFOLDS))


def check_rule(rule: str | None) -> None:
    """Refuse a rule that is none.

    Raises:
        InputError: which rules are accepted.
    """
    if rule is not None and rule not in RULES:
        raise InputError(
            f"`--scaffold {rule[:60]}`: there is no such rule.{did_you_mean(rule, RULES)} Accepted: "
            f"{', '.join(RULES)}; leave it out to keep the answers of the run."
        )


@dataclass(frozen=True)
class RecordedPair:
    """The lines of one pair in a samples file, under both filters."""

    raw: Field
    answer: Field

    def generations(self, decoding: Mapping[str, Any], rule: str | None) -> tuple[Generation, Generation]:
        """Base and variant.

        Args:
            decoding: what was in effect, from the results file.
            rule: cut the answers out by this rule of `RULES`; None keeps the recorded ones.

        Raises:
            InputError: naming file, line and field.
        """
        audit = _audit(self.raw["pair"]["audit"])
        facts = SystemFacts("", {"decoding": dict(decoding)})
        base, variant = (self._generation(index, audit, facts, rule) for index in range(len(SIDES)))
        return base, variant

    def _generation(self, index: int, audit: PairAudit, facts: SystemFacts, rule: str | None) -> Generation:
        side = self.raw["pair"][SIDES[index]]
        text = self.raw["resps"].list_of(2)[index].list_of(1)[0].any_text()
        trace = _trace(side, text)
        ids = None if trace is None else trace.content_ids
        ends = _window_ends(side["view"], text)
        raw = View(text, ids if ends else None, ends)
        visible = text if trace is None else trace.visible_text
        answer = self._answer(index, visible, ids)
        if rule is not None:
            answer = _cut_anew(visible, self._prompt_tail(index), raw, answer, rule)
        return Generation(text, raw=raw, answer=answer, trace=trace, audit=audit, facts=facts)

    def _answer(self, index: int, visible: str, ids: TokenIds | None) -> Answer | None:
        """The recorded answer of one side."""
        recorded = self.raw["pair"][SIDES[index]]["answer"]
        if recorded.is_null:
            return None
        span = _span(recorded, len(visible))
        view = self.answer["pair"][SIDES[index]]["view"]
        if view.is_null:
            return Answer(span, None, None, None)
        text = self.answer["filtered_resps"].list_of(2)[index].any_text()
        ends = _window_ends(view, text)
        start, end = view.get("token_start"), view.get("token_end")
        if ids is None or start is None or end is None or start.is_null or end.is_null:
            return Answer(span, View(text, None, ends), None, None)
        first, last = start.integer(), end.integer()
        if not first <= last <= len(ids):
            end.refuse(f"a whole number from {first} to {len(ids)}, the tokens of the output")
        return Answer(span, View(text, ids[first:last], ends), first, last)

    def _prompt_tail(self, index: int) -> str:
        """The end of the rendered prompt; empty where the engine rendered it."""
        value: Any = self.raw.value.get("arguments")
        for name in (f"gen_args_{index}", "arg_0"):
            value = value.get(name) if isinstance(value, dict) else None
        return value[-PROMPT_TAIL_CHARACTERS:] if isinstance(value, str) else ""


def _cut_anew(visible: str, tail: str, raw: View, recorded: Answer | None, rule: str) -> Answer:
    n_tokens = None if raw.token_ids is None else len(raw.token_ids)
    whole = Answer(AnswerSpan("none", None, 0, len(visible)), raw, None if n_tokens is None else 0, n_tokens)
    if rule == WHOLE_OUTPUT:
        return whole
    known = tuple(scaffold for scaffold in KNOWN_SCAFFOLDS if scaffold.name == rule)
    span = find_answer(visible, tail, scaffolds=known)
    if recorded is not None and _place(span) == _place(recorded.span):
        return replace(recorded, span=span)
    if span.status == "none":
        return whole
    if span.status != "closed":
        return Answer(span, None, None, None)
    return Answer(span, View(visible[span.start : span.end].strip(), None, {}), None, None)


def _place(span: AnswerSpan) -> tuple[str, int, int]:
    return span.status, span.start, span.end


def _trace(side: Field, text: str) -> Trace | None:
    """What is known of the trace; what no text metric reads is left empty."""
    ids = side.get("token_ids")
    if ids is None:
        return None
    shown = side["visible_text"]
    no_ids, no_numbers = np.empty(0, np.int32), np.empty(0, np.float32)
    finish_reason = side["finish_reason"].one_of(FINISH_REASONS)
    return Trace(
        prompt_token_ids=no_ids,
        token_ids=np.asarray(ids.packed(), np.int32),
        margins=no_numbers,
        top1_log_probabilities=no_numbers,
        entropies=no_numbers,
        finish_reason=finish_reason if side["finite"].flag() else "not_finite",
        visible_text=text if shown.is_null else shown.any_text(),
        hidden_mean=None,
        prompt_end_hidden=None,
        prompt_end_top_ids=no_ids,
        prompt_end_top_log_probabilities=no_numbers,
    )


def _window_ends(view: Field, text: str) -> dict[int, int]:
    if view.is_null or not view["window_ends"].object():
        return {}
    ends = {}
    for window in WINDOWS:
        end = view["window_ends"][str(window)]
        ends[window] = end.integer()
        if ends[window] > len(text):
            end.refuse(f"a whole number from 0 to {len(text)}, the characters of the text")
    return ends


def _span(field: Field, length: int) -> AnswerSpan:
    start, end = field["start"].integer(), field["end"].integer()
    if not start <= end <= length:
        field["end"].refuse(f"a whole number from {start} to {length}, the characters of the output")
    status: Any = field["status"].one_of(SPAN_STATUSES)
    return AnswerSpan(status, None if field["scaffold"].is_null else field["scaffold"].text(), start, end)


def _audit(field: Field) -> PairAudit:
    status: Any = field["status"].one_of(AUDIT_STATUSES)
    position, change, inside = (
        field[name] for name in ("first_difference", "length_change", "inside_user_text")
    )
    return PairAudit(
        status,
        None if position.is_null else position.integer(),
        None if change.is_null else change.integer(lowest=-(2**31)),
        None if inside.is_null else inside.flag(),
    )
