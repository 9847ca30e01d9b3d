"""Traced greedy generation on `--model hf`: one pass gives text, ids, logits and hidden states."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from lm_eval.models.huggingface import HFLM
from transformers import LogitsProcessor, StoppingCriteria, StopStringCriteria

from lm_eval_sensitivity.audit.encode import user_token_span
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.hf.facts import hf_facts
from lm_eval_sensitivity.harness.engines.hf.greedy import end_token_ids, greedy_generation_config
from lm_eval_sensitivity.harness.engines.hf.recorder import StepRecorder
from lm_eval_sensitivity.harness.engines.text import trace_generations
from lm_eval_sensitivity.harness.generate.batches import first_of_each, work_off
from lm_eval_sensitivity.harness.generate.decoding import Decoding, parse_decoding
from lm_eval_sensitivity.harness.generate.fingerprint import fingerprint
from lm_eval_sensitivity.harness.generate.generation import PROMPT_END_TOP, Output, SystemFacts, Trace, Traced
from lm_eval_sensitivity.harness.generate.plan import Plan, common_settings, generation_order
from lm_eval_sensitivity.harness.generate.prompt_ends import Neighbourhoods
from lm_eval_sensitivity.harness.generate.store import ResponseStore, record_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoder:
    """A loaded model together with how it is decoded in this run."""

    lm: HFLM
    decoding: Decoding
    end_ids: tuple[int, ...]
    stop: StoppingCriteria | None = None
    """Finds the stop strings of `decoding.until`; made once, because it indexes the whole vocabulary."""

    def generate(
        self, prompts: Sequence[Sequence[int]], choose: LogitsProcessor | None = None
    ) -> list[Output]:
        """Generate one left-padded batch; rows come back in order.

        Args:
            prompts: [row][position] token ids.
            choose: leaves one finite logit per row and step, where another token than the largest is wanted.
                What is recorded is recorded before it.
        """
        input_ids, attention_mask = self._pad(prompts)
        recorder = StepRecorder(
            self.lm.model,
            n_rows=len(prompts),
            n_prompt_positions=input_ids.shape[1],
            device=input_ids.device,
            end_ids=list(self.end_ids),
            stop=self.stop,
        )
        with recorder, torch.inference_mode(), self._autocast():
            sequences = self.lm.model.generate(
                input_ids=input_ids,
                attention_mask=attention_mask,
                max_new_tokens=self.decoding.max_gen_toks,
                logits_processor=[recorder.logits_processor, *([] if choose is None else [choose])],
                stopping_criteria=[recorder.stopping_criterion],
                eos_token_id=list(self.end_ids) or None,
                pad_token_id=self._pad_id,
                use_cache=True,
            )
        chosen = sequences[:, input_ids.shape[1] :].to("cpu", torch.int32).numpy()
        return self._rows(prompts, chosen, recorder)

    @property
    def _pad_id(self) -> int:
        return int(self.lm.tokenizer.pad_token_id)

    def _pad(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), width), self._pad_id, dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt, dtype=torch.long)
            mask[row, width - len(prompt) :] = 1
        return ids.to(self.lm.device), mask.to(self.lm.device)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        dtype = self.lm.mixed_precision_dtype
        return torch.autocast(device_type=self.lm.device.type, dtype=dtype, enabled=dtype is not None)

    def _rows(
        self, prompts: Sequence[Sequence[int]], chosen: np.ndarray[Any, Any], recorder: StepRecorder
    ) -> list[Output]:
        steps = {
            name: torch.stack(values, dim=1).to("cpu").numpy()
            for name, values in {
                "margins": recorder.margins,
                "top1": recorder.top1,
                "entropies": recorder.entropies,
            }.items()
        }
        n_steps = recorder.n_steps.tolist()
        not_finite = recorder.not_finite.tolist()
        hidden_mean = _host_rows(
            None if recorder.hidden_sum is None else recorder.hidden_sum / recorder.n_steps[:, None]
        )
        hidden_end = _host_rows(recorder.prompt_end_hidden)
        assert recorder.prompt_end is not None  # generate always takes at least one step
        prompt_end = recorder.prompt_end.numpy()
        top = torch.topk(recorder.prompt_end, min(PROMPT_END_TOP, prompt_end.shape[1]), dim=-1)
        top_ids, top_log_probabilities = top.indices.to(torch.int32).numpy(), top.values.numpy()
        return [
            self._output(
                Trace(
                    prompt_token_ids=np.asarray(prompts[row], dtype=np.int32),
                    token_ids=chosen[row, : n_steps[row]],
                    margins=steps["margins"][row, : n_steps[row]],
                    top1_log_probabilities=steps["top1"][row, : n_steps[row]],
                    entropies=steps["entropies"][row, : n_steps[row]],
                    finish_reason="not_finite" if not_finite[row] else "length",
                    visible_text="",
                    hidden_mean=None if hidden_mean is None else hidden_mean[row],
                    prompt_end_hidden=None if hidden_end is None else hidden_end[row],
                    prompt_end_top_ids=top_ids[row],
                    prompt_end_top_log_probabilities=top_log_probabilities[row],
                    # A copy, so that a kept base does not keep its whole batch.
                    prompt_end_log_probabilities=prompt_end[row].copy(),
                )
            )
            for row in range(len(prompts))
        ]

    def _output(self, trace: Trace) -> Output:
        """Decode the text and say why the output ended."""
        ids = trace.token_ids.tolist()
        reason = trace.finish_reason
        ended = bool(ids) and ids[-1] in self.end_ids
        if reason != "not_finite" and ended:
            reason = "end_token"
        elif reason != "not_finite" and len(ids) < self.decoding.max_gen_toks:
            reason = "stop_string"
        text = self.lm.tok_decode(ids, skip_special_tokens=True)
        visible = self.lm.tok_decode(ids[:-1] if ended else ids, skip_special_tokens=False)
        for stop in self.decoding.until:
            if stop in text:
                text, visible, reason = text.split(stop, 1)[0], visible.split(stop, 1)[0], "stop_string"
        return Output(text=text, trace=replace(trace, finish_reason=reason, visible_text=visible))


def stop_criterion(lm: HFLM, decoding: Decoding) -> StoppingCriteria | None:
    """What finds the stop strings in generated ids, or None where there are none to find."""
    return StopStringCriteria(lm.tokenizer, list(decoding.until)) if decoding.until else None


def _host_rows(tensor: torch.Tensor | None) -> np.ndarray[Any, Any] | None:
    return None if tensor is None else tensor.to("cpu", torch.float32).numpy()


@trace_generations.register
def trace_hf(lm: HFLM, plan: Plan, store: ResponseStore | None) -> Traced:
    """Generate a plan's items with a transformers model, recording each in the same pass."""
    if not generates_like_hflm(lm):
        return trace_generations.dispatch(object)(lm, plan, store)
    with ready_to_decode(lm, plan, parse_decoding(common_settings(plan))) as ready:
        prompts = ready.prompts
        keys = _keys(lm, plan, prompts, ready.facts.identity)
        work = Neighbourhoods(plan, store, keys)
        first, again = generation_order(plan, [len(prompt) for prompt in prompts])
        work_off(
            lm,
            lambda batch: ready.decoder.generate([prompts[index] for index in batch]),
            work,
            first_of_each([*first, *again], keys),
            names=[item.name for item in plan.items],
            label="Generating (traced)",
            window=lambda candidates: _window(candidates, prompts),
        )
    return Traced(
        outputs=work.finished(),
        facts=ready.facts,
        prompt_ends=work.prompt_ends,
        user_spans=user_spans(lm, plan, prompts),
    )


