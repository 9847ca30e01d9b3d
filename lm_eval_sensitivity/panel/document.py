"""The document of `lm-eval-sensitivity panel --dry-run`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.ladder.cost import CHARACTERS_PER_TOKEN, REPETITIONS
from lm_eval_sensitivity.panel.estimate import Estimate
from lm_eval_sensitivity.report import Column, Document
from lm_eval_sensitivity.report.blocks import table_of
from lm_eval_sensitivity.text.escape import shown
from lm_eval_sensitivity.types import Note

_COLUMNS = (
    Column("system"),
    Column("runs", 0, "n_units"),
    Column("done", 0, "n_done"),
    Column("generations", 0, "n_outputs"),
    Column("made", 0, "n_there"),
    Column("prompt tokens", 0, "prompt_tokens"),
    Column("output tokens", 0, "output_tokens"),
    Column("minutes left", 1, "minutes"),
)


def estimate_document(estimates: Sequence[Estimate], not_here: Sequence[str] = ()) -> Document:
    """What a panel takes, system by system, and in all.

    Args:
        estimates: [system] in the order of the panel.
        not_here: models that this machine has not.
    """
    blocks = (table_of("panel", "", _COLUMNS, estimates), *_missing(not_here), *_sentences(estimates))
    return Document("What the panel takes", blocks)


def _missing(not_here: Sequence[str]) -> Iterator[Note]:
    if not_here:
        names = ", ".join(map(shown, not_here))
        yield Note(
            "caution", f"No such model on this machine: {names}. Correct `pretrained`, or make it first."
        )


def _sentences(estimates: Sequence[Estimate]) -> Iterator[Note | str]:
    n_units, n_done = (sum(getattr(each, name) for each in estimates) for name in ("n_units", "n_done"))
    counted = [each for each in estimates if each.n_outputs is not None]
    outputs, fed, made = (
        sum(getattr(each, name) for each in counted)
        for name in ("n_outputs", "prompt_tokens", "output_tokens")
    )
    yield Note(
        "finding",
        f"{n_done} of {n_units} runs are done. In all at most {outputs:,.0f} generations, about {fed:,.0f} prompt "
        f"tokens and at most {made:,.0f} output tokens.",
    )
    if len(counted) < len(estimates):
        yield "A dash: a task is none of the ladder's, and its prompts are known when it runs."
    yield (
        f"Prompt tokens: {CHARACTERS_PER_TOKEN} characters each, without a chat template. Generations: an edit that a "
        f"template erases needs none; the prompts of the noise floor are repeated {REPETITIONS} times, in float32 on a "
        "CPU once, or as often as `repeats` says."
    )
    if all(math.isnan(each.seconds) for each in estimates):
        yield "How long it takes is known once a run is done: its pace is then taken for the others."
    else:
        yield "Minutes left: by the pace of the runs that are done, loading included; another model has another pace."
