"""From outputs back to requests: each with its views, the audit of its pair and the comparison of its prompt ends."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.audit.encode import user_token_span
from lm_eval_sensitivity.audit.pair import UNKNOWN, PairAudit, audit_pair
from lm_eval_sensitivity.harness.engines.contract import Engine, Prompt
from lm_eval_sensitivity.harness.engines.ranks import over_ranks
from lm_eval_sensitivity.harness.generate.generation import Answer, Generation, Output, SystemFacts, View
from lm_eval_sensitivity.harness.generate.plan import PairInstance, Plan
from lm_eval_sensitivity.harness.generate.prompt_ends import Neighborhoods
from lm_eval_sensitivity.harness.generate.token_ends import token_ends
from lm_eval_sensitivity.harness.generate.views import answer_of, decoder_for, find_spans, raw_view
from lm_eval_sensitivity.types import NOT_CONSTANT, AnswerSpan, Missing

logger = logging.getLogger(__name__)


def assemble(
    engine: Engine,
    plan: Plan,
    prompts: Sequence[Prompt],
    work: Neighborhoods,
    facts: SystemFacts,
    requests: Sequence[Instance],
    *,
    mark_tokens: bool,
) -> list[Generation]:
    """[request] outputs with their views, audits and comparisons.

    Args:
        engine: that made the outputs, for its decoding.
        plan: what was asked for.
        prompts: [item] what the engine was fed.
        work: the outputs, and the comparisons of prompt ends.
        facts: of the system.
        requests: that the plan was made of.
        mark_tokens: say where each token ends in the text.

    Returns:
        [request] generations; equal requests share one.
    """
    outputs = work.finished()
    fed = [_Fed.of(*each) for each in zip(prompts, outputs, strict=True)]
    spans = _spans(engine, plan, outputs, facts)
    views: list[tuple[View, Answer]] = []
    decode_ids = engine.decode
    decoders = [decoder_for(output, decode_ids) for output in outputs]
    for output, span, decode in zip(outputs, spans, decoders, strict=True):
        raw = raw_view(output, decode)
        views.append((raw, answer_of(output, span, raw, decode)))
    ends = [
        token_ends(output, decode, engine.tokenizer if decode is decode_ids else None)
        if mark_tokens
        else None
        for output, decode in zip(outputs, decoders, strict=True)
    ]
    user_spans = _user_spans(engine.tokenizer, plan, fed)
    prompt_ends = work.prompt_ends

    def generation(request: Instance, base: int, item: int, further: Sequence[int] = ()) -> Generation:
        return Generation(
            outputs[item].text,
            raw=views[item][0],
            answer=views[item][1],
            trace=outputs[item].trace,
            prompt_end=prompt_ends.get((base, item)),
            audit=_audit(request, base == item, fed[base], fed[item], user_spans.get(item)),
            facts=facts,
            token_ends=ends[item],
            obstacle=_obstacle(engine, request, fed[base], fed[item]),
            further=tuple(generation(request, base, each) for each in further),
        )

    routes = zip(
        requests, plan.base_of_request, plan.item_of_request, plan.repetitions_of_request, strict=True
    )
    found = [generation(*route) for route in routes]
    _say_what_is_not_scored(requests, found)
    return found


def _spans(engine: Engine, plan: Plan, outputs: Sequence[Output], facts: SystemFacts) -> list[AnswerSpan]:
    """[item] where the answer is; a preamble that outputs of all processes share is said, and kept among the facts."""
    spans, preamble = find_spans(
        plan, outputs, engine.think_end_token, lambda openings: over_ranks(engine.lm, openings)
    )
    if preamble is not None:
        logger.warning(
            "%d of %d outputs to unrelated prompts start with the same %d words (%r...): filter `answer` "
            "leaves this preamble out, filter `raw` keeps it.",
            preamble.n_sharing,
            preamble.n_outputs,
            preamble.n_words,
            preamble.text[:60],
        )
    facts.notes["shared_preamble"] = None if preamble is None else preamble.text
    return spans


@dataclass(frozen=True)
class _Fed:
    """A prompt as it arrived."""

    prompt: Prompt
    counted: int | None
    """Tokens, as whoever generated counted them."""

    @classmethod
    def of(cls, prompt: Prompt, output: Output) -> _Fed:
        """Some engines show the ids with the answer only."""
        shown = None if output.trace is None else output.trace.prompt_token_ids
        if isinstance(prompt, str) and shown is not None:
            prompt = tuple(shown.tolist())
        return cls(prompt, output.n_prompt_tokens)

    @property
    def cut(self) -> Missing | None:
        """Whoever counts less than was sent has cut the prompt."""
        if isinstance(self.prompt, str) or self.counted is None or self.counted >= len(self.prompt):
            return None
        return Missing("cut", f"the server read {self.counted} of {len(self.prompt)} tokens of a prompt")


def _user_spans(tokenizer: Any, plan: Plan, prompts: Sequence[_Fed]) -> dict[int, tuple[int, int]]:
    """item -> positions of the user's text among its prompt's ids, where the tokenizer can tell."""
    found: dict[tuple[str, str], tuple[int, int] | None] = {}
    spans = {}
    for index, (item, prompt) in enumerate(zip(plan.items, (each.prompt for each in prompts), strict=True)):
        key = item.text, item.user_text
        if key not in found and isinstance(item.context, str) and not isinstance(prompt, str):
            found[key] = user_token_span(tokenizer, item.context, item.user_text, list(prompt))
        if (span := found.get(key)) is not None:
            spans[index] = span
    return spans


def _obstacle(engine: Engine, request: Instance, base: _Fed, variant: _Fed) -> Missing | None:
    """Why nothing may be scored of a request, whatever was answered."""
    limit = engine.longest_prompt
    length = max(len(each.prompt) if isinstance(each.prompt, tuple) else 0 for each in (base, variant))
    if limit is not None and length > limit:
        return Missing("cut", f"the engine reads {limit} tokens of a prompt")
    if (cut := base.cut or variant.cut) is not None:
        return cut
    if (
        type(base.prompt) is type(variant.prompt)
        and base.prompt != variant.prompt
        and request.doc["base"] == request.doc["variant"]
    ):
        return NOT_CONSTANT
    return request.obstacle if isinstance(request, PairInstance) else None


def _say_what_is_not_scored(requests: Sequence[Instance], generations: Sequence[Generation]) -> None:
    """Each reason once; the words after the run count them again."""
    pairs = {
        (request.task_name, request.doc_id): each.obstacle  # of many samples, the last
        for request, each in zip(requests, generations, strict=True)
        if request.idx
    }
    for reason, count in Counter(each for each in pairs.values() if each is not None).items():
        logger.warning("%d of %d pairs are not scored: %s.", count, len(pairs), reason)


def _audit(
    request: Instance, same: bool, base: _Fed, variant: _Fed, user_span: tuple[int, int] | None
) -> PairAudit:
    # The document decides what was edited: a template that trims makes both sides the same request.
    edited = request.doc["base"] != request.doc["variant"]
    if isinstance(base.prompt, str) or isinstance(variant.prompt, str):
        # Without ids an erased edit is seen only where the rendered prompts are already equal.
        return audit_pair((), (), edited=True) if edited and same else _by_count(base, variant)
    return audit_pair(base.prompt, variant.prompt, edited=edited, user_span=user_span)


def _by_count(base: _Fed, variant: _Fed) -> PairAudit:
    """Another number of tokens proves that the edit arrived; the same number proves nothing."""
    if base.counted is None or variant.counted is None or base.counted == variant.counted:
        return UNKNOWN
    return PairAudit("survived", None, variant.counted - base.counted, None)
