"""What finished runs of a model and its rounded copies say, by subset of the ladder: the second part of the page.

The runs are made by lm_eval, with the same settings for all systems:

    lm-eval-sensitivity round models/smollm2-135m-it models --bits 8,4
    lm_eval --tasks prompt_sensitivity --model hf --model_args pretrained=models/smollm2-135m-it,dtype=float32 \\
            --device cpu --batch_size 32 --apply_chat_template --gen_kwargs max_gen_toks=96 --log_samples \\
            --output_path runs/spread/smollm2-135m-it
    ...                                # the copies with --metadata '{"reference": "runs/spread/smollm2-135m-it"}'
    python -m benchmarks.real_runs runs --output benchmarks/real_runs.json

`prompt_sensitivity` runs `spread`, `prompt_sensitivity_core` the subset `core`, which goes to runs/core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measuring import say

SUBSETS = ("core", "spread")
NAMES = {
    "smollm2-135m-it": "SmolLM2-135M-Instruct",
    "smollm2-135m-it-8bit": "8 bits",
    "smollm2-135m-it-4bit": "4 bits",
}
REFERENCE = NAMES["smollm2-135m-it"]


def of_runs(folders: Mapping[str, Path], reference: str) -> dict[str, Any]:
    """Means, differences from the reference, verdicts and variance components of the runs of one subset.

    Args:
        folders: name of a system to the folder of its run.
        reference: name of the system that the others are held against.
    """
    import lm_eval_sensitivity as les

    paths = [str(path) for path in folders.values()]
    options: dict[str, Any] = {"labels": {str(path): name for name, path in folders.items()}}
    clusters = les.clusters(paths, **options).statement
    frame = les.load(paths, **options).to_pandas()
    verdicts = {}
    if len(folders) > 1:
        drift = les.drift(paths, reference=str(folders[reference]), **options).statement
        verdicts = {each.system: each.verdict for each in drift.systems}
    systems = []
    rows = {row.system: row for row in clusters.systems}
    for name in folders:
        row = rows[name]
        found: dict[str, Any] = {
            "system": name,
            "mean": interval_of(row.mean),
            "noise": interval_of(row.noise),
            "n_pairs": row.counts.n_pairs,
            "letters": list(row.letters),
            "components": components(frame, name, None),
        }
        if name != reference:
            found |= {
                **_difference(clusters.contrasts, name, reference),
                "verdict": _verdict(verdicts[name]),
                "components_of_difference": components(frame, name, reference),
            }
        systems.append(found)
    return {
        "prompts": clusters.systems[0].mean.n,
        "generations": _generations(folders[reference]),
        "family": len(clusters.contrasts),
        "systems": systems,
    }


def _difference(contrasts: Iterable[Any], system: str, reference: str) -> dict[str, Any]:
    """A contrast as the system minus the reference, whichever of them stands first."""
    contrast = next(each for each in contrasts if {each.first, each.second} == {system, reference})
    sign = 1 if contrast.first == system else -1
    bounds = sorted([sign * contrast.difference.lower, sign * contrast.difference.upper])
    return {
        "difference": _rounded([sign * contrast.difference.estimate, *bounds]),
        "p_adjusted": round(contrast.p_adjusted, 5),
    }


def _verdict(verdict: Any) -> dict[str, Any]:
    means = (verdict.control, verdict.control_reference, verdict.harmless, verdict.harmless_reference)
    return {
        "label": verdict.label,
        "words": verdict.in_words,
        "means": _rounded(means),
        "contrasts": {each.formula: interval_of(each.bounds) for each in verdict.contrasts},
    }


def components(frame: Any, system: str, minus: str | None) -> dict[str, float]:
    """Variance of harmless edits' distances between and within prompts, one way, and its share between."""
    from lm_eval_sensitivity.stats.design import variance_components
    from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

    wanted = frame[(frame["filter"] == "answer") & frame.rung.isin(MEANING_PRESERVING_RUNGS)]
    values = wanted.pivot_table(index=["prompt_id", "rung", "edit"], columns="name", values="cosine_distance")
    column = (values[system] - values[minus] if minus else values[system]).dropna()
    found = variance_components(column.unstack(["rung", "edit"]))
    return {
        "between": round(found.between, 4),
        "within": round(found.within, 4),
        "correlation": round(found.correlation, 2),
        "zeros": round(float((column == 0).mean()), 3),
    }


def interval_of(interval: Any) -> list[float]:
    """Estimate, lower and upper bound, to four digits."""
    return _rounded([interval.estimate, interval.lower, interval.upper])


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 4) for value in values]


def _generations(path: Path) -> int:
    """Different prompts and repetitions that a system was asked for."""
    asked = set()
    for file in path.rglob("samples_*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            for request in json.loads(line)["arguments"].values():
                asked.add((request["arg_0"], request.get("arg_2")))
    return len(asked)


def main() -> None:
    """All subsets that were run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, help="folder of core/ and spread/")
    parser.add_argument("--output", type=Path, help="also write the figures there, as JSON")
    options = parser.parse_args()
    found = {
        subset: of_runs({name: options.runs / subset / key for key, name in NAMES.items()}, REFERENCE)
        for subset in SUBSETS
        if (options.runs / subset).is_dir()
    }
    say(found, options.output, indent=1)


if __name__ == "__main__":
    main()
