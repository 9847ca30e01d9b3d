"""Sampling on `--model hf`: every sample has its own random stream, whatever batch it lands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from lm_eval.models.huggingface import HFLM

from lm_eval_sensitivity.harness.engines.hf.engine import (
    Ready,
    generates_like_hflm,
    ready_to_decode,
    user_spans,
)
from lm_eval_sensitivity.harness.engines.hf.sampler import ChooseTokens, uniforms
from lm_eval_sensitivity.harness.engines.sampling import SEED, sample_generations
from lm_eval_sensitivity.harness.generate.batches import first_of_each, work_off
from lm_eval_sensitivity.harness.generate.decoding import parse_sampled_decoding
from lm_eval_sensitivity.harness.generate.fingerprint import fingerprint
from lm_eval_sensitivity.harness.generate.generation import Output, Traced
from lm_eval_sensitivity.harness.generate.plan import Plan, common_settings
from lm_eval_sensitivity.harness.generate.store import ResponseStore, record_key
from lm_eval_sensitivity.harness.generate.trace_records import output_from_record, output_to_record


@sample_generations.register
def sample_hf(lm: HFLM, plan: Plan, store: ResponseStore | None) -> Traced:
    """Sample a plan's items with a transformers model."""
    if not generates_like_hflm(lm):
        return sample_generations.dispatch(object)(lm, plan, store)
    settings = common_settings(plan)
    seed = int(settings.pop(SEED))
    decoding = parse_sampled_decoding(settings)
    with ready_to_decode(lm, plan, decoding) as ready:
        prompts = ready.prompts
        system = fingerprint(ready.facts.identity)
        # Without the batch size: it changes no sample, so that a run may be continued with another one.
        keys = [
            record_key(system, "sample", seed, prompt, item.replicate)
            for item, prompt in zip(plan.items, prompts, strict=True)
        ]
        samples = _Samples(store, keys)

        def generate(batch: list[int]) -> list[Output]:
            return _sample(ready, plan, batch, decoding.temperature, seed)

        # Long prompts first: what does not fit in memory fails at once. The samples of one prompt stay together.
        order = sorted(
            range(len(prompts)),
            key=lambda index: (-len(prompts[index]), prompts[index], plan.items[index].replicate),
        )
        names = [item.name for item in plan.items]
        work_off(lm, generate, samples, first_of_each(order, keys), names=names, label="Sampling")
    return Traced(samples.finished(), ready.facts, user_spans=user_spans(lm, plan, prompts))


def _sample(ready: Ready, plan: Plan, batch: list[int], temperature: float, seed: int) -> list[Output]:
    prompts = [ready.prompts[index] for index in batch]
    n_steps = ready.decoder.decoding.max_gen_toks
    numbers = [
        uniforms(seed, prompt, plan.items[index].replicate, n_steps)
        for index, prompt in zip(batch, prompts, strict=True)
    ]
    outputs = ready.decoder.generate(prompts, ChooseTokens(temperature, np.stack(numbers)))
    return [_without_what_describes_greedy_choices(output) for output in outputs]


def _without_what_describes_greedy_choices(output: Output) -> Output:
    """Margins and states of one greedy path; of thousands of sampled ones nobody asks them, and they take room."""
    assert output.trace is not None  # this engine traces every output
    nothing = np.zeros(0, np.float32)
    trace = replace(
        output.trace,
        margins=nothing,
        top1_log_probabilities=nothing,
        entropies=nothing,
        hidden_mean=None,
        prompt_end_hidden=None,
        prompt_end_top_ids=np.zeros(0, np.int32),
        prompt_end_top_log_probabilities=nothing,
        prompt_end_log_probabilities=None,
    )
    return replace(output, trace=trace)


class _Samples:
    """The samples of a plan while it is worked off, backed by the response store.

    Args:
        store: earlier samples, or None.
        keys: [item] everything the item's output depends on; equal prompts share their samples.
    """

    def __init__(self, store: ResponseStore | None, keys: list[str]) -> None:
        self._store, self._keys = store, keys
        self._outputs: dict[str, Output] = {}
        for key in set(keys) if store is not None else ():
            record = store.get(key) if store is not None else None
            if record is not None:
                self._outputs[key] = output_from_record(record)

    def missing(self, index: int) -> bool:
        """True while an item still has to be generated."""
        return self._keys[index] not in self._outputs

    def add(self, outputs: Mapping[int, Output]) -> int:
        """Take in generated items and write them to the store; how many are new."""
        new = {self._keys[index]: output for index, output in outputs.items()}
        self._outputs.update(new)
        if self._store is not None:
            self._store.append(
                [(key, output_to_record(output, with_distribution=False)) for key, output in new.items()]
            )
        return len(new)

    def finished(self) -> tuple[Output, ...]:
        """[item] all outputs, in the plan's order."""
        return tuple(self._outputs[key] for key in self._keys)
