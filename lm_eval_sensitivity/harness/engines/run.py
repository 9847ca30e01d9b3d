"""What all engines share: from requests to generations, whatever makes the outputs."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.assemble import assemble
from lm_eval_sensitivity.harness.engines.batches import distinct, first_of_each, work_off
from lm_eval_sensitivity.harness.engines.contract import Engine, Prompt, Request
from lm_eval_sensitivity.harness.engines.cost import cost_in_words
from lm_eval_sensitivity.harness.engines.ranks import over_ranks
from lm_eval_sensitivity.harness.engines.registry import engine_of
from lm_eval_sensitivity.harness.generate.decoding import (
    SEED,
    Decoding,
    SampledDecoding,
    parse_decoding,
    parse_sampled_decoding,
)
from lm_eval_sensitivity.harness.generate.fingerprint import fingerprint
from lm_eval_sensitivity.harness.generate.generation import (
    CHANNELS,
    Generation,
    Output,
    SystemFacts,
)
from lm_eval_sensitivity.harness.generate.plan import (
    Plan,
    common_settings,
    generation_order,
    make_plan,
    model_args_of,
    numbered,
)
from lm_eval_sensitivity.harness.generate.prompt_ends import Neighborhoods
from lm_eval_sensitivity.ladder.cost import REPETITIONS
from lm_eval_sensitivity.records.store import ResponseStore, open_store, record_key
from lm_eval_sensitivity.types import Channel

logger = logging.getLogger(__name__)

CHANNELS_OF_SAMPLES: frozenset[Channel] = frozenset({"text", "token ids"})
"""The others describe one greedy path; of thousands of sampled ones nobody asks them, and they take room."""


def greedy_generations(lm: Any, requests: Sequence[Instance]) -> list[Generation]:
    """Greedy outputs of all requests of a run; equal requests share one.

    A prompt of the identical rung is repeated once where the engine is bit-exact, else `REPETITIONS` times, or as often
    as its request says.

    Returns:
        [request] outputs with views, answer and audit, in the order of the requests.

    Raises:
        InputError: settings that are not greedy, or differ between the tasks of the run.
    """
    engine = engine_of(lm, model_args_of(requests))
    plan = make_plan(requests, 1 if engine.bit_exact else REPETITIONS)
    return _generations(engine, plan, requests, parse_decoding(common_settings(plan)))


def sampled_generations(lm: Any, requests: Sequence[Instance]) -> list[Generation]:
    """Samples for all requests of a run; equal prompts share theirs.

    Args:
        lm: the model as lm_eval made it.
        requests: each stands there once for each of its samples.

    Returns:
        [request] one sample each, in the order of the requests.

    Raises:
        InputError: settings that cannot be sampled with, or differ between the tasks of the run.
    """
    apart = numbered(requests)
    plan = make_plan(apart)
    engine = engine_of(lm, plan.model_args)
    settings = common_settings(plan)
    seed = int(settings.pop(SEED))
    generations = _generations(engine, plan, apart, replace(parse_sampled_decoding(settings), seed=seed))
    if engine.batch_size is None:
        _warn_if_nothing_varies(lm, plan, generations)
    return generations


def _warn_if_nothing_varies(lm: Any, plan: Plan, generations: Sequence[Generation]) -> None:
    outputs: defaultdict[str, set[str]] = defaultdict(set)
    for item, generation in zip(plan.item_of_request, generations, strict=True):
        outputs[plan.items[item].text].add(str(generation))
    if all(len(texts) == 1 for texts in outputs.values()):
        logger.warning(
            "All samples of each prompt are equal: %s seems to ignore the temperature, or to answer from a cache. "
            "What follows then compares single outputs, and every difference of wording separates a pair.",
            type(lm).__name__,
        )


def _generations(
    engine: Engine, plan: Plan, requests: Sequence[Instance], decoding: Decoding
) -> list[Generation]:
    for words in plan.warnings:
        logger.warning("%s", words)
    _warn_of_unused_template(engine, plan)
    prompts = _prompts(engine, plan)
    fitted = _fit_context(engine, plan, prompts, decoding)
    logger.info(
        "prompt_sensitivity: %d requests need %d generations (equal prompts are generated once) of at most %d tokens: "
        "at most %s tokens in all.",
        len(requests),
        len(plan.items),
        fitted.max_gen_toks,
        f"{len(plan.items) * fitted.max_gen_toks:,}",
    )
    store = open_store(engine.lm)
    try:
        with engine.ready(fitted):
            notes = engine.notes()
            if fitted != decoding:
                notes["max_gen_toks_requested"] = decoding.max_gen_toks
            name, identity = type(engine.lm).__name__, engine.identity(fitted)
            facts = SystemFacts(name, identity, notes, fitted.as_dict())
            work = _work_off(engine, plan, prompts, fitted, facts, store)
            notes.update(engine.notes())  # some are of the outputs
    finally:
        if store is not None:
            store.close()
    return assemble(engine, plan, prompts, work, facts, requests, mark_tokens=decoding.greedy)


def _warn_of_unused_template(engine: Engine, plan: Plan) -> None:
    template = getattr(engine.tokenizer, "chat_template", None)
    if template is not None and not plan.chat_template_applied:
        logger.warning(
            "This model's tokenizer has a chat template and the run does not use it: outputs are not what a user "
            "of the model would see. Add `--apply_chat_template`."
        )


def _prompts(engine: Engine, plan: Plan) -> list[Prompt]:
    """[item] what the model is fed, as far as the engine shows it."""
    found: dict[str, Prompt] = {}
    for item in plan.items:
        if item.text not in found:
            ids = engine.encode(item.context)
            found[item.text] = item.text if ids is None else tuple(ids)
    return [found[item.text] for item in plan.items]


def _fit_context(engine: Engine, plan: Plan, prompts: Sequence[Prompt], decoding: Decoding) -> Decoding:
    """The largest output length that leaves every prompt whole: a truncated prompt measures nothing."""
    lengths = [-1 if isinstance(prompt, str) else len(prompt) for prompt in prompts]
    if 0 in lengths:
        raise InputError(
            f"The prompt of {plan.items[lengths.index(0)].name} has no tokens under this tokenizer; nothing can be "
            "generated."
        )
    # Of all processes: with a limit of its own each would be another system.
    first = lengths.index(max(lengths))
    longest, name = max(over_ranks(engine.lm, (lengths[first], plan.items[first].name)))
    if engine.context_length is None or longest < 0:
        return decoding
    room = engine.context_length - longest
    if room < 1:
        raise InputError(
            f"The prompt of {name} has {longest} tokens; the model's context "
            f"holds {engine.context_length}, output included. Use a model with a longer context, a shorter system "
            "instruction, or give the real context with `--model_args max_length=...`."
        )
    if room >= decoding.max_gen_toks:
        return decoding
    logger.warning(
        "The context of %d tokens leaves %d for outputs beside the longest prompt (%s, %d tokens): "
        "max_gen_toks is %d in this run, not %d.",
        engine.context_length,
        room,
        name,
        longest,
        room,
        decoding.max_gen_toks,
    )
    return replace(decoding, max_gen_toks=room)


def _work_off(
    engine: Engine,
    plan: Plan,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    facts: SystemFacts,
    store: ResponseStore | None,
) -> Neighborhoods:
    """Make every output that the store does not hold, and compare prompt ends as they come."""
    if store is not None and not engine.identified:
        logger.warning(
            "The response store is not used: nothing tells this %s from another one.", facts.engine
        )
        store = None
    channels = engine.gives & (CHANNELS if decoding.greedy else CHANNELS_OF_SAMPLES)
    system = fingerprint({**facts.identity, "asked for": [decoding.as_dict(), sorted(channels)]})
    keys = _keys(engine, plan, prompts, decoding, system)
    work = Neighborhoods(plan, store, keys, channels)

    def request(index: int) -> Request:
        item, prompt = plan.items[index], prompts[index]
        return Request(
            item.context,
            None if isinstance(prompt, str) else prompt,
            item.replicate,
            item.text in plan.base_texts,
            lambda output: work.add({index: output.only(channels)}),
        )

    def generate(batch: list[int]) -> list[Output]:
        outputs = engine.generate([request(index) for index in batch], decoding, channels)
        return [output.only(channels) for output in outputs]

    order, window = _order(engine, plan, prompts, decoding)
    order = first_of_each(order, keys)
    if engine.remote:
        asked = [prompts[index] for index in order if work.missing(index)]
        logger.info("%s", cost_in_words(asked, decoding.max_gen_toks, plan.price))
    work_off(
        engine,
        generate,
        work,
        order,
        names=[item.name for item in plan.items],
        label="Generating (traced)" if decoding.greedy else "Sampling",
        window=window,
    )
    return work


def _keys(
    engine: Engine, plan: Plan, prompts: Sequence[Prompt], decoding: Decoding, system: str
) -> list[str]:
    # Greedy: resuming is the same command again, and the same model at another batch size is exactly what the
    # identical rung may want to compare. A sample does not change with the batch size, so that a run may go on with
    # another one.
    more = ("sample", decoding.seed) if isinstance(decoding, SampledDecoding) else (engine.batch_size,)
    return [
        record_key(system, *more, prompt, item.replicate)
        for item, prompt in zip(plan.items, prompts, strict=True)
    ]


def _order(
    engine: Engine, plan: Plan, prompts: Sequence[Prompt], decoding: Decoding
) -> tuple[list[int], Callable[[list[int]], list[int]]]:
    """The items in the order in which batches are cut, and what shortens a batch."""
    if decoding.greedy:
        first, again = generation_order(plan, [len(prompt) for prompt in prompts])
        return [*first, *again], lambda candidates: distinct(candidates, prompts)
    if engine.batch_size is None:
        # One call for each replicate, bases apart from variants: where a seed belongs to a call, it ties no sample of
        # a base to one of its variants.
        calls = [(item.replicate, item.text not in plan.base_texts) for item in plan.items]
        order = sorted(range(len(calls)), key=lambda index: calls[index])
        return order, lambda candidates: [each for each in candidates if calls[each] == calls[candidates[0]]]
    # Long prompts first: what does not fit in memory fails at once. The samples of one prompt stay together.
    lengths = [(-len(prompt), prompt) for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda index: (*lengths[index], plan.items[index].replicate))
    return order, list
