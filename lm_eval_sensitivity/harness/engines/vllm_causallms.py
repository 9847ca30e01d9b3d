"""The engine for `--model vllm`: token ids and the leading log-probabilities of every step.

Entropies, hidden states and whole distributions do not leave vLLM; a replay of the ids brings them back.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, reduce
from importlib.metadata import version
from typing import Any

import numpy as np
from lm_eval.models.vllm_causallms import VLLM
from vllm import SamplingParams

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.contract import Engine, Request
from lm_eval_sensitivity.harness.engines.identity import identity_from_outside
from lm_eval_sensitivity.harness.engines.registry import register
from lm_eval_sensitivity.harness.generate.decoding import Decoding, SampledDecoding, seed_of
from lm_eval_sensitivity.harness.generate.generation import Floats, Output, Trace, margins_of
from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.harness.generate.views import Decode, decoder_with
from lm_eval_sensitivity.types import Channel

N_TOP = 20
"""Log-probabilities per step; as many as vLLM gives unless it is told otherwise."""
CALL = 512
"""Outputs per call where vLLM cuts its own batches: what is written down before a run can break off."""
ARITHMETIC = {
    "dtype": "model_config.dtype",
    "quantization": "model_config.quantization",
    "max_model_len": "model_config.max_model_len",
    "logprobs_mode": "model_config.logprobs_mode",
    "enforce_eager": "model_config.enforce_eager",
    "tensor_parallel_size": "parallel_config.tensor_parallel_size",
    "pipeline_parallel_size": "parallel_config.pipeline_parallel_size",
    "data_parallel_size": "parallel_config.data_parallel_size",
    "prefix_caching": "cache_config.enable_prefix_caching",
    "cache_dtype": "cache_config.cache_dtype",
    "max_num_seqs": "scheduler_config.max_num_seqs",
    "max_num_batched_tokens": "scheduler_config.max_num_batched_tokens",
    "chunked_prefill": "scheduler_config.enable_chunked_prefill",
    "attention": "attention_config.backend",
    "speculative": "speculative_config.method",
    "device": "device_config.device_type",
}
"""What can change an output or its repetition -> where vLLM's configuration says it."""
SWITCHES = ("VLLM_BATCH_INVARIANT", "VLLM_ATTENTION_BACKEND", "VLLM_USE_FLASHINFER_SAMPLER")
"""The same in the environment."""


