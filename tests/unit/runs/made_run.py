"""Run folders as lm_eval leaves them, made without a model: true in form and in themselves, invented in content.

`tests/harness/test_pairs_table.py` holds the form against a real run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.ladder import Ladder, load_ladder
from lm_eval_sensitivity.ladder.schema import rows_from_pairs
from lm_eval_sensitivity.metrics import edit_distance_curve, first_divergence, token_edit_distance
from lm_eval_sensitivity.metrics.text_edit_distance import text_edit_distance
from lm_eval_sensitivity.records.packing import pack

DATE = "2026-08-01T10-00-00.000001"
WINDOWS = (64, 128, 256, 512)
ERASED = "erased: the edit does not reach the token ids"
PER_PROMPT = ("baseline_drift", "output_spread")
UNCLOSED = "unclosed: the scaffold of the variant never ends, there is no answer"
IDENTITY: dict[str, Any] = {
    "engine": "HFLM",
    "weights": "7" * 64,
    "dtype": "bfloat16",
    "quantization": None,
    "device": "cuda",
    "prompt": {"chat_template_applied": True, "system_instruction": None, "rendered_probe": "<u>probe<a>"},
}

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class MadeRun:
    """A run folder and its files."""

    folder: Path
    results: Path
    samples: dict[str, Path]
    """By rung."""

    def edit_results(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the results file by hand."""
        content = json.loads(self.results.read_text(encoding="utf-8"))
        change(content)
        self.results.write_text(json.dumps(content), encoding="utf-8")

    def edit_rows(self, rung: str, change: Callable[[Rows], object]) -> None:
        """Change the rows of a samples file by hand; a returned list replaces them."""
        rows = [json.loads(line) for line in self.samples[rung].read_text(encoding="utf-8").splitlines()]
        changed = change(rows)
        write_rows(self.samples[rung], changed if isinstance(changed, list) else rows)


@lru_cache(maxsize=1)
def mini_ladder() -> Ladder:
    return load_ladder(subset="mini")


def write_rows(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_run(
    folder: Path,
    *,
    rungs: Sequence[str] = ("identical", "synonym"),
    model: str = "org/Model-4B",
    identity: dict[str, Any] | None = None,
    ladder: Ladder | None = None,
    date: str = DATE,
    limit: int | None = None,
    max_gen_toks: int = 12,
    drift_from: str | None = None,
    seed: int = 0,
    n_more_tokens: int = 0,
) -> MadeRun:
    """Write the results and samples of one run; `n_more_tokens` makes every output longer."""
    ladder = ladder or mini_ladder()
    decoding = {"max_gen_toks": max_gen_toks, "until": [], "greedy": True}
    identity = {**IDENTITY, "decoding": decoding, **(identity or {})}
    system = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    home = folder / model.replace("/", "__")
    home.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "results": {},
        "configs": {},
        "n-samples": {},
        "config": {"model": "hf", "model_args": {"pretrained": model}, "limit": limit},
    }
    samples = {}
    for rung in rungs:
        task = f"prompt_sensitivity_{ladder.subset}_{rung}"
        docs = rows_from_pairs(ladder.rung(rung))
        records = [
            _row(index, doc, filter_name, system, ladder, drift_from, seed, n_more_tokens)
            for filter_name in ("raw", "answer")
            for index, doc in enumerate(docs[:limit])
        ]
        samples[rung] = home / f"samples_{task}_{date}.jsonl"
        write_rows(samples[rung], records)
        raw = [row for row in records if row["filter"] == "raw"]
        results["n-samples"][task] = {"original": len(docs), "effective": len(raw)}
        results["results"][task] = {"alias": task, **_means(records)}
        results["configs"][task] = {
            "task": task,
            "dataset_kwargs": {"rung": rung, "subset": ladder.subset},
            "metadata": {
                "sensitivity": {
                    "package_version": __version__,
                    "system": system,
                    "identity": identity,
                    "notes": {"model": model, "revision": "main", "peft": None, "delta": None},
                    "ladder": {
                        "name": ladder.name,
                        "subset": ladder.subset,
                        "version": ladder.version,
                        "hash": ladder.content_hash,
                    },
                    "audit": dict(Counter(row["pair"]["audit"]["status"] for row in raw)),
                    "decoding_requested": decoding,
                    "decoding": decoding,
                    "embedder": {"name": "an/embedder", "weights_sha256": "e" * 64, "max_tokens": 256},
                    "reference": None if drift_from is None else {"folder": "runs/r", "system": drift_from},
                }
            },
        }
    path = home / f"results_{date}.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    return MadeRun(folder, path, samples)


