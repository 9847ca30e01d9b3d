"""Engines of which nothing is known but their answers: whatever has lm_eval's `generate_until`."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import CacheHook, TemplateLM

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.contract import Engine, Request
from lm_eval_sensitivity.harness.engines.identity import identity_from_outside
from lm_eval_sensitivity.harness.generate.decoding import SEED, Decoding, SampledDecoding
from lm_eval_sensitivity.harness.generate.generation import Output
from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.text.escape import brief
from lm_eval_sensitivity.types import Channel


class TextEngine(Engine):
    """Asks through the model's own `generate_until`.

    A model that remembers its answers cannot be told to forget them: its identical rung is then exactly 0 and says
    nothing about its noise.
    """

    @cached_property
    def _from_outside(self) -> dict[str, object]:
        return identity_from_outside(self.lm, self.model_args)

    def identity(self, decoding: Decoding) -> dict[str, object]:
        """What tells this system from another, as far as it can be seen.

        Returns:
            As `identity_from_outside`; with the decoding where it samples.
        """
        # Greedy runs of such a model are one system, whatever their token limit, as they were in all versions.
        return (
            self._from_outside if decoding.greedy else {**self._from_outside, "decoding": decoding.as_dict()}
        )

    def encode(self, context: Any) -> list[int] | None:
        """The token ids that the model's own `generate_until` makes of a prompt.

        Returns:
            None where it sends the text, or messages.
        """
        if not isinstance(context, str) or not getattr(self.lm, "tokenized_requests", True):
            return None
        if not isinstance(self.lm, TemplateLM) or not isinstance(getattr(self.lm, "max_length", None), int):
            return None
        special = {"add_special_tokens": self.lm.add_bos_token} if hasattr(self.lm, "_create_payload") else {}
        ids = self.lm.tok_encode(context, **special)
        return ids if isinstance(ids, list) and all(isinstance(each, int) for each in ids) else None

    @property
    def tokenizer(self) -> Any:
        """Of models that have a transformers one, and feed ids."""
        if self.encode("a") is None:
            return None  # and some load theirs only when it is asked for
        found = getattr(self.lm, "tokenizer", None)
        return found if hasattr(found, "is_fast") else None

    @property
    def context_length(self) -> int | None:
        """As lm_eval counts it when it cuts prompts from the left, before it asks for an output."""
        return None if self._reads_prompts_apart else getattr(self.lm, "max_length", None)

    @property
    def longest_prompt(self) -> int | None:
        """An encoder has a context of its own."""
        return self.lm.max_length if self._reads_prompts_apart else None

    @property
    def _reads_prompts_apart(self) -> bool:
        return getattr(self.lm, "backend", None) == "seq2seq"

    def notes(self) -> dict[str, object]:
        """What is known of the prompts on their way.

        Returns:
            `fed_as`, in words.
        """
        if self.encode("a") is None:
            return {
                "fed_as": "text; whether the server cuts it is not known: lm_eval does not show its token counts"
            }
        longest = self.longest_prompt
        room = f"{self.context_length} tokens with their output" if longest is None else f"{longest} tokens"
        return {"fed_as": f"token ids; prompts of up to {room} arrive whole"}

    @property
    def identified(self) -> bool:
        """Whether there is more than the name of a class."""
        return bool(self.model_args) or "weights" in self._from_outside

    def generate(
        self, batch: Sequence[Request], decoding: Decoding, channels: Collection[Channel]
    ) -> list[Output]:
        """Generate texts in one call.

        A model that sends one and the same seed with every request would give one and the same sample; such requests
        get a seed of their own per call. The runner asks for bases and variants in different calls, so that a seed
        never ties a base's sample to its variant's.

        Returns:
            [request] outputs without a trace.

        Raises:
            InputError: answers that the model cannot read.
        """
        settings = decoding.as_gen_kwargs()
        if isinstance(decoding, SampledDecoding) and self._sends_a_seed():
            settings[SEED] = _call_seed(decoding.seed, batch[0].replicate, not batch[0].of_base)
        requests = [
            Instance(
                request_type="generate_until",
                doc={},
                arguments=(request.context, dict(settings)),
                idx=0,
                metadata=("prompt_sensitivity", number, 1),
            )
            for number, request in enumerate(batch)
        ]
        hook = self.lm.cache_hook
        self.lm.cache_hook = _ReportingHook(
            {context_text(each.context): each.arrived for each in batch}, decoding
        )
        try:
            return [Output(stopped(str(text), decoding)) for text in self.lm.generate_until(requests)]
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            # An answer without choices, a page instead of JSON: what a server sends, lm_eval's models may not expect.
            raise InputError(
                f"{type(self.lm).__name__} could not read the answers to {len(batch)} prompts ({brief(str(error))}). "
                "See what the server sends; with `--use_cache PATH` the answers that arrived are kept."
            ) from error
        finally:
            self.lm.cache_hook = hook

    @property
    def remote(self) -> bool:
        """Of lm_eval's models, those that make a payload send it."""
        return hasattr(self.lm, "_create_payload")

    def _sends_a_seed(self) -> bool:
        """Whether a fixed seed goes into every request's payload unless the request has its own."""
        payload = getattr(self.lm, "_create_payload", None)
        return callable(payload) and SEED in inspect.signature(payload).parameters


class _ReportingHook(CacheHook):
    """Where lm_eval's models report each answer as it arrives.

    It stands in for the harness's own hook, whose cache is keyed without the model.
    """

    def __init__(self, arrived: Mapping[str, Callable[[Output], object]], decoding: Decoding) -> None:
        super().__init__(None)
        self._arrived = arrived
        self._decoding = decoding

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        """Called by a model with one request's arguments and its answer."""
        arrived = self._arrived.get(context_text(req[0]))
        if arrived is not None and isinstance(res, str):
            arrived(Output(stopped(res, self._decoding)))


def stopped(text: str, decoding: Decoding) -> str:
    """An output as far as its first stop string: some servers take four of them, and some none.

    Args:
        text: as the model answered.
        decoding: what was asked for.

    Returns:
        The text itself where no stop string stands in it.

    Example:
        >>> stopped("Yes. No.", Decoding(8, (".",)))
        'Yes'
    """
    for string in decoding.until:
        text = text.split(string, 1)[0]
    return text


def _call_seed(seed: int, replicate: int, of_variants: bool) -> int:
    """A seed of 31 bits, which every server takes."""
    name = json.dumps(["call", seed, replicate, of_variants])
    return int.from_bytes(hashlib.sha256(name.encode("ascii")).digest()[:4], "little") >> 1
