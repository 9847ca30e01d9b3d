"""A model that is certain of its first token and of all others but one, far behind the prompt's end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lm_eval_sensitivity.ladder import load_ladder
from tests.traps.models.phrases import TOPICS, passage
from tests.traps.models.written_model import PROMPT_END, Script, write_model

STEP = 20
"""0-based step at which the outputs part."""
MARGIN = 0.1
"""In nats, at that step."""
PROMPT_END_MARGIN = 60.0
N_BASE, N_VARIANT = 40, 60
"""Phrases of the two answers; all from `STEP` on differ."""
PARTING_EDIT = "paraphrase_1"


@cache
def answers() -> Mapping[str, list[str]]:
    """Prompt -> phrases of its answer."""
    pairs = load_ladder(None, "mini").rung("paraphrase")
    topics = dict(zip(sorted({pair.prompt_id for pair in pairs}), TOPICS, strict=False))
    after = dict(zip(TOPICS, (*list(TOPICS)[1:], *TOPICS), strict=False))
    found = {}
    for pair in pairs:
        topic = topics[pair.prompt_id]
        found[pair.base] = found[pair.variant] = passage(topic, N_BASE)
        if pair.edit == PARTING_EDIT:
            # What follows a phrase is the same everywhere, so that the other topic is taken up far from its start.
            elsewhere = passage(after[topic], N_VARIANT - STEP, skip=N_BASE)
            found[pair.variant] = [*passage(topic, STEP), *elsewhere]
    return found


def build(folder: Path) -> None:
    """Write the model."""
    last_shared = {answer[STEP - 1] for answer in answers().values()}
    margins = {PROMPT_END: PROMPT_END_MARGIN, **dict.fromkeys(last_shared, MARGIN)}
    write_model(folder, Script(answers(), margins))
