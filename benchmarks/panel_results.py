"""What the runs of real models say: the numbers of docs/results.md, from nothing but finished runs.

    python -m benchmarks.panel_results runs --output benchmarks/panel_results.json

`runs` is where benchmarks/panel_96.yaml and panel_256.yaml put them. Systems that were decoded with one
token limit stand in one table. Means are over prompts, intervals are the suite's own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.measuring import say
from benchmarks.real_runs import interval_of

TABLES = {
    "96 tokens": {
        "panel-96/runs/smollm2": "SmolLM2",
        "panel-96/runs/smollm2-8bit": "SmolLM2, 8 bits",
        "panel-96/runs/smollm2-4bit": "SmolLM2, 4 bits",
        "panel-96/runs/smollm2-no-template": "SmolLM2, no template",
        "panel-96/runs/gemma3": "Gemma 3, base",
        "panel-96/runs/qwen2.5-coder": "Qwen2.5-Coder",
    },
    "256 tokens": {
        "panel-256/runs/smollm2": "SmolLM2",
        "panel-256/runs/smollm2-4bit": "SmolLM2, 4 bits",
    },
}
"""Token limit -> folder of a run -> what the system is called; those of one limit stand in one table, the first of
them is the reference."""
SILENT = ("SmolLM2, no template",)
"""Systems without an answer to many prompts: their means of one edit rest on a few."""
WINDOWS = ("cosine_distance_64", "cosine_distance_128", "cosine_distance")
RESAMPLES = 10_000
_Floats = NDArray[np.float64]


def table_of(folder: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """All that one table of systems says.

    Args:
        folder: of the panels.
        names: folder of a run -> what the system is called, the reference first.

    Returns:
        Its numbers, ready for JSON.
    """
    import lm_eval_sensitivity as les

    labels = {str(folder / run): name for run, name in names.items()}
    loaded = les.load(list(labels), labels=labels)
    frame = loaded.to_pandas()
    raw, frame = (frame[frame["filter"] == each] for each in ("raw", "answer"))
    clusters = les.clusters(loaded)
    return {
        "signature": next(
            part.text.rstrip(".")
            for part in clusters.document.parts
            if getattr(part, "kind", None) == "signature"
        ),
        "systems": {
            row.system: {
                **_system(row, frame[frame["name"] == row.system]),
                "prompt_end": _prompt_end(_harmless(raw[raw["name"] == row.system])),
            }
            for row in clusters.statement.systems
        },
        "contrasts": [_contrast(each) for each in clusters.statement.contrasts],
        "verdicts": _verdicts(loaded, next(iter(labels))),
        "edits": _edits(frame),
    }


def _system(row: Any, frame: Any) -> dict[str, Any]:
    harmless = _harmless(frame)
    by_rung = frame.groupby("rung")["cosine_distance"].mean()
    return {
        "letters": list(row.letters),
        "harmless": interval_of(row.mean),
        "n_prompts": row.mean.n,
        "by_rung": {rung: _short(value) for rung, value in by_rung.items()},
        "pairs": len(frame),
        "scored": int(frame["cosine_distance"].notna().sum()),
        "erased": int((frame["audit_status"] == "erased").sum()),
        "unchanged": _short((harmless["token_edit_distance"] == 0).mean()),
        "cut": _short(frame["variant_cut"].mean()),
        "loops": _short(frame["variant_loop"].mean()),
        "tokens": _short(frame["variant_n_tokens"].mean()),
        "silent": _silent(harmless),
        "windows": _windows(harmless),
    }


def _silent(harmless: Any) -> dict[str, Any]:
    """Outputs that say nothing, and the mean of a script that calls two of them equal."""
    base, variant = (harmless[f"{side}_empty"].astype(bool) for side in ("base", "variant"))
    by_prompt = harmless.assign(
        naive=harmless["cosine_distance"].where(~(base & variant), 0.0),
    ).groupby("prompt_id")
    return {
        "prompts": int(by_prompt["base_empty"].first().astype(bool).sum()),
        "both": int((base & variant).sum()),
        "one": int((base ^ variant).sum()),
        "mean_if_equal": _short(by_prompt["naive"].mean().mean()),
    }


def _windows(harmless: Any) -> dict[str, Any]:
    """Means by window, what whole outputs add to the first 64 tokens, and how alike the two order the prompts."""
    from lm_eval_sensitivity.stats.intervals import difference_interval, mean_interval

    by_prompt = harmless.groupby("prompt_id")[list(WINDOWS)].mean()
    first, whole = by_prompt["cosine_distance_64"], by_prompt["cosine_distance"]
    alike = harmless["cosine_distance_64"] == 0
    return {
        **{name: interval_of(mean_interval(by_prompt[name], largest=1.0)) for name in WINDOWS},
        "whole_minus_64": interval_of(difference_interval(whole - first, largest=1.0)),
        "rank_correlation": spearman(first, whole),
        "alike_in_64": int(alike.sum()),
        "alike_in_64_then_apart": int((alike & (harmless["cosine_distance"] > 0)).sum()),
        "part_after_64": int((harmless["first_divergence"] >= 64).sum()),
    }


def _prompt_end(harmless: Any) -> dict[str, Any]:
    """The first token of the unedited prompt, and how it goes with what harmless edits move."""
    columns = ["top1_probability", "margin_min", "js_divergence", "cosine_distance"]
    by_prompt = harmless.groupby("prompt_id")[columns].mean()
    moved = by_prompt["cosine_distance"]
    return {
        "top1_probability": _short(by_prompt["top1_probability"].mean()),
        "top1_flipped": _short(harmless["top1_flipped"].mean()),
        **{f"{name}_with_distance": spearman(by_prompt[name], moved) for name in columns[:-1]},
    }


def _edits(frame: Any) -> dict[str, Any]:
    """[edit] mean distance of every system, and how alike two systems order the edits."""
    harmless = _harmless(frame)
    harmless = harmless[~harmless["name"].isin(SILENT)]
    means = harmless.pivot_table(index=["rung", "edit"], columns="name", values="cosine_distance")
    asked = harmless[harmless["audit_status"] != "erased"]
    still = asked.assign(still=asked["token_edit_distance"] == 0).pivot_table(
        index=["rung", "edit"], columns="name", values="still"
    )
    return {
        "prompts": {edit: int(n) for edit, n in harmless.groupby("edit")["prompt_id"].nunique().items()},
        "means": {edit: _row(row) for (_, edit), row in means.iterrows()},
        "unchanged": {edit: _row(row) for (_, edit), row in still.iterrows()},
        "rank_correlations": {
            f"{first} and {second}": spearman(means[first], means[second])
            for index, first in enumerate(means.columns)
            for second in means.columns[index + 1 :]
        },
        "prompts_rank_correlations": _between(harmless),
    }


def _between(harmless: Any) -> dict[str, list[float]]:
    by_prompt = harmless.pivot_table(index="prompt_id", columns="name", values="cosine_distance")
    return {
        f"{first} and {second}": spearman(by_prompt[first], by_prompt[second])
        for index, first in enumerate(by_prompt.columns)
        for second in by_prompt.columns[index + 1 :]
    }


def _verdicts(loaded: Any, reference: str) -> dict[str, Any]:
    import lm_eval_sensitivity as les

    drift = les.drift(loaded, reference=reference).statement
    return {
        each.system: {
            "label": each.verdict.label,
            "words": each.verdict.in_words,
            "harmless": _short(each.verdict.harmless),
            "harmless_of_the_reference": _short(each.verdict.harmless_reference),
            "control": _short(each.verdict.control),
            "drift": interval_of(each.drift.mean),
        }
        for each in drift.systems
        if each.verdict is not None
    }


def _contrast(each: Any) -> dict[str, Any]:
    return {
        "first": each.first,
        "second": each.second,
        "difference": interval_of(each.difference),
        "p_adjusted": _short(each.p_adjusted),
    }


def spearman(first: ArrayLike, second: ArrayLike) -> list[float]:
    """Rank correlation with a percentile interval over resampled rows (prompts or edits).

    Args:
        first: [row] numbers.
        second: [row] numbers; rows where either is missing are left out.

    Returns:
        Estimate, lower and upper 95 % bound.

    Example:
        >>> spearman([1, 2, 3, 4, 5], [2, 4, 6, 8, 10])[0]
        1.0
    """
    from scipy.stats import rankdata

    both = np.column_stack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)])
    both = both[~np.isnan(both).any(axis=1)]
    drawn = np.random.default_rng(0).integers(0, len(both), (RESAMPLES, len(both)))
    rows = np.concatenate([np.arange(len(both))[None], drawn])  # the estimate is the row without resampling
    first_ranks, second_ranks = (rankdata(both[:, side][rows], axis=-1) for side in (0, 1))
    estimate, *sampled = _correlation(first_ranks, second_ranks)
    return [_short(value) for value in (estimate, *np.nanquantile(sampled, [0.025, 0.975]))]


def _correlation(first: _Floats, second: _Floats) -> _Floats:
    first, second = (each - each.mean(axis=1, keepdims=True) for each in (first, second))
    with np.errstate(invalid="ignore"):  # a resample of one value has no order
        found: _Floats = (first * second).sum(axis=1) / np.sqrt(
            (first**2).sum(axis=1) * (second**2).sum(axis=1)
        )
    return found


def _harmless(frame: Any) -> Any:
    from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

    return frame[frame.rung.isin(MEANING_PRESERVING_RUNGS)]


def _row(row: Any) -> dict[str, float]:
    return {name: _short(value) for name, value in row.items()}


def _short(value: Any) -> float:
    return round(float(value), 4)


def main() -> None:
    """All tables of which the runs are there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, help="folder of the panels")
    parser.add_argument("--output", type=Path, help="also write the figures there, as JSON")
    options = parser.parse_args()
    found = {}
    for limit, names in TABLES.items():
        # A panel has nothing there but whole runs.
        there = {run: name for run, name in names.items() if (options.runs / run).is_dir()}
        if missing := sorted(set(names) - set(there)):
            print(f"{limit}: no run of {', '.join(missing)}", file=sys.stderr)
        if there:
            found[limit] = table_of(options.runs, there)
    say(found, options.output, indent=1)


if __name__ == "__main__":
    main()
