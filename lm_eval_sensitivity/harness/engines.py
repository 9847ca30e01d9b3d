"""One function per kind of engine; a new engine registers here with `trace_generations.register`.

Engines with a tracer of their own return token ids, logits and hidden states; every other engine
answers through its own `generate_until` and returns text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook

from lm_eval_sensitivity.harness.fingerprint import fingerprint
from lm_eval_sensitivity.harness.generation import SystemFacts, Trace
from lm_eval_sensitivity.harness.plan import Item, Plan
from lm_eval_sensitivity.harness.store import ResponseStore, record_key
from lm_eval_sensitivity.metrics.logits import PromptEnd


@dataclass(frozen=True)
class Output:
    """What an engine made of one item."""

    text: str
    """The output as any lm_eval task would see it: special tokens dropped."""
    trace: Trace | None = None


@dataclass(frozen=True)
class Traced:
    """What an engine made of a plan."""

    outputs: tuple[Output, ...]
    """[item] in the plan's order."""
    facts: SystemFacts
    prompt_ends: Mapping[tuple[int, int], PromptEnd] = field(default_factory=dict)
    """(base item, variant item) -> comparison of the next-token distributions at the prompt end."""
    user_spans: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """item -> positions of the user's text among its prompt's ids, where the tokenizer can tell."""


@singledispatch
def trace_generations(lm: LM, plan: Plan, store: ResponseStore | None) -> Traced:
    """Generate a plan's items with an engine that only returns text.

    Replicates are asked for in a call of their own, after the rest: an engine that batches puts them in
    another batch, an engine that remembers answers cannot be told to forget, and the audit of its
    identical rung says so by being exactly 0.
    """
    facts = SystemFacts(engine=type(lm).__name__, identity=_text_identity(lm, plan))
    system = fingerprint(facts.identity)
    outputs: dict[int, str] = {}
    keys = [record_key(system, item.context, item.settings, item.replicate) for item in plan.items]
    for index, key in enumerate(keys):
        if store is not None and (record := store.get(key)) is not None:
            outputs[index] = str(record["text"])
    for replicate in sorted({item.replicate for item in plan.items}):
        todo = [i for i, item in enumerate(plan.items) if item.replicate == replicate and i not in outputs]
        if todo:
            texts = _generate_text(lm, [plan.items[index] for index in todo])
            outputs.update(zip(todo, texts, strict=True))
            if store is not None:
                store.append([(keys[i], {"text": text}) for i, text in zip(todo, texts, strict=True)])
    return Traced(outputs=tuple(Output(outputs[i]) for i in range(len(plan.items))), facts=facts)


def _generate_text(lm: LM, items: list[Item]) -> list[str]:
    requests = [
        Instance(
            request_type="generate_until",
            doc={},
            arguments=(item.context, json.loads(item.settings)),
            idx=0,
            metadata=("prompt_sensitivity", index, 1),
        )
        for index, item in enumerate(items)
    ]
    # The harness's own cache is keyed without the model: keep our answers out of it.
    hook = lm.cache_hook
    lm.cache_hook = CacheHook(None)
    try:
        return [str(text) for text in lm.generate_until(requests)]
    finally:
        lm.cache_hook = hook


def _text_identity(lm: LM, plan: Plan) -> dict[str, Any]:
    """An API model cannot be looked into: what the user asked for is all that identifies it."""
    secrets = ("key", "token", "secret", "password")
    arguments = {
        str(name): str(value)
        for name, value in plan.model_args.items()
        if not any(word in str(name).lower() for word in secrets)
    }
    return {
        "engine": type(lm).__name__,
        "model_args": dict(sorted(arguments.items())),
        "model": str(getattr(lm, "model", "")) if isinstance(getattr(lm, "model", None), str) else "",
    }


def load_tracers() -> None:
    """Register the tracer of every engine whose library is loaded; none is imported for its own sake."""
    if "lm_eval.models.huggingface" in sys.modules:
        import lm_eval_sensitivity.harness.hf_engine  # noqa: F401  # registers itself
