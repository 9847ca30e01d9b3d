"""Many samples of each prompt, from whatever engine there is.

lm_eval repeats a request as often as its `repeats` say; each repetition is one sample. An engine whose
generation can be looked into registers here with `sample_generations.register`; every other one is asked
through its own `generate_until`, and its own seeding decides.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from lm_eval_sensitivity.harness.engines.text import TextCall, ask_for_texts, text_identity
from lm_eval_sensitivity.harness.generate.decoding import parse_sampled_decoding
from lm_eval_sensitivity.harness.generate.generation import SystemFacts, Traced
from lm_eval_sensitivity.harness.generate.plan import Plan, common_settings
from lm_eval_sensitivity.harness.generate.store import ResponseStore

logger = logging.getLogger(__name__)

SEED = "seed"
"""In the settings of a sampled request, beside the decoding settings."""


def numbered(requests: Sequence[Instance]) -> list[Instance]:
    """Requests that lm_eval repeated, each repetition with a replicate number of its own.

    Args:
        requests: instances with arguments `(context, gen_kwargs, first replicate)`; repetitions are one object.
    """
    seen: Counter[int] = Counter()
    apart = []
    for request in requests:
        context, gen_kwargs, first = request.args
        apart.append(replace(request, arguments=(context, gen_kwargs, first + seen[id(request)])))
        seen[id(request)] += 1
    return apart


@singledispatch
def sample_generations(lm: LM, plan: Plan, store: ResponseStore | None) -> Traced:
    """Sample a plan's items with an engine that only returns text, one call for each replicate number.

    An engine that sends one and the same seed with every request would give one and the same sample; such
    requests get a seed of their own per call. Bases and variants are asked for in different calls, so that a
    seed never ties a base's sample to its variant's.
    """
    settings = common_settings(plan)
    seed = int(settings.pop(SEED))
    identity = {**text_identity(lm, plan), "decoding": parse_sampled_decoding(settings).as_dict()}
    base_texts = {plan.items[index].text for index in plan.base_of_request}
    calls: defaultdict[tuple[int, bool], list[int]] = defaultdict(list)
    for index, item in enumerate(plan.items):
        calls[item.replicate, item.text not in base_texts].append(index)
    seeded = _sends_a_seed(lm)
    traced = ask_for_texts(
        lm,
        plan,
        store,
        SystemFacts(engine=type(lm).__name__, identity=identity),
        [
            TextCall(calls[call], {**settings, **({SEED: _call_seed(seed, *call)} if seeded else {})})
            for call in sorted(calls)
        ],
    )
    _warn_if_nothing_varies(plan, traced)
    return traced


def _sends_a_seed(lm: LM) -> bool:
    """Whether the engine puts a fixed seed into every request's payload unless the request has its own."""
    payload = getattr(lm, "_create_payload", None)
    return callable(payload) and SEED in inspect.signature(payload).parameters


def _call_seed(seed: int, replicate: int, of_variants: bool) -> int:
    """A seed of 31 bits, which every server takes."""
    name = json.dumps(["call", seed, replicate, of_variants])
    return int.from_bytes(hashlib.sha256(name.encode("ascii")).digest()[:4], "little") >> 1


def _warn_if_nothing_varies(plan: Plan, traced: Traced) -> None:
    outputs: defaultdict[str, list[str]] = defaultdict(list)
    for item, output in zip(plan.items, traced.outputs, strict=True):
        outputs[item.text].append(output.text)
    if all(len(set(texts)) == 1 for texts in outputs.values()):
        logger.warning(
            "All samples of each prompt are equal: %s seems to ignore the temperature, or to answer from a cache. "
            "What follows then compares single outputs, and every difference of wording separates a pair.",
            traced.facts.engine,
        )
