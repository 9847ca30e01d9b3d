"""Where each generated token ends in the visible text: what a reader needs to follow an output token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from lm_eval_sensitivity.harness.generate.generation import Output, TokenIds
from lm_eval_sensitivity.harness.generate.views import Decode


def token_ends(output: Output, decode: Decode | None, tokenizer: Any) -> TokenIds | None:
    """[step] character of the visible text at which the token of that step ends.

    A token that ends inside a character ends where the last whole character does. The end token, and what
    follows a stop string, are no part of the visible text: such tokens end where the text does.

    Args:
        output: of one generation.
        decode: the engine's decoding.
        tokenizer: the engine's, for a faster way where there is one.

    Returns:
        One offset per generated token, never falling; None without ids, or where the engine cannot decode.
    """
    if output.trace is None or decode is None:
        return None
    ids, text = output.trace.token_ids.tolist(), output.trace.visible_text
    backend = getattr(tokenizer, "backend_tokenizer", None)
    ends = ends_in_stream(ids, text, backend) if isinstance(backend, Tokenizer) else None
    if ends is None:
        ends = ends_of_prefixes([decode(ids[:step], False) for step in range(1, len(ids) + 1)], text)
    return np.asarray(ends, dtype=np.int32)


def ends_of_prefixes(prefixes: Sequence[str], text: str) -> list[int]:
    """How much of a text stands when only the first tokens are decoded, from the decoded prefixes.

    This is the definition. It decodes every prefix, so its time grows with the square of the length.

    Args:
        prefixes: [step] the first 1, 2, … tokens, decoded.
        text: the output.

    Returns:
        [step] characters of the text, never falling.

    Example:
        >>> half = chr(0xFFFD)
        >>> ends_of_prefixes(["a", "a" + half, "aé", "aé!<end>"], "aé!")
        [1, 1, 2, 3]
    """
    ends: list[int] = []
    for prefix in prefixes:
        ends.append(max(_shared(prefix, text), ends[-1] if ends else 0))
    return ends


def ends_in_stream(ids: Sequence[int], text: str, backend: Tokenizer) -> list[int] | None:
    """The same as `ends_of_prefixes`, from one pass over the tokens.

    Args:
        ids: [step] token ids of the output.
        text: the output.
        backend: the tokenizer that decodes.

    Returns:
        [step] characters of the text; None where the pass does not end in this text, as with tokenizers that clean
        up spaces after decoding.
    """
    stream = DecodeStream(skip_special_tokens=False)
    said, held = "", ""
    pending: list[int] = []
    ends: list[int] = []
    for token in ids:
        try:
            piece = stream.step(backend, token)
        except Exception:  # noqa: BLE001  # prefixes that are no prefixes; the binding has no narrower type
            return None
        if piece:
            said, pending, held = said + piece, [], ""
        else:
            # The stream holds back whole characters, too, when half a one follows them in a token.
            pending.append(token)
            held = backend.decode(pending, skip_special_tokens=False)
        begun = _shared(held, text[len(said) : len(said) + len(held)])
        ends.append(max(min(len(said) + begun, len(text)), ends[-1] if ends else 0))
    return ends if (said + held).startswith(text) else None


def _shared(first: str, second: str) -> int:
    """Characters that both texts begin with."""
    if second.startswith(first):
        return len(first)
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
