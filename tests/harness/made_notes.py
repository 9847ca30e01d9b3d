"""Runs made by hand: what is remembered of every pair, and a reference to judge it beside."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.harness.close.notes import PairNote, Seen
from lm_eval_sensitivity.harness.close.whole_run import WholeRun
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.runs.reference import PairDistance, ReferenceRun
from lm_eval_sensitivity.types import RUNGS

LEVELS = {"identical": 0.0, "semantic_change": 0.3, "positive_control": 0.8}


def notes(levels: dict[str, float], n_prompts: int = 9) -> list[PairNote]:
    """One pair per prompt and rung; a harmless edit moves the output by 0.1."""
    return [
        PairNote(
            f"p{n}/{rung}_edit",
            f"p{n}",
            f"{rung}_edit",
            rung,
            "survived",
            raw=_seen(levels, rung),
            answer=_seen(levels, rung),
        )
        for rung in RUNGS
        for n in range(n_prompts)
    ]


def _seen(levels: dict[str, float], rung: str) -> Seen:
    reason = None if "drift" in levels else "no answer: there is none"
    return Seen(levels.get(rung, 0.1), drift=levels.get("drift", math.nan), drift_missing=reason)


def run(of: list[PairNote], max_gen_toks: int = 96, **settings: Any) -> WholeRun:
    return WholeRun(of, max_gen_toks, **settings)


def reference(levels: dict[str, float], embedder: str = "e") -> dict[str, Any]:
    """The other system whose pairs lie at these levels, and what our own run was measured with."""
    distances = {
        (note.prompt_id, note.edit, note.rung, filter_name): PairDistance(note.answer.distance, "survived")
        for note in notes(levels)
        for filter_name in FILTERS
    }
    theirs = ReferenceRun(
        Path("r"), "theirs", "1", "h", {}, {}, {}, distances=distances, embedder={"weights_sha256": embedder}
    )
    return {"reference": theirs, "system": "ours", "embedder": {"weights_sha256": "e"}}
