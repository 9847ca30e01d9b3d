"""Real runs of lm_eval as a pairs table, and every text and token number recomputed from the folders alone."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.embedder import load_embedder
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.records.packing import unpack
from lm_eval_sensitivity.runs import Runs, load_runs
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS
from tests.harness.conftest import Lmeval, Run
from tests.unit.runs.made_run import make_run

RUNGS = ("identical", "synonym")
TASKS = {rung: f"prompt_sensitivity_mini_{rung}" for rung in RUNGS}


@dataclass(frozen=True)
class TwoRuns:
    """A reference in float32 and a system in bfloat16 that drifts from it, and their table."""

    reference: Run
    drifting: Run
    pairs: Runs


def with_drift(demo: Path, run_once: Lmeval, **options: Any) -> tuple[Run, Run]:
    """lm_eval runs twice on the demonstration model, in float32 and in bfloat16 beside that."""
    options = {"gen_kwargs": "max_gen_toks=12", "batch_size": 16, **options}
    reference = run_once(demo, **options)
    return reference, run_once(
        f"{demo},dtype=bfloat16", **options, metadata={"reference": str(reference.folder)}
    )


@pytest.fixture(scope="module")
def runs(demo: Path, run_once: Lmeval) -> TwoRuns:
    reference, drifting = with_drift(demo, run_once, tasks=",".join(TASKS.values()))
    return TwoRuns(reference, drifting, load_runs([reference.folder, drifting.folder]))


def table_rows(pairs: Runs) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Rows by system, pair and filter."""
    return {(row["system"], row["pair_id"], row["filter"]): row for row in pairs.table.to_pylist()}


def test_both_systems_and_all_pairs_are_there(runs: TwoRuns) -> None:
    reference, drifting = runs.pairs.systems
    assert (reference.name, drifting.name) == ("model fp32", "model bf16")
    assert reference.ladder_check == drifting.ladder_check == "rows"
    assert not runs.pairs.left_out and not runs.pairs.remarks
    ladder = load_ladder(subset="mini")
    expected = {
        (system.fingerprint, pair.pair_id, filter_name)
        for system in (reference, drifting)
        for rung in RUNGS
        for pair in ladder.rung(rung)
        for filter_name in ("raw", "answer")
    }
    assert set(table_rows(runs.pairs)) == expected


def test_the_means_of_the_table_are_lm_evals(runs: TwoRuns) -> None:
    rows = runs.pairs.table.to_pylist()
    n_compared = 0
    for system, run in zip(runs.pairs.systems, (runs.reference, runs.drifting), strict=True):
        for rung, task in TASKS.items():
            for filter_name in ("raw", "answer"):
                chosen = [
                    row
                    for row in rows
                    if (row["system"], row["rung"], row["filter"]) == (system.fingerprint, rung, filter_name)
                ]
                for name in ("cosine_distance", "token_edit_distance", "js_divergence", "hidden_distance"):
                    stated = run.table(task).get(f"{name},{filter_name}")
                    if stated is None:
                        assert filter_name == "answer" and all(row[name] is None for row in chosen)
                        continue
                    scored = [row[name] for row in chosen if row[name] is not None]
                    assert np.mean(scored) == pytest.approx(stated, rel=1e-9, abs=1e-15)
                    n_compared += 1
                words = run.value(task, "pair", filter_name)
                n_scored = sum(row["cosine_distance"] is not None for row in chosen)
                assert words.startswith(f"{n_scored} of {len(chosen)} pairs scored")
    assert n_compared == 2 * len(RUNGS) * 6
    texts: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["filter"] == "raw" and row["baseline_drift"] is not None:
            of_prompt = texts.setdefault(row["prompt_id"], {"base": row["baseline_drift"]})
            if row["rung"] in MEANING_PRESERVING_RUNGS and row["variant_drift"] is not None:
                of_prompt[row["edit"]] = row["variant_drift"]
    assert max(map(len, texts.values())) > 2
    drift = np.mean([np.mean(list(each.values())) for each in texts.values()])
    for task in TASKS.values():
        assert runs.drifting.value(task, "baseline_drift", "raw") == pytest.approx(drift, rel=1e-9)