@dataclass(frozen=True)
class Ready:
    """A model whose every prompt is known and fits, and whose own generation settings are out of the way."""

    decoder: Decoder
    prompts: list[list[int]]
    """[item][position] token ids."""
    facts: SystemFacts


@contextlib.contextmanager
def ready_to_decode(lm: HFLM, plan: Plan, decoding: Decoding) -> Iterator[Ready]:
    """Prepare a model for a plan; for the time of the block nothing but `decoding` decides how it decodes."""
    has_template = getattr(lm.tokenizer, "chat_template", None) is not None
    if has_template and not plan.chat_template_applied:
        logger.warning(
            "This model's tokenizer has a chat template and the run does not use it: outputs are not what a user "
            "of the model would see. Add `--apply_chat_template`."
        )
    prompts = _all_token_ids(lm, plan)
    fitted = _fit_context(lm, plan, prompts, decoding)
    with greedy_generation_config(lm.model) as neutralised:
        if neutralised:
            logger.warning(
                "%s: the model's own generation settings %s were neutralised for this run.",
                "Greedy decoding" if decoding.greedy else "Sampling",
                ", ".join(f"{name}={value}" for name, value in neutralised.items()),
            )
        end_ids = tuple(end_token_ids(lm.model, lm.tokenizer))
        facts = hf_facts(lm, {**fitted.as_dict(), "end_token_ids": list(end_ids)}, neutralised)
        facts.notes["chat_template_available"] = has_template
        if fitted != decoding:
            facts.notes["max_gen_toks_requested"] = decoding.max_gen_toks
        yield Ready(Decoder(lm, fitted, end_ids, stop_criterion(lm, fitted)), prompts, facts)


