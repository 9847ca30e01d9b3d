"""One function per kind of engine; a new engine registers here with `trace_generations.register`.

Engines with a tracer of their own return token ids, logits and hidden states; every other engine
answers through its own `generate_until` and returns text.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook

from lm_eval_sensitivity.harness.generate.fingerprint import fingerprint
from lm_eval_sensitivity.harness.generate.generation import Output, SystemFacts, Traced
from lm_eval_sensitivity.harness.generate.plan import Plan, context_text
from lm_eval_sensitivity.harness.generate.store import ResponseStore, record_key

logger = logging.getLogger(__name__)


@singledispatch
def trace_generations(lm: LM, plan: Plan, store: ResponseStore | None) -> Traced:
    """Generate a plan's items with an engine that only returns text.

    Replicates are asked for in a call of their own, after the rest, so that an engine that batches puts
    them in another batch. An engine that remembers its answers cannot be told to forget them: its identical
    rung is then exactly 0 and says nothing about its noise.
    """
    facts = SystemFacts(engine=type(lm).__name__, identity=text_identity(lm, plan))
    calls: dict[int, list[int]] = {}
    for index, item in enumerate(plan.items):
        calls.setdefault(item.replicate, []).append(index)
    return ask_for_texts(lm, plan, store, facts, [TextCall(calls[each]) for each in sorted(calls)])


@dataclass(frozen=True)
class TextCall:
    """What an engine is asked for in one call of its `generate_until`."""

    items: Sequence[int]
    """No two of the same text."""
    settings: Mapping[str, object] | None = None
    """What is sent instead of the items' own settings."""


def ask_for_texts(
    lm: LM, plan: Plan, store: ResponseStore | None, facts: SystemFacts, calls: Sequence[TextCall]
) -> Traced:
    """Generate a plan's items call by call, each answer kept as it arrives."""
    if store is not None and not plan.model_args and "weights" not in facts.identity:
        logger.warning(
            "The response store is not used: nothing tells this %s from another one.", facts.engine
        )
        store = None
    system = fingerprint(facts.identity)
    keys = [record_key(system, item.text, item.settings, item.replicate) for item in plan.items]
    outputs: dict[int, str] = {}
    for index, key in enumerate(keys):
        if store is not None and (record := store.get(key)) is not None:
            outputs[index] = str(record["text"])
    for call in calls:
        todo = TextCall([index for index in call.items if index not in outputs], call.settings)
        if todo.items:
            texts = _generate_text(lm, plan, todo, keys, store)
            outputs.update(zip(todo.items, texts, strict=True))
    return Traced(outputs=tuple(Output(outputs[i]) for i in range(len(plan.items))), facts=facts)


class _StoringHook(CacheHook):
    """Where engines report each answer as it arrives: kept at once, so that a killed run paid for nothing twice.

    It stands in for the harness's own hook, whose cache is keyed without the model.
    """

    def __init__(self, store: ResponseStore | None, key_of_text: Mapping[str, str]) -> None:
        super().__init__(None)
        self.stored: set[str] = set()
        self._store = store
        self._key_of_text = key_of_text

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        """Called by an engine with one request's arguments and its answer."""
        key = self._key_of_text.get(context_text(req[0]))
        if self._store is not None and key is not None and isinstance(res, str):
            self._store.append([(key, {"text": res})])
            self.stored.add(key)


def _generate_text(
    lm: LM, plan: Plan, call: TextCall, keys: Sequence[str], store: ResponseStore | None
) -> list[str]:
    requests = [
        Instance(
            request_type="generate_until",
            doc={},
            arguments=(
                plan.items[index].context,
                json.loads(plan.items[index].settings) if call.settings is None else dict(call.settings),
            ),
            idx=0,
            metadata=("prompt_sensitivity", number, 1),
        )
        for number, index in enumerate(call.items)
    ]
    hook = lm.cache_hook
    storing = _StoringHook(store, {plan.items[index].text: keys[index] for index in call.items})
    lm.cache_hook = storing
    try:
        texts = [str(text) for text in lm.generate_until(requests)]
    finally:
        lm.cache_hook = hook
    if store is not None:
        answers = zip((keys[index] for index in call.items), texts, strict=True)
        store.append([(key, {"text": text}) for key, text in answers if key not in storing.stored])
    return texts


def text_identity(lm: LM, plan: Plan) -> dict[str, object]:
    """What tells an engine that cannot be traced from another: what the user asked for, and its weights if seen."""
    identity: dict[str, object] = {"engine": type(lm).__name__, "model_args": dict(plan.model_args)}
    model = getattr(lm, "model", None)
    if isinstance(model, str):
        identity["model"] = model
    if "torch" in sys.modules and isinstance(model, sys.modules["torch"].nn.Module):
        from lm_eval_sensitivity.harness.engines.weights import weights_checksum

        identity["weights"] = weights_checksum(model).sha256
    local = Path(plan.model_args.get("pretrained", ""))
    if "weights" not in identity and local.parts and local.is_dir():
        # Weights that only the engine sees: a folder retrained in place has other sizes or times.
        files = sorted(path for path in local.iterdir() if path.is_file())
        identity["files"] = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return identity
