"""From the samples file back to generations: the texts and ids of a finished run, without its model.

What was never written does not come back: whole distributions, hidden states, and the tokenizer. An answer
that is cut out anew has therefore a text and, unless it is the whole output or the recorded answer, no
tokens and no windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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
from lm_eval_sensitivity.records.codec import absent, refused
from lm_eval_sensitivity.records.columns import SIDES
from lm_eval_sensitivity.records.sample import SampleRow, ViewRecord, WholeRow, WholeSideRecord
from lm_eval_sensitivity.scaffold import KNOWN_SCAFFOLDS, AnswerSpan, find_answer
from lm_eval_sensitivity.types import ON_THE_WAY, Missing

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
    """The rows of one pair in a samples file, under both filters."""

    raw: WholeRow
    answer: SampleRow
    prompt_tails: tuple[str, str]
    """Ends of the rendered prompts; empty where the engine rendered them."""
    place: str
    """File and line of `raw`; opens every message."""

    def generations(self, decoding: Mapping[str, Any], rule: str | None) -> tuple[Generation, Generation]:
        """Base and variant.

        Args:
            decoding: what was in effect, from the results file.
            rule: cut the answers out by this rule of `RULES`; None keeps the recorded ones.

        Returns:
            Both sides, as `measure_pair` takes them.

        Raises:
            InputError: naming file, line and field.
        """
        facts = SystemFacts("", {"decoding": dict(decoding)})
        base, variant = (self._generation(index, facts, rule) for index in range(len(SIDES)))
        return base, variant

    def _generation(self, index: int, facts: SystemFacts, rule: str | None) -> Generation:
        side: WholeSideRecord = getattr(self.raw.pair, SIDES[index])
        text, field = self.raw.outputs[index], f"pair.{SIDES[index]}"
        trace = _trace(side, text, self.place, field)
        ids = None if trace is None else trace.content_ids
        ends = _window_ends(side.view, text, self.place, f"{field}.view.window_ends")
        raw = View(text, ids if ends else None, ends)
        visible = text if trace is None else trace.visible_text
        answer = self._answer(index, visible, ids)
        if rule is not None:
            answer = _cut_anew(visible, self.prompt_tails[index], raw, answer, rule)
        audit = self.raw.pair.audit
        # What the run knew of the prompt on its way, nobody can find out from the outputs.
        number = ("output_spread", "token_edit_distance")[index]  # of the base alone, and of the pair
        reason = Missing.from_text(self.raw.pair.missing.get(number, ""))
        obstacle = reason if reason.kind in ON_THE_WAY else None
        return Generation(
            text, raw=raw, answer=answer, trace=trace, audit=audit, facts=facts, obstacle=obstacle
        )

    def _answer(self, index: int, visible: str, ids: TokenIds | None) -> Answer | None:
        """The recorded answer of one side."""
        span = getattr(self.raw.pair, SIDES[index]).answer
        if span is None:
            return None
        field = f"pair.{SIDES[index]}"
        if not span.start <= span.end <= len(visible):
            accepted = f"a whole number from {span.start} to {len(visible)}, the characters of the output"
            raise refused(self.place, f"{field}.answer.end", span.end, accepted)
        view: ViewRecord | None = getattr(self.answer.pair, SIDES[index]).view
        if view is None:
            return Answer(span, None, None, None)
        text = self.answer.filtered_resps[index]
        ends = _window_ends(view, text, self.place, f"{field}.view.window_ends")
        first, last = view.token_start, view.token_end
        if ids is None or first is None or last is None:
            return Answer(span, View(text, None, ends), None, None)
        if not first <= last <= len(ids):
            accepted = f"a whole number from {first} to {len(ids)}, the tokens of the output"
            raise refused(self.place, f"{field}.view.token_end", last, accepted)
        return Answer(span, View(text, ids[first:last], ends), first, last)


def prompt_tails(line: Mapping[str, Any]) -> tuple[str, str]:
    """The ends of both rendered prompts, from a line as lm_eval wrote it.

    Returns:
        Of base and variant, at most `PROMPT_TAIL_CHARACTERS` each; empty where the line does not hold the prompt.
    """
    return _prompt_tail(line, 0), _prompt_tail(line, 1)


def _prompt_tail(line: Mapping[str, Any], index: int) -> str:
    value: Any = line.get("arguments")
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


def _trace(side: WholeSideRecord, text: str, place: str, field: str) -> Trace | None:
    """What text metrics read of the trace."""
    if side.token_ids is None:
        return None
    if side.finish_reason is None:
        raise absent(place, f"{field}.finish_reason")
    return Trace(
        token_ids=side.token_ids.unpacked(place, f"{field}.token_ids"),
        finish_reason=side.finish_reason if side.finite else "not_finite",
        visible_text=text if side.visible_text is None else side.visible_text,
    )


def _window_ends(view: ViewRecord | None, text: str, place: str, field: str) -> dict[int, int]:
    if view is None or not view.window_ends:
        return {}
    ends = {}
    for window in WINDOWS:
        if str(window) not in view.window_ends:
            raise absent(place, f"{field}.{window}")
        ends[window] = view.window_ends[str(window)]
        if ends[window] > len(text):
            accepted = f"a whole number from 0 to {len(text)}, the characters of the text"
            raise refused(place, f"{field}.{window}", ends[window], accepted)
    return ends
