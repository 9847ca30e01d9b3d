"""Whether a server scores given texts rightly: asked once, before multiple choice, and refused where it does not.

lm_eval takes the log-probabilities of a text from its echo, and leaves out the last one, which it takes for that of
the one generated token. A server whose echo lacks this token, or has one more, gives the wrong numbers silently.
"""

from __future__ import annotations

from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.server.client import Client, NoAnswerError, RefusedError

TEXT = "The sky is blue and the grass is green."


def check_echo(lm: Any) -> None:
    """Refuse a server over which multiple choice would measure something else.

    Args:
        lm: the model as lm_eval made it; one that asks no server passes.

    Raises:
        InputError: it is a chat, or its echo does not hold the text's tokens and one more.
        NoAnswerError: it does not answer a text without an echo, either.
    """
    if not hasattr(lm, "_create_payload"):
        return
    if "chat" in str(lm.base_url) or lm.tokenizer is None:
        raise _refusal("no log-probabilities of a given text are to be had from it")
    ids = list(lm.tok_encode(TEXT, add_special_tokens=lm.add_bos_token))
    payload = lm._create_payload(lm.create_message([ids]), generate=False, seed=lm._seed)
    client = Client(lm)
    try:
        body = client.ask(payload)
    except RefusedError as error:
        raise _refusal(f"{client.place} refuses to echo a text ({error})") from None
    except NoAnswerError as error:
        # llama-server calls it a failure of its own: HTTP 500, "Only no echo is supported".
        _still_answers(client, payload, error)
        raise _refusal(f"{client.place} answers, but fails to echo a text ({error.problem})") from None
    found = echoed(body)
    if found is None:
        raise _refusal(f"{client.place} echoes no log-probabilities")
    if found != len(ids) + 1:
        raise _refusal(
            f"{client.place} echoes {found} log-probabilities for {len(ids)} tokens and one generated one, and lm_eval "
            "would take those of other tokens"
        )


def _still_answers(client: Client, payload: dict[str, Any], failed: NoAnswerError) -> None:
    try:
        client.ask({**payload, "prompt": TEXT, "echo": False}, tries=1)
    except (NoAnswerError, RefusedError):
        raise failed from None


def echoed(body: dict[str, Any]) -> int | None:
    """How many tokens an echo has log-probabilities of.

    Args:
        body: the answer, with at least one choice.

    Returns:
        With the first token, which has none; None where another one has none, or there is no echo.

    Example:
        >>> logprobs = {"token_logprobs": [None, -1.0], "top_logprobs": [None, {"b": -1.0}]}
        >>> echoed({"choices": [{"logprobs": logprobs}]})
        2
    """
    choice = body["choices"][0]
    logprobs = choice.get("logprobs") if isinstance(choice, dict) else None
    given = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
    top = logprobs.get("top_logprobs") if isinstance(logprobs, dict) else None
    if not isinstance(given, list) or not isinstance(top, list) or len(top) != len(given):
        return None
    # The first token has no log-probability; every other one needs it.
    return len(given) if all(isinstance(each, (int, float)) for each in given[1:]) else None


def _refusal(why: str) -> InputError:
    return InputError(
        f"Multiple choice over this server: {why}. Use `--model hf` or `--model vllm` for it, or a completions server "
        "that echoes prompts with their log-probabilities, such as vLLM's."
    )