def test_text_metrics_follow_from_the_folder_alone(runs: TwoRuns) -> None:
    embedder = load_embedder()

    def distance(a: str, b: str) -> float:
        first, second = (vector.astype(np.float64) for vector in embedder.encode((a, b)))
        return float(1 - first @ second / math.sqrt((first @ first) * (second @ second)))

    rows = table_rows(runs.pairs)
    answers = {
        (row["doc"]["prompt_id"], row["filter"]): row["filtered_resps"][0]
        for samples in runs.reference.samples.values()
        for row in samples
    }
    to_variants = {
        (row["doc"]["pair_id"], row["filter"]): row["filtered_resps"][1]
        for samples in runs.reference.samples.values()
        for row in samples
    }
    n_apart = 0
    for task in TASKS.values():
        for sample in runs.drifting.samples[task]:
            system = runs.pairs.systems[1].fingerprint
            row = rows[system, sample["doc"]["pair_id"], sample["filter"]]
            base, variant = sample["filtered_resps"]
            assert row["cosine_distance"] == pytest.approx(distance(base, variant), abs=1e-6)
            ends = [sample["pair"][side]["view"]["window_ends"]["64"] for side in ("base", "variant")]
            windowed = distance(base[: ends[0]], variant[: ends[1]])
            assert row["cosine_distance_64"] == pytest.approx(windowed, abs=1e-6)
            reference = answers[sample["doc"]["prompt_id"], sample["filter"]]
            assert row["baseline_drift"] == pytest.approx(distance(base, reference), abs=1e-6)
            reference = to_variants[sample["doc"]["pair_id"], sample["filter"]]
            assert row["variant_drift"] == pytest.approx(distance(variant, reference), abs=1e-6)
            assert row["base_n_characters"] == len(base)
            other = rows[system, sample["doc"]["pair_id"], "answer"]
            assert row["base_answer_start"] == other["base_answer_start"] == 0, "no scaffold, no start"
            assert row["base_n_tokens"] == other["base_n_tokens"]
            n_apart += row["cosine_distance"] > 0.01
    assert n_apart > 0, "outputs that are all equal would compare nothing"


def levenshtein(a: list[int], b: list[int]) -> int:
    """The textbook's table, row by row."""
    line = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, line[0] = line[0], i
        for j, y in enumerate(b, start=1):
            diagonal, line[j] = line[j], min(line[j] + 1, line[j - 1] + 1, diagonal + (x != y))
    return line[-1]


def content_ids(side: dict[str, Any]) -> list[int]:
    ids: list[int] = unpack(side["token_ids"]).tolist()
    return ids[:-1] if side["finish_reason"] == "end_token" else ids


def test_token_metrics_follow_from_the_folder_alone(runs: TwoRuns) -> None:
    rows = table_rows(runs.pairs)
    n_apart = 0
    for system, run in zip(runs.pairs.systems, (runs.reference, runs.drifting), strict=True):
        for task in TASKS.values():
            samples = {(row["doc"]["pair_id"], row["filter"]): row["pair"] for row in run.samples[task]}
            for (pair_id, filter_name), record in samples.items():
                row = rows[system.fingerprint, pair_id, filter_name]
                sides = []
                for side in ("base", "variant"):
                    ids = content_ids(samples[pair_id, "raw"][side])
                    view = record[side]["view"]
                    sides.append(
                        ids if filter_name == "raw" else ids[view["token_start"] : view["token_end"]]
                    )
                    assert row[f"{side}_n_tokens"] == len(sides[-1])
                    assert row[f"{side}_cut"] == (samples[pair_id, "raw"][side]["finish_reason"] == "length")
                a, b = sides
                assert row["token_edit_distance"] == pytest.approx(levenshtein(a, b) / max(len(a), len(b)))
                parted = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
                if parted is not None:
                    assert row["first_divergence"] == parted
                    n_apart += 1
    assert n_apart > 0


def test_an_engine_that_returns_text_only_loads(run_once: Lmeval) -> None:
    run = run_once(
        "unused", tasks=TASKS["synonym"], model="dummy", model_args="x=1", apply_chat_template=None
    )
    pairs = load_runs([run.folder])
    rows = pairs.table.to_pylist()
    assert rows and all(row["cosine_distance"] == 0 and row["token_edit_distance"] is None for row in rows)
    assert all(row["missing_first_divergence"].startswith("not given") for row in rows)
    assert {row["audit_status"] for row in rows} == {"unknown"}
    assert all(row["base_n_tokens"] is None and row["base_n_characters"] > 0 for row in rows)


def test_made_runs_have_the_form_of_real_ones(runs: TwoRuns, tmp_path: Path) -> None:
    """The unit tests stand on made runs; every field of a real row that is read is in them, and of its kind."""
    made = make_run(tmp_path / "made", drift_from="a" * 16)
    for rung, task in TASKS.items():
        lines = made.samples[rung].read_text(encoding="utf-8").splitlines()
        for row, real in zip(map(json.loads, (lines[0], lines[-1])), (0, -1), strict=True):
            ours, theirs = kinds(row), kinds(runs.drifting.samples[task][real])
            not_read = {name for name in theirs if name.split(".")[0] in UNREAD}
            assert set(theirs) - not_read == set(ours)
    results = json.loads(made.results.read_text(encoding="utf-8"))
    tables = {task: runs.drifting.table(task) for task in TASKS.values()}
    for part in ("configs", "results", "n-samples", "config"):
        real = tables if part == "results" else runs.drifting.results[part]
        ours, theirs = kinds(results[part]), kinds(real)
        # The demonstration model erases no edit; its counts of pairs by audit status have other names.
        assert {name for name in ours if ".audit." not in name} <= set(theirs), part


UNREAD = ("arguments", "target", "target_hash", "doc_hash", "prompt_hash", "noise", "verdict", "window")
"""Fields of a line that nothing here looks at."""


def kinds(value: Any, name: str = "") -> dict[str, str]:
    """Type of every nested field by its dotted name; lists count by their kind only."""
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= kinds(inner, f"{name}.{key}" if name else key)
        return found
    return {name: type(value).__name__}
