"""The engine for OpenAI-compatible servers: `local-completions`, `local-chat-completions` and what derives from them.

It asks with lm_eval's own payload and more: log-probabilities, token ids where a server has them. One prompt is one
request; `num_concurrent` of them are under way at a time.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from lm_eval.models.api_models import TemplateAPI
from lm_eval.models.openai_completions import LocalCompletionsAPI
from tqdm import tqdm

from lm_eval_sensitivity.harness.engines.contract import Request
from lm_eval_sensitivity.harness.engines.registry import register
from lm_eval_sensitivity.harness.engines.server.answer import ServerAnswer, read_answer, unlikely_steps
from lm_eval_sensitivity.harness.engines.server.client import Client, RefusedError
from lm_eval_sensitivity.harness.engines.server.echo import check_echo
from lm_eval_sensitivity.harness.engines.server.first_look import (
    FEW_TOKENS,
    SAYS_MORE,
    Server,
    context_of,
    first_answer,
    refused,
)
from lm_eval_sensitivity.harness.engines.server.prompt_ids import Encode, find_encode, messages_of
from lm_eval_sensitivity.harness.engines.server.traced import Basis, output_of
from lm_eval_sensitivity.harness.engines.text import TextEngine
from lm_eval_sensitivity.harness.generate.decoding import Decoding, SampledDecoding, seed_of
from lm_eval_sensitivity.harness.generate.generation import Output
from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.harness.generate.views import Decode, decoder_with
from lm_eval_sensitivity.types import Channel

logger = logging.getLogger(__name__)

_OWN_WAYS = ("generate_until", "model_call", "amodel_call", "create_message")


@register(LocalCompletionsAPI)
class ServerEngine(TextEngine):
    """What an OpenAI-compatible server shows, which its first answer tells."""

    cuts_reasoning = False

    def __init__(self, lm: Any, model_args: Mapping[str, str]) -> None:
        super().__init__(lm, model_args)
        self._client = Client(lm)
        self._server: Server | None = None
        self._encode: Encode = lambda context: None
        self._unlikely: list[int] = []
        """Of each greedy answer, the steps that took another token than the most probable one."""

    @classmethod
    def can_serve(cls, lm: Any) -> bool:
        """Whether it asks its server as lm_eval's own API models do; one that goes other ways is asked for text."""
        return all(getattr(type(lm), way) is getattr(TemplateAPI, way) for way in _OWN_WAYS)

    # ---- what the server gives

    def _meet(self, context: Any) -> Server:
        """Ask once, with the run's first prompt."""
        if self._server is not None:
            return self._server
        chat = messages_of(context) is not None
        sent = super().encode(context)
        decoding = Decoding(FEW_TOKENS, ())

        def payload(more: Mapping[str, Any]) -> Mapping[str, Any]:
            return self._payload(context, sent, decoding, self.lm._seed, more)

        more, answer = first_answer(self._client, payload, chat=chat)
        # An output of nothing shows no tokens, and this server may give them.
        shown = (
            answer if answer.text or answer.steps else self._second_look(more, sent is not None, chat=chat)
        )
        tokenizer = self._local_tokenizer
        source, self._encode = find_encode(
            self._client, self.lm.model, tokenizer, context, answer.n_prompt_tokens
        )
        if sent is not None:
            source, self._encode = "sent", super().encode
        basis: Basis | None = "server text" if shown.steps else None
        if shown.token_ids or shown.steps_have_ids:
            basis = "ids"
        if basis is None and tokenizer is not None and source in ("sent", "local"):
            basis = "local"
        self._server = Server(
            more,
            basis,
            bool(shown.steps) and shown.token_ids is None,
            min((len(each.top) for each in shown.steps), default=0),
            answer.prompt_token_ids is not None,
            answer.n_prompt_tokens is not None,
            source,
        )
        logger.info("%s", self._server.in_words())
        return self._server

    def _second_look(self, more: Mapping[str, Any], as_ids: bool, *, chat: bool) -> ServerAnswer:
        context = [{"role": "user", "content": SAYS_MORE}] if chat else SAYS_MORE
        ids = super().encode(SAYS_MORE) if as_ids else None
        return read_answer(
            self._client.ask(self._payload(context, ids, Decoding(FEW_TOKENS, ()), self.lm._seed, more))
        )

    @property
    def _local_tokenizer(self) -> Any:
        found = self.lm.tokenizer
        return found if hasattr(found, "is_fast") else None

    @property
    def gives(self) -> frozenset[Channel]:  # type: ignore[override]
        """As the server's first answer showed; before it, text."""
        found: set[Channel] = {"text"}
        if self._server is not None and self._server.basis is not None:
            found.add("token ids")
            if self._server.n_top > 1:
                found |= {"step log-probabilities", "prompt-end log-probabilities"}
        return frozenset(found)

    def encode(self, context: Any) -> list[int] | None:
        """The token ids that are sent, or that the server's or an agreeing local tokenizer makes of a prompt.

        Returns:
            None where nobody tells before the prompt is answered.
        """
        self._meet(context)
        return self._encode(context)

    @property
    def tokenizer(self) -> Any:
        """A local one, where the ids of prompts are its."""
        known = self._server is not None and self._server.prompts in ("sent", "local")
        return self._local_tokenizer if known else None

    @property
    def decode(self) -> Decode | None:
        """A local tokenizer's; without one the tokens of an answer decode themselves."""
        return None if self._local_tokenizer is None else decoder_with(self._local_tokenizer)

    @cached_property
    def context_length(self) -> int | None:
        """As the user says, or the server; None leaves it to the server, which refuses what is too long or cuts it."""
        if "max_length" in self.model_args:
            return int(self.lm.max_length) + 1  # of which lm_eval has taken one away
        return context_of([self._client.look("/v1/models"), self._client.look("/props")])

    @property
    def longest_prompt(self) -> None:
        """As long as fits."""
        return None

    def notes(self) -> dict[str, object]:
        """What is known of the server.

        Returns:
            `fed_as` and `server` in words, what token ids are, and how many steps were not greedy.
        """
        server = self._server
        if server is None:
            return {}
        fed = "token ids" if server.prompts == "sent" else "text or messages"
        limit = (
            "not known" if self.context_length is None else f"{self.context_length} tokens with their output"
        )
        return {
            "fed_as": f"{fed}; {server.audit()}; context: {limit}",
            "server": server.in_words(),
            "token_ids": server.basis,
            "steps_not_greedy": sum(self._unlikely) if self._unlikely and server.n_top else None,
        }

    # ---- requests

    def check_scoring(self) -> None:
        """Refuse a chat, and a server whose echo is not what lm_eval takes it for; as `check_echo`."""
        check_echo(self.lm)

    def generate(
        self, batch: Sequence[Request], decoding: Decoding, channels: Collection[Channel]
    ) -> list[Output]:
        """Ask for each output in a request of its own.

        Returns:
            [request] outputs with what the server shows.

        Raises:
            InputError: the server refuses a request or gives no answer; what had arrived was handed on.
        """
        outputs: dict[int, Output] = {}
        if self.lm._batch_size > 1:
            logger.warning(
                "`--batch_size %d` is not used: each prompt is one request, `num_concurrent` of them at a time.",
                self.lm._batch_size,
            )
            self.lm._batch_size = 1
        more = self._meet(batch[0].context).extras
        try:
            with tqdm(
                total=len(batch), desc="Asking the server", unit="prompt", disable=self.lm.rank != 0
            ) as bar:
                for index, output in self._client.each(
                    lambda request: self._ask(request, decoding, more), batch, self.lm._concurrent
                ):
                    outputs[index] = output
                    batch[index].arrived(output)
                    bar.update()
        except RefusedError as error:
            raise refused(self._client, error) from None
        self._say_what_tokens_do_not_spell(outputs.values())
        self._say_what_is_not_greedy()
        return [outputs[index] for index in range(len(batch))]

    def _ask(self, request: Request, decoding: Decoding, more: Mapping[str, Any]) -> Output:
        sampled = isinstance(decoding, SampledDecoding)
        seed = self.lm._seed
        if isinstance(decoding, SampledDecoding):
            seed = seed_of(decoding, context_text(request.context), request.replicate)
        server = self._meet(request.context)
        ids = request.token_ids if server.prompts == "sent" else None
        if sampled and not server.tokens_from_steps:
            more = {name: value for name, value in more.items() if "logprobs" not in name}
        answer = read_answer(self._client.ask(self._payload(request.context, ids, decoding, seed, more)))
        if not sampled:
            self._unlikely.append(unlikely_steps(answer.steps))  # which threads may do at the same time
        tokenizer = self._local_tokenizer
        cut = None if tokenizer is None else partial(_cut, tokenizer)
        return _with_prompt(output_of(answer, decoding, server.basis, cut), request.token_ids)

    def _payload(
        self,
        context: Any,
        ids: Sequence[int] | None,
        decoding: Decoding,
        seed: int,
        more: Mapping[str, Any],
    ) -> dict[str, Any]:
        """lm_eval's own, without a list of no stop strings, which some servers refuse."""
        messages = messages_of(context)
        prompt = [list(ids)] if ids is not None else context if messages is None else messages
        settings = copy.deepcopy(decoding.as_gen_kwargs())
        payload = self.lm._create_payload(
            prompt, generate=True, gen_kwargs=settings, seed=seed, eos=self.lm._eos_string
        )
        if not payload.get("stop"):
            payload.pop("stop", None)
        return {**payload, **more}

    def _say_what_tokens_do_not_spell(self, outputs: Collection[Output]) -> None:
        lost = sum(each.trace is None and bool(each.text) for each in outputs)
        if lost and "token ids" in self.gives:
            logger.warning(
                "The tokens of %d of %d answers do not spell their text (a server may cut reasoning out of it): of "
                "these outputs only the text is used.",
                lost,
                len(outputs),
            )

    def _say_what_is_not_greedy(self) -> None:
        if steps := sum(self._unlikely):
            logger.warning(
                "%d steps in %d of %d answers took another token than the most probable one: this server does more "
                "than greedy decoding, such as a penalty for repetitions, and what is measured is the model with it. "
                "Margins are those of the model without. Turn it off at the server.",
                steps,
                sum(each > 0 for each in self._unlikely),
                len(self._unlikely),
            )


def _cut(tokenizer: Any, text: str) -> Sequence[int]:
    ids: Sequence[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _with_prompt(output: Output, ids: Sequence[int] | None) -> Output:
    """The prompt's ids beside the output's, where the answer does not show them; beside symbols they serve nobody."""
    trace = output.trace
    if (
        trace is None
        or trace.prompt_token_ids is not None
        or ids is None
        or bool((trace.token_ids < 0).any())
    ):
        return output
    return replace(output, trace=replace(trace, prompt_token_ids=np.asarray(ids, np.int32)))
