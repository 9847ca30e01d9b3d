"""The one thing added to lm_eval: the request types `generate_traced` and `generate_sampled`.

lm_eval's evaluator calls `getattr(lm, request_type)(requests)` once with the requests of all tasks
together. Importing this module gives every `LM` these methods. It is the single place where this package
extends lm_eval; everything else is ordinary task, filter and library code.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from lm_eval_sensitivity.audit.pair import UNKNOWN, PairAudit, audit_pair
from lm_eval_sensitivity.harness.engines.sampling import numbered, sample_generations
from lm_eval_sensitivity.harness.engines.text import trace_generations
from lm_eval_sensitivity.harness.generate.generation import Answer, Generation, Traced, View
from lm_eval_sensitivity.harness.generate.plan import Plan, make_plan
from lm_eval_sensitivity.harness.generate.store import ResponseStore, open_store
from lm_eval_sensitivity.harness.generate.token_ends import token_ends
from lm_eval_sensitivity.harness.generate.views import answer_of, decoder_of, find_spans, raw_view

logger = logging.getLogger(__name__)


def generate_traced(self: LM, requests: list[Instance]) -> list[Generation]:
    """Generate the outputs of all pairs and record what later analysis needs.

    Args:
        requests: instances with arguments `(context, gen_kwargs, replicate)`; index 0 is the base of the
            pair in `doc`, index 1 its variant.

    Returns:
        [request] generations; equal requests share one.
    """
    return _generate(self, requests, trace_generations, mark_tokens=True)


def generate_sampled(self: LM, requests: list[Instance]) -> list[Generation]:
    """Sample outputs of both sides of all pairs.

    Args:
        requests: instances with arguments `(context, gen_kwargs, first replicate)`; index 0 is the base of the
            pair in `doc`, index 1 its variant. An instance stands there once for each of its samples.

    Returns:
        [request] generations; equal prompts share their samples.
    """
    return _generate(self, numbered(requests), sample_generations, mark_tokens=False)


LM.generate_traced = generate_traced
LM.generate_sampled = generate_sampled


def _generate(
    lm: LM,
    requests: list[Instance],
    generate: Callable[[LM, Plan, ResponseStore | None], Traced],
    *,
    mark_tokens: bool,
) -> list[Generation]:
    plan = make_plan(requests)
    logger.info(
        "prompt_sensitivity: %d requests need %d generations (equal prompts are generated once).",
        len(requests),
        len(plan.items),
    )
    store = open_store(lm)
    _load_tracers()
    try:
        traced = generate(lm, plan, store)
    finally:
        if store is not None:
            store.close()
    return _assemble(lm, plan, traced, requests, mark_tokens=mark_tokens)


def _load_tracers() -> None:
    """Register the tracer of every engine whose library is loaded; none is imported for its own sake."""
    if "lm_eval.models.huggingface" in sys.modules:
        import lm_eval_sensitivity.harness.engines.hf.engine
        import lm_eval_sensitivity.harness.engines.hf.sampling  # noqa: F401  # both register themselves


def _assemble(
    lm: LM, plan: Plan, traced: Traced, requests: Sequence[Instance], *, mark_tokens: bool
) -> list[Generation]:
    decode = decoder_of(lm)
    spans, preamble = find_spans(plan, traced.outputs)
    if preamble is not None:
        logger.warning(
            "%d of %d outputs to unrelated prompts start with the same %d words (%r...): filter `answer` "
            "leaves this preamble out, filter `raw` keeps it.",
            preamble.n_sharing,
            preamble.n_outputs,
            preamble.n_words,
            preamble.text[:60],
        )
    shared = {"shared_preamble": None if preamble is None else preamble.text}
    facts = replace(traced.facts, notes={**traced.facts.notes, **shared})
    views: list[tuple[View, Answer]] = []
    for output, span in zip(traced.outputs, spans, strict=True):
        raw = raw_view(output, decode)
        views.append((raw, answer_of(output, span, raw, decode)))
    ends = [token_ends(output, lm) if mark_tokens else None for output in traced.outputs]
    routes = zip(requests, plan.base_of_request, plan.item_of_request, strict=True)
    return [
        Generation(
            traced.outputs[item].text,
            raw=views[item][0],
            answer=views[item][1],
            trace=traced.outputs[item].trace,
            prompt_end=traced.prompt_ends.get((base, item)),
            audit=_audit(traced, request, base, item),
            facts=facts,
            token_ends=ends[item],
        )
        for request, base, item in routes
    ]


def _audit(traced: Traced, request: Instance, base: int, item: int) -> PairAudit:
    # The document decides what was edited: a template that trims makes both sides the same request.
    edited = request.doc["base"] != request.doc["variant"]
    base_trace, trace = traced.outputs[base].trace, traced.outputs[item].trace
    if base_trace is None or trace is None:
        # Without ids an erased edit is seen only where the rendered prompts are already equal.
        return audit_pair((), (), edited=True) if edited and base == item else UNKNOWN
    return audit_pair(
        base_trace.prompt_token_ids.tolist(),
        trace.prompt_token_ids.tolist(),
        edited=edited,
        user_span=traced.user_spans.get(item),
    )
