"""What one answer of an OpenAI-compatible server says, whatever the dialect. A field that is not there is None."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HALF = "\ufffd"
"""What servers show of a token that ends inside a character."""
_ROUNDING = 1e-3
"""Nats by which a log-probability may differ from itself."""


@dataclass(frozen=True)
class Step:
    """One token that was generated, and what else could have been."""

    token: bytes | None
    """None where the server does not say which bytes it is."""
    log_probability: float
    top: tuple[tuple[bytes, float], ...]
    """The most probable tokens, best first, as far as their bytes are known without a gap."""
    token_id: int | None = None
    """Where the server says it beside the log-probability, as llama-server does."""


@dataclass(frozen=True)
class ServerAnswer:
    """One choice of an answer, with the answer's counts."""

    text: str | None
    finish_reason: str | None
    """`stop`, `length`, `content_filter`, ... as the server says."""
    stop_reason: Any
    """What vLLM says of an output that was stopped: the stop string; None or an id for an end token."""
    steps: tuple[Step, ...]
    token_ids: tuple[int, ...] | None
    prompt_token_ids: tuple[int, ...] | None
    n_prompt_tokens: int | None

    @property
    def steps_have_ids(self) -> bool:
        """Whether the id of every step's token is known."""
        return bool(self.steps) and all(each.token_id is not None for each in self.steps)


def read_answer(body: Mapping[str, Any]) -> ServerAnswer:
    """The first choice of an answer.

    Args:
        body: the parsed JSON, with at least one choice.

    Returns:
        What it says; fields of an unexpected kind count as not there.

    Example:
        >>> read_answer({"choices": [{"text": "Yes.", "finish_reason": "stop"}]}).text
        'Yes.'
    """
    choice = _mapping(body["choices"][0])
    message = _mapping(choice.get("message"))
    text = choice.get("text") if "text" in choice else message.get("content")
    return ServerAnswer(
        text if isinstance(text, str) else None,
        choice.get("finish_reason") if isinstance(choice.get("finish_reason"), str) else None,
        choice.get("stop_reason"),
        _steps(_mapping(choice.get("logprobs"))),
        _ids(choice.get("token_ids")),
        _ids(choice.get("prompt_token_ids")) or _ids(body.get("prompt_token_ids")),
        _count(_mapping(body.get("usage")).get("prompt_tokens")),
    )


def unlikely_steps(steps: Sequence[Step]) -> int:
    """How many steps took another token than their most probable one: what a greedy decoding never does.

    Args:
        steps: of an answer.

    Returns:
        A count; steps whose most probable token is not known count as greedy.

    Example:
        >>> unlikely_steps([Step(b"a", -2.0, ((b"b", -0.5), (b"a", -2.0))), Step(b"c", -0.1, ((b"c", -0.1),))])
        1
    """
    return sum(bool(each.top) and each.log_probability < each.top[0][1] - _ROUNDING for each in steps)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _ids(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, list) or not value or not all(_count(each) is not None for each in value):
        return None
    return tuple(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _steps(logprobs: Mapping[str, Any]) -> tuple[Step, ...]:
    content = logprobs.get("content")
    if isinstance(content, list):
        return tuple(_chat_step(_mapping(each)) for each in content)
    tokens, given, top = (logprobs.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not isinstance(tokens, list) or not isinstance(given, list) or len(tokens) != len(given):
        return ()
    tops = top if isinstance(top, list) and len(top) == len(tokens) else [None] * len(tokens)
    return tuple(
        Step(_bytes(token), _number(each), _legacy_top(_mapping(others)))
        for token, each, others in zip(tokens, given, tops, strict=True)
    )


def _legacy_top(others: Mapping[str, Any]) -> tuple[tuple[bytes, float], ...]:
    """Of one that stands for several tokens only the last is left here, so that nothing is known of the others."""
    return () if HALF in others else _ranked([(_bytes(token), value) for token, value in others.items()])


def _chat_step(entry: Mapping[str, Any]) -> Step:
    top = entry.get("top_logprobs")
    others = [_mapping(each) for each in top] if isinstance(top, list) else []
    named = [((each.get("token"), each.get("bytes")), each.get("logprob")) for each in others]
    return Step(
        _bytes(entry.get("token"), entry.get("bytes")),
        _number(entry.get("logprob")),
        _ranked([(_bytes(*name), value) for name, value in named]),
        _count(entry.get("id")),
    )


def _ranked(pairs: Sequence[tuple[bytes | None, Any]]) -> tuple[tuple[bytes, float], ...]:
    """Best first, up to the first token whose bytes are not known or known already: behind a gap nothing is bounded."""
    entries = [(token, _number(value)) for token, value in pairs]
    found: dict[bytes, float] = {}
    for token, value in sorted(entries, key=lambda each: -each[1]):
        if token is None or token in found or value != value:
            break
        found[token] = value
    return tuple(found.items())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")


def _bytes(token: Any, given: Any = None) -> bytes | None:
    """The bytes of a token; some servers name those of a half character `bytes:\\xe2\\x80`."""
    if isinstance(given, list) and all(isinstance(each, int) and 0 <= each < 256 for each in given) and given:
        return bytes(given)
    if not isinstance(token, str) or HALF in token:
        return None
    if re.fullmatch(r"bytes:(\\x[0-9a-fA-F]{2})+", token):
        return bytes.fromhex(token.removeprefix("bytes:").replace("\\x", ""))
    return token.encode("utf-8", "surrogatepass")
