"""One request that shows what a server gives, and what will be missing. Extras that it refuses are not asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.server.answer import ServerAnswer, read_answer
from lm_eval_sensitivity.harness.engines.server.client import Client, NoAnswerError, RefusedError
from lm_eval_sensitivity.harness.engines.server.prompt_ids import Source
from lm_eval_sensitivity.harness.engines.server.traced import Basis

NOT_ABOUT_EXTRAS = (401, 402, 403, 404)
"""Statuses that a request without extras would meet, too."""
FEW_TOKENS = 16
"""Of the first output; a few models refuse less."""
SAYS_MORE = "Count to ten: one, two, three,"
"""A prompt for a second look, where the first one shows nothing."""
NOTHING_ADDED: Mapping[str, Any] = {"repetition_penalty": 1.0, "repeat_penalty": 1.0, "cache_prompt": False}
"""No penalty of the server's own, as vLLM, SGLang and TGI call it, and llama.cpp: with one, decoding is not greedy. And
none of the prompts that llama-server keeps: what is read from there is rounded otherwise, and the same request answered
otherwise.
"""
TAKES_NO_IDS = "A server that takes no token ids needs `--model_args tokenized_requests=False`"


def extras(*, chat: bool) -> tuple[Mapping[str, Any], ...]:
    """What is asked for beside the text, in falling order.

    Args:
        chat: whether messages are sent.

    Returns:
        Fields of a payload; the last are none.

    Example:
        >>> extras(chat=False)[1]
        {'logprobs': 20}
    """
    tops = [{"logprobs": True, "top_logprobs": n} if chat else {"logprobs": n} for n in (20, 5)]
    beyond_openai = {"return_token_ids": True, **NOTHING_ADDED}
    return tuple({**top, **more} for top in (*tops, {}) for more in (beyond_openai, {}))


def first_answer(
    client: Client, payload: Callable[[Mapping[str, Any]], Mapping[str, Any]], *, chat: bool
) -> tuple[Mapping[str, Any], ServerAnswer]:
    """Ask until nothing is refused.

    Args:
        client: of the server.
        payload: a request with the extras that it is called with.
        chat: whether messages are sent.

    Returns:
        The extras that the server takes, and its answer.

    Raises:
        InputError: it refuses the request without any, too, or gives no answer.
    """
    for more in extras(chat=chat):
        try:
            return more, read_answer(client.ask(payload(more), tries=1 if more else None))
        except RefusedError as error:
            if not more or error.status in NOT_ABOUT_EXTRAS:
                raise refused(client, error) from None
        except NoAnswerError as error:
            if not more:
                # llama-cpp-python calls a request that it does not understand a failure of its own.
                raise NoAnswerError(f"{error} {TAKES_NO_IDS}.", error.problem) from None
    raise AssertionError("the last extras are none")


def refused(client: Client, error: RefusedError) -> InputError:
    """The sentence for a request that a server does not take."""
    advice = {
        401: "Give the key in the environment variable OPENAI_API_KEY.",
        404: "`--model_args base_url=...` is the whole address, as in http://localhost:8000/v1/completions, and "
        "`model=...` a name that the server knows.",
    }.get(
        error.status,
        f"{TAKES_NO_IDS}; one that takes no seed, temperature or stop string cannot be asked through this model type.",
    )
    return InputError(f"The server at {client.place} refuses the request ({error}). {advice}")


@dataclass(frozen=True)
class Server:
    """What the first answer showed."""

    extras: Mapping[str, Any]
    """What is asked for beside the text."""
    basis: Basis | None
    """What the token ids of outputs are."""
    tokens_from_steps: bool
    """Whether they stand beside the log-probabilities only."""
    n_top: int
    """Tokens whose log-probabilities it gives at each step."""
    shows_prompt_ids: bool
    """Whether its answers hold the ids of their prompts."""
    counts: bool
    """Whether it says how many tokens it read."""
    prompts: Source | None
    """Who tells the ids of a prompt before it is sent."""

    def in_words(self) -> str:
        """What there is and what is missing, in one line."""
        tokens = {
            "ids": "token ids",
            "local": "no tokens (a local tokenizer cuts the text)",
            "server text": "tokens by their text",
            None: "no tokens",
        }[self.basis]
        margins = f"{self.n_top} log-probabilities per step" if self.n_top > 1 else "no log-probabilities"
        lacking = ["hidden states", "entropies", "whole distributions"]
        lacking += ["token distances and steps"] if self.basis is None else []
        lacking += ["margins", "divergences at the prompt's end"] if self.n_top < 2 else []
        return f"This server gives text, {tokens}, {margins}. Edits: {self.audit()}. Missing: {', '.join(lacking)}."

    def audit(self) -> str:
        """How it is known whether an edit arrives, in words."""
        if self.prompts is not None:
            return {
                "sent": "checked on the token ids that are sent",
                "server": "checked on the token ids of the server's tokenizer",
                "local": "checked on the ids of a local tokenizer, which counts as many as the server",
            }[self.prompts]
        if self.shows_prompt_ids:
            return "checked on the prompt's token ids in its answers"
        if self.counts:
            return "seen to arrive only where the number of tokens changes"
        return "nobody can tell whether they arrive"


def context_of(looks: Sequence[Mapping[str, Any]]) -> int | None:
    """The context length that a server states, in the ways that are known.

    Args:
        looks: its answers on `/v1/models` and `/props`.

    Returns:
        Tokens of prompt and output together; None where it does not say.

    Example:
        >>> context_of([{"data": [{"id": "m", "max_model_len": 4096}]}])
        4096
    """
    for look in looks:
        listed = look.get("data")
        entries = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
        settings = look.get("default_generation_settings")
        stated = [each.get("max_model_len") for each in entries[:1]]
        stated += [settings.get("n_ctx")] if isinstance(settings, Mapping) else []
        for length in stated:
            if isinstance(length, int) and length > 0:
                return length
    return None
