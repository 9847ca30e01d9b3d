"""The engine for `--model hf`: it shows its inside, in the pass that makes the text."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from lm_eval.models.huggingface import HFLM

from lm_eval_sensitivity.harness.engines.contract import BatchTooLargeError, Engine, Request
from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder, generates_like_hflm, stop_criterion
from lm_eval_sensitivity.harness.engines.hf.facts import hf_identity, hf_notes, is_bit_exact
from lm_eval_sensitivity.harness.engines.hf.greedy import end_token_ids, greedy_generation_config
from lm_eval_sensitivity.harness.engines.hf.recorder import shows_hidden_states
from lm_eval_sensitivity.harness.engines.hf.sampler import ChooseTokens, uniforms
from lm_eval_sensitivity.harness.engines.hf.weights import WeightsChecksum, weights_checksum
from lm_eval_sensitivity.harness.engines.registry import register
from lm_eval_sensitivity.harness.generate.decoding import Decoding, SampledDecoding
from lm_eval_sensitivity.harness.generate.generation import CHANNELS, Output
from lm_eval_sensitivity.types import Channel

logger = logging.getLogger(__name__)


@register(HFLM)
class HuggingFaceEngine(Engine):
    """Decodes with `lm.model` itself. Every sample has its own random stream, whatever batch it lands in."""

    cuts_reasoning = False

    def __init__(self, lm: HFLM, model_args: Mapping[str, str]) -> None:
        super().__init__(lm, model_args)
        self.gives = CHANNELS - ({"hidden states"} if not shows_hidden_states(lm.model) else set())
        self._neutralized: dict[str, Any] = {}
        self._decoder: Decoder | None = None

    @classmethod
    def can_serve(cls, lm: Any) -> bool:
        """Whether decoding with `lm.model` measures what the model itself would do."""
        return generates_like_hflm(lm)

    @cached_property
    def _weights(self) -> WeightsChecksum:
        return weights_checksum(self.lm.model)

    def identity(self, decoding: Decoding) -> dict[str, object]:
        """What tells this system from another. A name does not: bf16, int8 and retrained copies share it.

        Returns:
            As `hf_identity`, with the ids that end an output among the decoding.
        """
        # The serialized tokenizer, a part of it, says how it padded last: as for a batch, whatever was asked before.
        self.encode(" ")
        ends = {"end_token_ids": end_token_ids(self.lm.model, self.lm.tokenizer)}
        return hf_identity(self.lm, self._weights, {**decoding.as_dict(), **ends})

    def notes(self) -> dict[str, object]:
        """Names of model and device, and what was neutralized."""
        return hf_notes(self.lm, self._weights, self._neutralized)

    def encode(self, context: Any) -> list[int]:
        """[position] the token ids that the model is fed."""
        # HFLM's own batch encoding of one string at a time: whether a BOS is added is decided per batch there,
        # from the batch's first string, and must not depend on the neighbors.
        ids: list[int] = self.lm.tok_batch_encode([context])[0][0].tolist()
        return ids

    @property
    def tokenizer(self) -> Any:
        """HFLM's own."""
        return self.lm.tokenizer

    @property
    def model(self) -> Any:
        """The loaded one."""
        return self.lm.model

    @property
    def context_length(self) -> int:
        """Tokens of prompt and output together."""
        return int(self.lm.max_length)

    @property
    def batch_size(self) -> int:
        """As asked for; the most that may be tried where it is `auto`."""
        return int(self.lm.max_batch_size if self.lm.batch_size == "auto" else self.lm.batch_size)

    @property
    def bit_exact(self) -> bool:
        """As `is_bit_exact`."""
        return is_bit_exact(self.lm)

    @contextlib.contextmanager
    def ready(self, decoding: Decoding) -> Iterator[None]:
        """Put the model's own generation settings out of the way."""
        with greedy_generation_config(self.lm.model) as self._neutralized:
            if self._neutralized:
                logger.warning(
                    "%s: the model's own generation settings %s were neutralized for this run.",
                    "Greedy decoding" if decoding.greedy else "Sampling",
                    ", ".join(f"{name}={value}" for name, value in self._neutralized.items()),
                )
            ends = tuple(end_token_ids(self.lm.model, self.lm.tokenizer))
            self._decoder = Decoder(self.lm, decoding, ends, stop_criterion(self.lm, decoding))
            yield

    def generate(
        self, batch: Sequence[Request], decoding: Decoding, channels: Collection[Channel]
    ) -> list[Output]:
        """Generate one left-padded batch.

        Returns:
            [request] outputs with every channel that the engine `gives`, whatever was asked for.

        Raises:
            BatchTooLargeError: it did not fit into memory, which has been freed.
        """
        assert self._decoder is not None  # the contract: inside of `ready`
        prompts = [request.token_ids or () for request in batch]
        choose = (_choices(batch, decoding),) if isinstance(decoding, SampledDecoding) else ()
        try:
            return self._decoder.generate(prompts, *choose)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
        # Outside the except block: the error's frames hold the tensors of the failed batch.
        clear_device_cache(garbage_collection=True)
        raise BatchTooLargeError


def _choices(batch: Sequence[Request], decoding: SampledDecoding) -> ChooseTokens:
    numbers = [
        uniforms(decoding.seed, request.token_ids or (), request.replicate, decoding.max_gen_toks)
        for request in batch
    ]
    return ChooseTokens(decoding.temperature, np.stack(numbers))