def _row(
    index: int,
    doc: dict[str, Any],
    filter_name: str,
    system: str,
    ladder: Ladder,
    drift_from: str | None,
    seed: int,
    n_more_tokens: int,
) -> dict[str, Any]:
    """Pair 1 of an edited rung is erased, the answer of pair 2 is missing, the rest is scored."""
    raw, edited = filter_name == "raw", doc["rung"] != "identical"
    erased = edited and index == 1
    unclosed = edited and index == 2
    more = [1 + (index + step) % 9 for step in range(n_more_tokens)]
    base = [5, 6, 7, 8 + index % 3, *more]
    variant = base if erased or not edited else [5, 9, *base[2:], seed + index]
    texts = [" ".join(map(str, ids)) for ids in (base, variant)]
    has_view = raw or not unclosed
    reason = ERASED if erased else UNCLOSED if not has_view else None
    distance = 0.0 if base == variant else (index % 7 + 1) / 10 + seed / 1000
    scores = dict.fromkeys(("cosine_distance", *(f"cosine_distance_{w}" for w in WINDOWS)), distance)
    scores |= {
        "text_edit_distance": text_edit_distance(*texts),
        "token_edit_distance": token_edit_distance(base, variant),
        "length_change": abs(len(base) - len(variant)) / max(len(base), len(variant)),
    }
    if raw:
        scores |= {"js_divergence": distance / 10, "hidden_distance": distance / 5}
    missing = dict.fromkeys(scores, reason) if reason else {}
    numbers: dict[str, float | None] = {name: None if reason else value for name, value in scores.items()}
    of_prompt = int(hashlib.sha256(doc["prompt_id"].encode()).hexdigest()[:2], 16) / 300
    numbers |= {"baseline_drift": of_prompt, "variant_drift": of_prompt} if drift_from is not None else {}
    numbers["output_spread"] = of_prompt / 2
    reported = {
        name: math.nan if value is None else value
        for name, value in numbers.items()
        if not name.startswith("cosine_distance_") and name not in ("length_change", "variant_drift")
    }
    parted = first_divergence(base, variant, cut=(True, True))
    status = "erased" if erased else "survived" if edited else "identical"
    sides = {}
    for side, ids in (("base", base), ("variant", variant)):
        view: dict[str, Any] = {"window_ends": {str(w): 3 for w in WINDOWS}}
        if not raw:
            view |= {"token_start": 0, "token_end": len(ids)}
        sides[side] = {"finite": True, "view": view if has_view or side == "base" else None}
        if raw:
            unclosed_side = unclosed and side == "variant"
            sides[side] |= _whole_output(ids, unclosed=unclosed_side)
    record = {
        "system": system,
        "ladder": ladder.content_hash[:16],
        "schema_version": 1,
        "audit": {
            "status": status,
            "first_difference": 3 if status == "survived" else None,
            "length_change": 0,
            "inside_user_text": True if status == "survived" else None,
        },
        "missing": missing,
        "token_path": {
            "first_divergence": parted.step,
            "censored": parted.censored,
            "curve": pack(edit_distance_curve(base, variant), "<i4"),
        }
        if has_view
        else None,
        **sides,
        "scores": numbers,
    }
    if status == "identical":
        record["repetitions"] = []
    if raw:
        record |= _prompt_end_and_margins(distance)
    shown = texts if has_view else [texts[0], ""]
    return {
        "doc_id": index,
        "doc": doc,
        "resps": [[text] for text in texts],
        "filtered_resps": shown,
        "filter": filter_name,
        "metrics": [*reported, "pair"],
        **reported,
        "pair": record,
    }