def generates_like_hflm(lm: HFLM) -> bool:
    """Whether tracing `lm.model.generate` measures what the engine itself would do.

    Encoder-decoder models do not; nor do subclasses that steer, export or otherwise change generation:
    they answer through their own `generate_until`.
    """
    kind = type(lm)
    return (
        getattr(lm, "backend", "causal") == "causal"
        and isinstance(lm.model, torch.nn.Module)
        and getattr(lm.model, "generation_config", None) is not None
        and kind._model_generate is HFLM._model_generate
        and kind.generate_until is HFLM.generate_until
        and kind.tok_batch_encode is HFLM.tok_batch_encode
    )


def _all_token_ids(lm: HFLM, plan: Plan) -> list[list[int]]:
    # HFLM's own batch encoding of one string at a time: whether a BOS is added is decided per batch there,
    # from the batch's first string, and must not depend on the neighbours.
    ids: dict[str, list[int]] = {}
    for item in plan.items:
        if item.text not in ids:
            ids[item.text] = lm.tok_batch_encode([item.context])[0][0].tolist()
    return [ids[item.text] for item in plan.items]


def user_spans(lm: HFLM, plan: Plan, prompts: list[list[int]]) -> dict[int, tuple[int, int]]:
    """item -> positions of the user's text among its prompt's ids, where the tokenizer can tell."""
    found: dict[tuple[str, str], tuple[int, int] | None] = {}
    spans = {}
    for index, (item, prompt) in enumerate(zip(plan.items, prompts, strict=True)):
        key = item.text, item.user_text
        if key not in found:
            found[key] = user_token_span(lm.tokenizer, item.context, item.user_text, prompt)
        if (span := found[key]) is not None:
            spans[index] = span
    return spans


def _fit_context(lm: HFLM, plan: Plan, prompts: list[list[int]], decoding: Decoding) -> Decoding:
    """The largest output length that leaves every prompt whole: a truncated prompt measures nothing."""
    longest = max(range(len(prompts)), key=lambda index: len(prompts[index]))
    room = lm.max_length - len(prompts[longest])
    if any(not prompt for prompt in prompts):
        empty = next(item.name for item, prompt in zip(plan.items, prompts, strict=True) if not prompt)
        raise InputError(
            f"The prompt of {empty} has no tokens under this tokenizer; nothing can be generated."
        )
    if room < 1:
        raise InputError(
            f"The prompt of {plan.items[longest].name} has {len(prompts[longest])} tokens; the model's context "
            f"holds {lm.max_length}, output included. Use a model with a longer context, a shorter system "
            "instruction, or give the real context with `--model_args max_length=...`."
        )
    if room >= decoding.max_gen_toks:
        return decoding
    logger.warning(
        "The context of %d tokens leaves %d for outputs beside the longest prompt (%s, %d tokens): "
        "max_gen_toks is %d in this run, not %d.",
        lm.max_length,
        room,
        plan.items[longest].name,
        len(prompts[longest]),
        room,
        decoding.max_gen_toks,
    )
    return replace(decoding, max_gen_toks=room)


def _keys(lm: HFLM, plan: Plan, prompts: list[list[int]], identity: dict[str, object]) -> list[str]:
    # The batch size is part of the key: resuming is the same command again, and the same model at
    # another batch size is exactly what the identical rung may want to compare.
    system = fingerprint(identity)
    return [
        record_key(system, str(lm.batch_size), prompt, item.replicate)
        for item, prompt in zip(plan.items, prompts, strict=True)
    ]


def _window(candidates: list[int], prompts: list[list[int]]) -> list[int]:
    """The candidates up to the first whose prompt is already among them.

    That one is a replicate, and in the batch of its first run it would not measure what another batch,
    with other neighbours and other padding, does to the same prompt.
    """
    seen: set[tuple[int, ...]] = set()
    for position, index in enumerate(candidates):
        if tuple(prompts[index]) in seen:
            return candidates[:position]
        seen.add(tuple(prompts[index]))
    return candidates
