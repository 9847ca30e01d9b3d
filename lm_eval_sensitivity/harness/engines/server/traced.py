"""From a server's answer to an output with its trace.

Token ids are the server's own where it shows them. Else they are symbols: numbers below -1 made of the bytes of a
token, equal where the bytes are, in every run. They are compared like ids and fed to no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from lm_eval_sensitivity.harness.engines.server.answer import ServerAnswer, Step
from lm_eval_sensitivity.harness.engines.text import stopped
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.generation import Output, TokenIds, Trace, margins_of

Basis = Literal["ids", "local", "server text"]
"""What token ids are: the server's; those that a local tokenizer gives the text; symbols of the server's tokens."""

Tokenize = Callable[[str], Sequence[int]]


def symbol(token: bytes) -> int:
    """The number that stands for a token whose id is not known.

    Returns:
        Below -1, so that it is no id.

    Example:
        >>> symbol(b" the") == symbol(b" the") < -1
        True
    """
    return -2 - (int.from_bytes(hashlib.sha256(token).digest()[:4], "little") >> 2)


def output_of(
    answer: ServerAnswer, decoding: Decoding, basis: Basis | None, tokenize: Tokenize | None = None
) -> Output:
    """An answer as an output.

    Args:
        answer: of a server.
        decoding: what was asked for.
        basis: what its token ids are; None for text only.
        tokenize: of the local tokenizer, where that is the basis.

    Returns:
        The output; without a trace where the tokens do not spell the text.
    """
    text = stopped(answer.text or "", decoding)
    output = Output(text, n_prompt_tokens=answer.n_prompt_tokens)
    if answer.text is None or basis is None:
        return output
    if basis == "local" and tokenize is not None:
        trace: Trace | None = Trace(np.asarray(tokenize(text), np.int32), _reason(answer, text), text)
    else:
        listed = basis == "ids" and answer.token_ids is not None
        trace = _of_ids(answer, text) if listed else _of_steps(answer, text, basis, decoding.until)
    if trace is None:
        return output
    prompt = answer.prompt_token_ids
    return replace(
        output,
        trace=replace(trace, prompt_token_ids=None if prompt is None else np.asarray(prompt, np.int32)),
    )


def _reason(answer: ServerAnswer, text: str) -> str:
    """Why the output ended, as far as the server says: an id of the end is not among those of the text."""
    if text != answer.text or isinstance(answer.stop_reason, str):
        return "stop_string"
    return "length" if answer.finish_reason == "length" else "stop"


def _of_ids(answer: ServerAnswer, text: str) -> Trace | None:
    if answer.token_ids is None:
        return None
    reason = _reason(answer, text)
    if reason == "stop":
        # With ids, the last one is the end: a stop string has a name of its own here.
        reason = "end_token"
    ids, n = np.asarray(answer.token_ids, np.int32), len(answer.token_ids)
    steps = answer.steps if len(answer.steps) == n else ()
    pieces = tuple(each.token for each in steps if each.token is not None)
    return Trace(ids, reason, text, token_bytes=pieces if len(pieces) == n else None, **_recorded(steps))


def _of_steps(answer: ServerAnswer, text: str, basis: Basis, until: Sequence[str]) -> Trace | None:
    """From what is listed beside the log-probabilities, where no list of ids stands by itself."""
    found = _spelling(answer.steps, text)
    if found is None or (basis == "ids" and not answer.steps_have_ids):
        return None
    steps, pieces = found
    reason = _reason(answer, text)
    behind = b"".join(each.token or b"" for each in answer.steps[len(steps) :])
    if reason == "stop" and any(behind.startswith(each.encode()) for each in until):
        # llama-cpp-python lists the tokens of the stop string.
        reason = "stop_string"
    if len(steps) < len(answer.steps) and reason == "stop":
        # The end token is listed, too, behind the text.
        steps, pieces, reason = answer.steps[: len(steps) + 1], (*pieces, b""), "end_token"
    elif not steps:
        # A text of nothing: what was generated is a stop string, or a token that shows nothing.
        steps, pieces = answer.steps[:1], (b"",)
    ids = np.asarray([-1 if each.token_id is None else each.token_id for each in steps], np.int32)
    return Trace(
        ids if basis == "ids" else _symbols([each.token or b"" for each in steps]),
        reason,
        text,
        token_bytes=pieces,
        **_recorded(steps),
    )


def _spelling(steps: Sequence[Step], text: str) -> tuple[tuple[Step, ...], tuple[bytes, ...]] | None:
    """The first steps that spell the text, each with the bytes of it that it brings; None where they spell another."""
    wanted = text.encode("utf-8", "surrogatepass")
    taken: list[Step] = []
    pieces: list[bytes] = []
    rest = wanted
    for step in steps:
        if not rest:
            break
        if step.token is None:
            return None
        # Chat servers cut white space off in front.
        token = step.token.lstrip() if rest == wanted and not wanted.startswith(step.token) else step.token
        if not (rest.startswith(token) or token.startswith(rest)):
            return None
        taken.append(step)
        pieces.append(token[: len(rest)])
        rest = rest[len(token) :]
    return None if rest or not steps else (tuple(taken), tuple(pieces))


def _symbols(tokens: Sequence[bytes]) -> TokenIds:
    return np.asarray([symbol(each) for each in tokens], np.int32)


def _recorded(steps: Sequence[Step]) -> dict[str, Any]:
    """What log-probabilities say: margins where two are known at every step, the prompt's end from the first one."""
    found: dict[str, Any] = {}
    if not steps:
        return found
    found["top1_log_probabilities"] = np.asarray([each.log_probability for each in steps], np.float32)
    if all(len(each.top) > 1 for each in steps):
        found["margins"] = margins_of([[value for _, value in each.top[:2]] for each in steps])
    top = steps[0].top
    if top:
        found["prompt_end_top_ids"] = _symbols([token for token, _ in top])
        found["prompt_end_top_log_probabilities"] = np.asarray([value for _, value in top], np.float32)
    return found
