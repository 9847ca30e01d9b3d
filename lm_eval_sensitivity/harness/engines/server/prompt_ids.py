"""The token ids of a prompt, from whoever can tell them: what is sent, the server, or a local tokenizer.

What is not the server's own word is believed where it counts as many tokens as the server does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from lm_eval_sensitivity.harness.engines.server.client import Client
from lm_eval_sensitivity.harness.generate.plan import context_text

Source = Literal["sent", "server", "local"]
"""`sent`: the ids themselves are sent. `server`: its tokenizer is asked. `local`: a tokenizer here, which agrees."""
Encode = Callable[[Any], list[int] | None]


def messages_of(context: Any) -> list[dict[str, Any]] | None:
    """The messages of a chat.

    Args:
        context: a prompt as lm_eval hands it over.

    Returns:
        None where it is a text.

    Example:
        >>> messages_of("Why?") is None
        True
    """
    if isinstance(context, str):
        return None
    found = json.loads(context_text(context)) if hasattr(context, "prompt") else context
    return list(found)


def find_encode(
    client: Client, model: Any, tokenizer: Any, context: Any, counted: int | None
) -> tuple[Source | None, Encode]:
    """Whoever can tell the ids of prompts that are sent as text or as messages.

    Args:
        client: of the server.
        model: its name there.
        tokenizer: a local transformers tokenizer, or None.
        context: a prompt to try.
        counted: how many tokens the server read of it; None where it does not say.

    Returns:
        Who it is, and a function from contexts to ids; None and nothing where nobody can tell.
    """
    ways: list[tuple[Source, Encode]] = [
        ("server", lambda each: _ids(client.look("/tokenize", _asked_of_vllm(model, each)))),
        ("server", lambda each: _asked_of_llama(client, each)),
    ]
    if tokenizer is not None and counted is not None:
        ways += [("local", partial(_local, tokenizer, add)) for add in (True, False)]
    for source, encode in ways:
        ids = encode(context)
        if ids is not None and counted in (None, len(ids)):
            return source, encode
    return None, lambda each: None


def _asked_of_vllm(model: Any, context: Any) -> Mapping[str, Any]:
    messages = messages_of(context)
    if messages is None:
        return {"model": model, "prompt": context, "add_special_tokens": True}
    return {"model": model, "messages": messages, "add_generation_prompt": True}


def _asked_of_llama(client: Client, context: Any) -> list[int] | None:
    messages = messages_of(context)
    text = (
        context if messages is None else client.look("/apply-template", {"messages": messages}).get("prompt")
    )
    if not isinstance(text, str):
        return None
    return _ids(client.look("/tokenize", {"content": text, "add_special": True, "parse_special": True}))


def _ids(answer: Mapping[str, Any]) -> list[int] | None:
    tokens = answer.get("tokens")
    if not isinstance(tokens, list) or not tokens or not all(isinstance(each, int) for each in tokens):
        return None
    return tokens


def _local(tokenizer: Any, add_special_tokens: bool, context: Any) -> list[int] | None:
    messages = messages_of(context)
    if messages is None:
        ids: Sequence[int] = tokenizer(context, add_special_tokens=add_special_tokens)["input_ids"]
        return list(ids)
    if getattr(tokenizer, "chat_template", None) is None:
        return None
    found = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    return list(found)