def _whole_output(ids: list[int], *, unclosed: bool) -> dict[str, Any]:
    return {
        "answer": {
            "status": "unclosed" if unclosed else "none",
            "scaffold": None,
            "start": 0,
            "end": _token_ends(ids)[-1],
        },
        "collapse": {"empty": False, "loop": False, "cut": False, "unclosed": unclosed},
        "finish_reason": "end_token",
        "n_tokens": len(ids) + 1,
        "prompt_token_ids": pack([1, 2, 3], "<i4"),
        "token_ids": pack([*ids, 2], "<i4"),
        "token_ends": pack([*_token_ends(ids), _token_ends(ids)[-1]], "<i4"),
        "margins": pack([1.0] * (len(ids) + 1), "<f4"),
        "top1_log_probabilities": pack([-0.5] * (len(ids) + 1), "<f4"),
        "entropies": pack([0.5] * (len(ids) + 1), "<f4"),
        "prompt_end_top_ids": pack([5], "<i4"),
        "prompt_end_top_log_probabilities": pack([-0.5], "<f4"),
    }


def _token_ends(ids: list[int]) -> list[int]:
    """Characters of the output up to and with each token; the tokens are numbers with a space before all but one."""
    return [end - 1 for end in accumulate(len(f" {token}") for token in ids)]


def _prompt_end_and_margins(distance: float) -> dict[str, Any]:
    margins = {
        "margin_min": 1.0,
        "margin_min_step": 0,
        "margin_median": 1.0,
        "n_steps": 5,
        "n_tied": 0,
        "low_margin_density": [0.0, 0.0, 0.0],
    }
    return {
        "prompt_end": {
            "kl_forward": distance / 2,
            "kl_backward": None,
            "js_divergence": distance / 10,
            "top1_id_base": 5,
            "top1_id_variant": 5,
            "top1_probability_base": 0.6,
            "top1_probability_variant": 0.5,
            "flipped": False,
            "flip_floor_nats": 0.1,
        },
        "margins": {"base": margins, "variant": margins, "at_divergence": {"base": 1.0, "variant": None}},
        "prompt_end_hidden_distance": distance / 3,
    }


def _means(rows: Rows) -> dict[str, Any]:
    """lm_eval's table, by a second way: plain lists, what belongs to a prompt once for each."""
    means: dict[str, Any] = {}
    for filter_name in ("raw", "answer"):
        chosen = [row for row in rows if row["filter"] == filter_name]
        for name in (each for each in chosen[0]["metrics"] if each != "pair"):
            keys = [row["doc"]["prompt_id" if name in PER_PROMPT else "pair_id"] for row in chosen]
            values = dict(zip(keys, (row[name] for row in chosen), strict=True))
            scored = [value for value in values.values() if not math.isnan(value)]
            means[f"{name},{filter_name}"] = sum(scored) / len(scored) if scored else math.nan
        missing = [row["pair"]["missing"].get("cosine_distance") for row in chosen]
        kinds = Counter(reason.split(":")[0] for reason in missing if reason)
        words = [f"{len(chosen) - kinds.total()} of {len(chosen)} pairs scored"]
        means[f"pair,{filter_name}"] = ", ".join(
            [
                *words,
                *(
                    f"{n} of {len(chosen)} pairs erased" if kind == "erased" else f"{n} {kind}"
                    for kind, n in sorted(kinds.items())
                ),
            ]
        )
    return means
