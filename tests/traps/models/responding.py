"""Three models that move equally often and equally far, one of them for good reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.types import Pair
from tests.traps.models.phrases import TOPICS, passage
from tests.traps.models.written_model import Script, write_model

N_ANSWER = 12
RUNGS = ("identical", "synonym", "paraphrase", "semantic_change", "positive_control")
SILENCE = "\u2003"
"""White space that no prompt has: an answer of which nothing can be read."""
MOVING_EDITS: Mapping[str, Collection[str]] = {
    "responsive": ("semantic_1", "control_reversal", "control_topic"),
    "fragile": ("synonym_1", "paraphrase_1", "control_topic"),
    "reference": ("synonym_1", "semantic_1", "control_topic"),
}
"""Model -> edits under which its answer is the prompt's other one: three of seven, whichever it is."""


@cache
def pairs() -> tuple[Pair, ...]:
    """The pairs of the rungs that are run."""
    ladder = load_ladder(None, "mini")
    return tuple(pair for rung in RUNGS for pair in ladder.rung(rung))


def two_answers(prompt_id: str) -> tuple[list[str], list[str]]:
    """What every model says to a prompt, and what it says where it moves."""
    number = sorted({pair.prompt_id for pair in pairs()}).index(prompt_id)
    topics = list(TOPICS)
    other = topics[(number + 1) % len(topics)]
    return passage(topics[number], N_ANSWER), passage(other, N_ANSWER)


def silent_prompts() -> list[str]:
    """The three prompts of nine on which a partly silent model says nothing."""
    return sorted({pair.prompt_id for pair in pairs()})[:3]


def build(folder: Path, kind: str, silent: bool = False) -> None:
    """Write one of the models.

    Args:
        folder: to fill.
        kind: a key of `MOVING_EDITS`.
        silent: it says nothing on `silent_prompts`, edited or not.
    """
    outputs = {}
    for pair in pairs():
        said, otherwise = two_answers(pair.prompt_id)
        if silent and pair.prompt_id in silent_prompts():
            said = otherwise = [SILENCE]
        outputs[pair.base] = said
        outputs[pair.variant] = otherwise if pair.edit in MOVING_EDITS[kind] else said
    write_model(folder, Script(outputs))
