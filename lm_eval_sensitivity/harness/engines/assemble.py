"""From outputs back to requests: each with its views, the audit of its pair and the comparison of its prompt ends."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.audit.encode import user_token_span
from lm_eval_sensitivity.audit.pair import UNKNOWN, PairAudit, audit_pair
from lm_eval_sensitivity.harness.engines.contract import Engine, Prompt
from lm_eval_sensitivity.harness.generate.generation import Answer, Generation, SystemFacts, View
from lm_eval_sensitivity.harness.generate.plan import PairInstance, Plan
from lm_eval_sensitivity.harness.generate.prompt_ends import Neighborhoods
from lm_eval_sensitivity.harness.generate.token_ends import token_ends
from lm_eval_sensitivity.harness.generate.views import answer_of, find_spans, raw_view
from lm_eval_sensitivity.types import NOT_CONSTANT, Missing

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
    spans, preamble = find_spans(plan, outputs, engine.think_end_token)
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
    views: list[tuple[View, Answer]] = []
    for output, span in zip(outputs, spans, strict=True):
        raw = raw_view(output, engine.decode)
        views.append((raw, answer_of(output, span, raw, engine.decode)))
    ends = [
        token_ends(output, engine.decode, engine.tokenizer) if mark_tokens else None for output in outputs
    ]
    user_spans = _user_spans(engine.tokenizer, plan, prompts)
    prompt_ends = work.prompt_ends

    def generation(request: Instance, base: int, item: int, further: Sequence[int] = ()) -> Generation:
        return Generation(
            outputs[item].text,
            raw=views[item][0],
            answer=views[item][1],
            trace=outputs[item].trace,
            prompt_end=prompt_ends.get((base, item)),
            audit=_audit(request, base == item, prompts[base], prompts[item], user_spans.get(item)),
            facts=facts,
            token_ends=ends[item],
            obstacle=_obstacle(engine, request, prompts[base], prompts[item]),
            further=tuple(generation(request, base, each) for each in further),
        )

    routes = zip(
        requests, plan.base_of_request, plan.item_of_request, plan.repetitions_of_request, strict=True
    )
    found = [generation(*route) for route in routes]
    _say_what_is_not_scored(requests, found)
    return found


def _user_spans(tokenizer: Any, plan: Plan, prompts: Sequence[Prompt]) -> dict[int, tuple[int, int]]:
    """item -> positions of the user's text among its prompt's ids, where the tokenizer can tell."""
    found: dict[tuple[str, str], tuple[int, int] | None] = {}
    spans = {}
    for index, (item, prompt) in enumerate(zip(plan.items, prompts, strict=True)):
        key = item.text, item.user_text
        if key not in found and isinstance(item.context, str) and not isinstance(prompt, str):
            found[key] = user_token_span(tokenizer, item.context, item.user_text, list(prompt))
        if (span := found.get(key)) is not None:
            spans[index] = span
    return spans


def _obstacle(engine: Engine, request: Instance, base: Prompt, prompt: Prompt) -> Missing | None:
    """Why nothing may be scored of a request, whatever was answered."""
    limit = engine.longest_prompt
    length = max(len(each) if isinstance(each, tuple) else 0 for each in (base, prompt))
    if limit is not None and length > limit:
        return Missing("cut", f"the engine reads {limit} tokens of a prompt")
    if base != prompt and request.doc["base"] == request.doc["variant"]:
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
    request: Instance, same: bool, base: Prompt, variant: Prompt, user_span: tuple[int, int] | None
) -> PairAudit:
    # The document decides what was edited: a template that trims makes both sides the same request.
    edited = request.doc["base"] != request.doc["variant"]
    if isinstance(base, str) or isinstance(variant, str):
        # Without ids an erased edit is seen only where the rendered prompts are already equal.
        return audit_pair((), (), edited=True) if edited and same else UNKNOWN
    return audit_pair(base, variant, edited=edited, user_span=user_span)
