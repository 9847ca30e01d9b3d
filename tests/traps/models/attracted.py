"""A model with two attractors for every prompt: the edit chooses between them, or chance does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lm_eval_sensitivity.ladder import load_ladder
from tests.traps.models.phrases import TOPICS, passage
from tests.traps.models.written_model import PROMPT_END, Script, write_model

N_PHRASES = 10
MARGIN = 0.3
"""In nats, by which a sensitive prompt prefers its attractor. At a temperature of 0.1 the odds are e^3."""
EDIT = "paraphrase_1"
N_SENSITIVE, N_INDIFFERENT = 4, 4


@cache
def prompts() -> Mapping[str, tuple[str, str]]:
    """Prompt id -> prompt and its paraphrase; the sensitive ones first."""
    pairs = [pair for pair in load_ladder(None, "mini").rung("paraphrase") if pair.edit == EDIT]
    return {pair.prompt_id: (pair.base, pair.variant) for pair in pairs[: N_SENSITIVE + N_INDIFFERENT]}


def is_sensitive(prompt_id: str) -> bool:
    """Whether the edit decides, and not chance."""
    return list(prompts()).index(prompt_id) < N_SENSITIVE


def attractors(prompt_id: str) -> tuple[list[str], list[str]]:
    """The two answers: about the same thing in other words where the edit decides, else about different things."""
    number, topics = list(prompts()).index(prompt_id), list(TOPICS)
    if is_sensitive(prompt_id):
        return passage(topics[number], N_PHRASES), passage(topics[number], N_PHRASES, skip=N_PHRASES)
    first = N_SENSITIVE + 2 * (number - N_SENSITIVE)
    return passage(topics[first], N_PHRASES), passage(topics[first + 1], N_PHRASES)


def opening(prompt_id: str) -> str:
    """The one token before the attractors part."""
    return f" answer {list(prompts()).index(prompt_id)}:"


def build(folder: Path) -> None:
    """Write the model."""
    outputs, margins = {}, {PROMPT_END: 60.0}
    for prompt_id, texts in prompts().items():
        margins[opening(prompt_id)] = MARGIN if is_sensitive(prompt_id) else 0.0
        for text, attractor in zip(texts, attractors(prompt_id), strict=True):
            outputs[text] = [opening(prompt_id), *attractor]
    write_model(folder, Script(outputs, margins))


def prompts_file(path: Path) -> None:
    """Write the prompts as somebody's own, for `ladder build`."""
    rows = [{"id": name, "prompt": base, EDIT: variant} for name, (base, variant) in prompts().items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
