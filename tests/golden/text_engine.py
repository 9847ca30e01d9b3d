"""An engine that returns text and nothing else: every answer is a function of the prompt."""

from __future__ import annotations

import hashlib
from typing import Any

import lm_eval.models  # noqa: F401 - lm_eval fills its list of engines only where the list is empty
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

SENTENCES = (
    "It depends on who is asked.",
    "Most people would say yes.",
    "The first of them is the oldest.",
    "There is a table of it in the library.",
    "Nobody has measured it twice.",
)


@register_model("golden_text")
class GoldenText(LM):
    """A `steady` voice hears words only; a `fickle` one hears every character. Some answers begin with reasoning."""

    tokenizer_name = "none"

    def __init__(self, model: str = "steady", **_: Any) -> None:
        super().__init__()
        self.voice = model

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """One text per request."""
        return [answer(str(request.args[0]), self.voice) for request in requests]

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """As many templates do, this one cuts white space at both ends."""
        return f"<user>{chat_history[-1]['content'].strip()}<assistant>"

    def loglikelihood(self, requests: list[Any]) -> Any:
        """Never asked for."""
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def answer(prompt: str, voice: str) -> str:
    """The same prompt gives the same text, on every machine."""
    heard = prompt if voice == "fickle" else "".join(filter(str.isalnum, prompt)).lower()
    digest = hashlib.sha256(heard.encode()).digest()
    said = " ".join(SENTENCES[byte % len(SENTENCES)] for byte in digest[: 1 + digest[0] % 4])
    if digest[1] < 20:
        return ""
    return f"<think>I count {len(heard)} characters.</think>{said}" if digest[2] < 128 else said
