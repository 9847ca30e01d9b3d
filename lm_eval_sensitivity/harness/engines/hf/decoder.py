"""Decode one batch with a transformers model: one pass gives text, ids, logits and hidden states."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from lm_eval.models.huggingface import HFLM
from transformers import DynamicCache, LogitsProcessor, StoppingCriteria, StopStringCriteria
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from lm_eval_sensitivity.harness.engines.hf.recorder import StepRecorder
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.generation import PROMPT_END_TOP, Output, Trace


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

        Returns:
            [row] texts with what was recorded of each step.
        """
        input_ids, attention_mask = self._pad(prompts)
        # Samples are drawn for rows by their place, which must not change.
        recorder = StepRecorder(
            self.lm.model,
            n_rows=len(prompts),
            n_prompt_positions=input_ids.shape[1],
            device=input_ids.device,
            end_ids=list(self.end_ids),
            stop=self.stop,
            shrinks=choose is None and len(prompts) > 1 and can_shrink(self.lm.model),
        )
        with recorder, torch.inference_mode(), self._autocast():
            chosen = self._chosen(input_ids, attention_mask, recorder, [] if choose is None else [choose])
        return self._rows(prompts, chosen, recorder)

    def _chosen(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        recorder: StepRecorder,
        choose: list[LogitsProcessor],
    ) -> np.ndarray[Any, Any]:
        """[row, step] the generated ids. Rows that have ended leave the batch, and what is known of the others stays.

        Without this a batch computes until its longest row ends, and every row that has ended is computed with it.
        """
        width, limit = input_ids.shape[1], self.decoding.max_gen_toks
        chosen = np.full((len(input_ids), limit), self._pad_id, dtype=np.int32)
        cache: Any = None
        while True:
            made = self.lm.model.generate(
                input_ids=input_ids,
                attention_mask=attention_mask,
                past_key_values=cache,
                max_new_tokens=limit - (input_ids.shape[1] - width),
                logits_processor=[recorder.logits_processor, *choose],
                stopping_criteria=[recorder.stopping_criterion],
                eos_token_id=list(self.end_ids) or None,
                pad_token_id=self._pad_id,
                use_cache=True,
                return_dict_in_generate=True,
            )
            cache, sequences = made.past_key_values, made.sequences
            generated = sequences[:, width:].to("cpu", torch.int32).numpy()
            chosen[recorder.rows.cpu().numpy(), : generated.shape[1]] = generated
            if generated.shape[1] == limit or not recorder.active.any():
                return chosen
            kept = recorder.keep_active()
            cache.batch_select_indices(kept)
            input_ids = sequences[kept]
            new = torch.ones_like(sequences[:, attention_mask.shape[1] :])
            attention_mask = torch.cat([attention_mask, new], dim=1)[kept]

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
            name: recorder.of_steps(values).to("cpu").numpy()
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


def can_shrink(model: Any) -> bool:
    """Whether rows can leave a batch: what the model remembers of them must be nothing but keys and values.

    Returns:
        False for recurrent and hybrid models, and for caches of another kind than transformers makes by itself.
    """
    config = model.generation_config
    if getattr(config, "cache_implementation", None) is not None or getattr(model, "_is_stateful", False):
        return False
    layers = DynamicCache(config=model.config.get_text_config()).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def stop_criterion(lm: HFLM, decoding: Decoding) -> StoppingCriteria | None:
    """What finds the stop strings in generated ids.

    Returns:
        The criterion, or None where there are no stop strings.
    """
    return StopStringCriteria(lm.tokenizer, list(decoding.until)) if decoding.until else None


def _host_rows(tensor: torch.Tensor | None) -> np.ndarray[Any, Any] | None:
    return None if tensor is None else tensor.to("cpu", torch.float32).numpy()


def generates_like_hflm(lm: HFLM) -> bool:
    """Whether decoding with `lm.model.generate` measures what the engine itself would do.

    Encoder-decoder models do not; nor do subclasses that steer, export or otherwise change generation:
    they answer through their own `generate_until`.

    Returns:
        False where in doubt: such a model is measured by its texts only.
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