@register(VLLM)
class VllmEngine(Engine):
    """Hands vLLM the ids of each prompt."""

    cuts_reasoning = False

    @classmethod
    def can_serve(cls, lm: Any) -> bool:
        """Whether the model runs in this process; several copies elsewhere are asked for text."""
        return hasattr(lm, "model")

    @cached_property
    def _config(self) -> Any:
        return self.lm.model.llm_engine.vllm_config

    @cached_property
    def gives(self) -> frozenset[Channel]:  # type: ignore[override]
        """Log-probabilities only where vLLM is told to give such, and two of them."""
        found: set[Channel] = {"text", "token ids"}
        mode = str(_at(self._config, ARITHMETIC["logprobs_mode"]) or "raw_logprobs")
        if self._n_top > 1 and "logprobs" in mode:
            found |= {"step log-probabilities", "prompt-end log-probabilities"}
        return frozenset(found)

    @property
    def _n_top(self) -> int:
        most = _at(self._config, "model_config.max_logprobs")
        return N_TOP if not isinstance(most, int) or most < 0 else min(N_TOP, most)

    def identity(self, decoding: Decoding) -> dict[str, object]:
        """What tells this system from another: the arguments, and all that can change a repetition.

        Returns:
            As `identity_from_outside`, with vLLM's version, settings and switches.
        """
        settings = {name: _plain(_at(self._config, path)) for name, path in ARITHMETIC.items()}
        return {
            **identity_from_outside(self.lm, self.model_args),
            **settings,
            "switches": {name: os.environ[name] for name in SWITCHES if name in os.environ},
            "vllm": version("vllm"),
            "torch": version("torch"),
            "transformers": version("transformers"),
            "decoding": decoding.as_dict(),
        }

    def notes(self) -> dict[str, object]:
        """Names, and what to know of repetitions."""
        return {
            "model": str(self.lm.model_args.get("model")),
            "revision": str(self.lm.model_args.get("revision")),
            "batch_size": str(self.lm.batch_size),
            "fed_as": f"token ids; prompts of up to {self.context_length} tokens with their output arrive whole",
            "token_ids": "ids",
        }

    def encode(self, context: Any) -> list[int]:
        """[position] the token ids that are fed, special tokens included."""
        # One at a time: what is added in front must not depend on the neighbors.
        ids: list[int] = list(self.lm.tok_encode(context))
        return ids

    @property
    def tokenizer(self) -> Any:
        """The one that lm_eval got from vLLM."""
        return self.lm.tokenizer

    @property
    def decode(self) -> Decode:
        """That tokenizer's."""
        return decoder_with(self.lm.tokenizer)

    @property
    def context_length(self) -> int:
        """Tokens of prompt and output together."""
        return int(self.lm.max_length)

    @property
    def batch_size(self) -> int:
        """As asked for; calls of `CALL` outputs where vLLM decides how many run at a time."""
        return CALL if self.lm.batch_size == "auto" else int(self.lm.batch_size)

    def check_scoring(self) -> None:
        """Refuse prefix caching: log-probabilities of a prompt may then depend on what was asked before."""
        if _at(self._config, ARITHMETIC["prefix_caching"]):
            raise InputError(
                "vLLM caches prefixes, so that the score of a choice may depend on what was asked before it. Add "
                "`enable_prefix_caching=False` to `--model_args`."
            )

    def generate(
        self, batch: Sequence[Request], decoding: Decoding, channels: Collection[Channel]
    ) -> list[Output]:
        """Generate in one call.

        Returns:
            [request] outputs with ids, and the leading log-probabilities where they are needed.

        Raises:
            InputError: vLLM gave an output up.
        """
        n_top = (
            self._n_top
            if {"step log-probabilities", "prompt-end log-probabilities"} & set(channels)
            else None
        )
        found = self.lm._model_generate(
            requests=[list(request.token_ids or ()) for request in batch],
            generate=True,
            sampling_params=[self._parameters(request, decoding, n_top) for request in batch],
        )
        return [
            self._output(request, each.outputs[0], decoding)
            for request, each in zip(batch, found, strict=True)
        ]

    def _parameters(self, request: Request, decoding: Decoding, n_top: int | None) -> Any:
        settings: dict[str, Any] = {"temperature": 0.0}
        if isinstance(decoding, SampledDecoding):
            seed = seed_of(decoding, context_text(request.context), request.replicate)
            settings = {"temperature": decoding.temperature, "seed": seed}
        return SamplingParams(
            max_tokens=decoding.max_gen_toks,
            stop=list(decoding.until),
            logprobs=n_top,
            **settings,
        )

    def _output(self, request: Request, made: Any, decoding: Decoding) -> Output:
        ids = list(made.token_ids)
        reason = _reason(made)
        visible = self.decode(ids[:-1] if reason == "end_token" else ids, False)
        text = str(made.text)
        for stop in decoding.until:
            text, visible = text.split(stop, 1)[0], visible.split(stop, 1)[0]
        recorded = _recorded(ids, made.logprobs) if made.logprobs else {}
        trace = Trace(
            np.asarray(ids, np.int32),
            reason,
            visible,
            prompt_token_ids=np.asarray(request.token_ids or (), np.int32),
            **recorded,
        )
        return Output(text, trace)


def _reason(made: Any) -> str:
    """Why an output ended: vLLM names a stop string, and an end token by its id or not at all."""
    if made.finish_reason == "length":
        return "length"
    if made.finish_reason != "stop":
        raise InputError(
            f"vLLM gave an output up ({made.finish_reason}). See its log; with `--use_cache PATH` the finished "
            "generations are kept."
        )
    return "stop_string" if isinstance(made.stop_reason, str) else "end_token"


def _recorded(ids: Sequence[int], steps: Sequence[Mapping[int, Any]]) -> dict[str, Any]:
    """Margins, chosen log-probabilities and the prompt's end, from each step's leading tokens."""
    ranked = [_ranked(step) for step in steps]
    top_ids, top = (np.asarray(each) for each in zip(*ranked[0], strict=True))
    chosen: Floats = np.asarray(
        [step[token].logprob for token, step in zip(ids, steps, strict=True)], np.float32
    )
    return {
        "margins": margins_of([[value for _, value in each[:2]] for each in ranked]),
        "top1_log_probabilities": chosen,
        "prompt_end_top_ids": top_ids.astype(np.int32),
        "prompt_end_top_log_probabilities": top.astype(np.float32),
    }


def _ranked(step: Mapping[int, Any]) -> list[tuple[int, float]]:
    """The leading tokens, best first; of equals the lowest id, as in an argmax. A sampled one may stand far behind."""
    pairs = sorted(
        ((token, float(each.logprob)) for token, each in step.items()), key=lambda p: (-p[1], p[0])
    )
    return pairs if len(pairs) <= N_TOP else pairs[:N_TOP]


def _at(config: Any, path: str) -> Any:
    """A setting of vLLM's, which versions of it may lack."""
    return reduce(lambda found, name: getattr(found, name, None), path.split("."), config)


def _plain(value: Any) -> object:
    return value if isinstance(value, (int, float, bool, type(None))) else str(value).removeprefix("torch.")
