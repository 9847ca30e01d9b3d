"""Finished runs made by hand: the cells of every pair, and a reference to judge them beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.harness.close.finished_run import FinishedRun, PairCells
from lm_eval_sensitivity.records.columns import DRIFTS, ROW_SCHEMA, SIDES
from lm_eval_sensitivity.records.run_metadata import LadderIdentity, RunMetadata
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.runs.table import table_of
from lm_eval_sensitivity.types import RUNGS

LEVELS = {"identical": 0.0, "semantic_change": 0.3, "positive_control": 0.8}


def pairs(levels: dict[str, float], n_prompts: int = 9) -> list[PairCells]:
    """One pair per prompt and rung; a harmless edit moves the output by 0.1."""
    return [
        PairCells(_cells(levels, rung, n, "raw"), _cells(levels, rung, n, "answer"))
        for rung in RUNGS
        for n in range(n_prompts)
    ]


def _cells(levels: dict[str, float], rung: str, n: int, filter_name: str) -> dict[str, Any]:
    drift = levels.get("drift")
    return {
        **dict.fromkeys(ROW_SCHEMA.names),
        "pair_id": f"p{n}/{rung}_edit",
        "prompt_id": f"p{n}",
        "edit": f"{rung}_edit",
        "rung": rung,
        "filter": filter_name,
        "audit_status": "survived",
        "variant_finish_reason": "end_token",
        "cosine_distance": levels.get(rung, 0.1),
        **dict.fromkeys(DRIFTS, drift),
        **{f"missing_{name}": None if drift is not None else "no answer: there is none" for name in DRIFTS},
    }


def raw(pair: PairCells, **cells: Any) -> PairCells:
    """The pair with other cells under the filter raw."""
    return replace(pair, raw={**pair.raw, **cells})


def answer(pair: PairCells, **cells: Any) -> PairCells:
    """The pair with other cells under the filter answer."""
    return replace(pair, answer={**pair.answer, **cells})


def missing(
    pair: PairCells, kind: str, change: Callable[..., PairCells] = answer, status: str = "survived"
) -> PairCells:
    """The pair without a distance."""
    return change(pair, cosine_distance=None, missing_cosine_distance=kind, audit_status=status)


def run(of: Sequence[PairCells], **settings: Any) -> FinishedRun:
    return FinishedRun(of, **settings)


def with_tokens(pair: PairCells, n_before: int, n_tokens: int) -> PairCells:
    """The pair with a scaffold of so many tokens in both outputs."""
    cells = {f"{side}_n_tokens": n_tokens for side in SIDES}
    return answer(raw(pair, **cells), **{f"{side}_answer_start": n_before for side in SIDES})


def reference(levels: dict[str, float], embedder: str = "e", rungs: Sequence[str] = RUNGS) -> dict[str, Any]:
    """The other system whose pairs lie at these levels, and what our own run was measured with."""
    of = pairs(levels)
    samples = tuple(
        RungSamples(
            _metadata(rung, embedder),
            results=Path("results.json"),
            samples=Path("samples.jsonl"),
            date="2026-08-01",
            n_pairs=9,
            n_expected=9,
            against_ladder=True,
            table=table_of((pair.raw, pair.answer) for pair in of if pair.raw["rung"] == rung),
            content="",
            pairs=(),
            remarks=(),
        )
        for rung in rungs
    )
    theirs = ReferenceRun(Path("r"), _metadata(rungs[-1], embedder), samples, {})
    return {"reference": theirs, "system": "ours", "embedder": {"weights_sha256": "e"}}


def _metadata(rung: Any, embedder: str) -> RunMetadata:
    return RunMetadata(
        package_version="1",
        system="theirs",
        identity={},
        notes={},
        ladder=LadderIdentity("l", "mini", "1", "h"),
        audit={},
        decoding_requested={},
        decoding={},
        embedder={"weights_sha256": embedder},
        reference=None,
        task="t",
        rung=rung,
        model_args={},
        n_original=9,
        n_effective=9,
        limited_by="",
    )
