"""The summary of a system against plain loops over its rows."""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.harness.close.finished_run import OWN
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.summary import summary_statement
from lm_eval_sensitivity.stats.power import detectable_effect
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS
from tests.harness.made_pairs import LEVELS, answer, missing, pairs, raw, run, with_tokens

HARMLESS = {"noop": ("tab", "nbsp"), "punctuation": ("em_dash",), "synonym": ("synonym_1",)}


def made(n_prompts: int, seed: int) -> list[dict[str, Any]]:
    """One row per prompt and edit, some without a distance."""
    random = np.random.default_rng(seed)
    edits = {"identical": ("identical",), **HARMLESS, "positive_control": ("control_topic",)}
    return [
        {
            "prompt_id": f"p{prompt}",
            "rung": rung,
            "edit": edit,
            "cosine_distance": None if random.random() < 0.1 else float(random.random()),
        }
        for prompt in range(n_prompts)
        for rung, names in edits.items()
        for edit in names
    ]


def partition(rows: list[dict[str, Any]]) -> TablePartition:
    one = pairs(LEVELS)[0]
    keyed = [{**row, "pair_id": f"{row['prompt_id']}/{row['edit']}"} for row in rows]
    return run([answer(raw(one, **row), **row) for row in keyed]).partition


@pytest.mark.parametrize("seed", range(4))
def test_against_plain_loops(seed: int) -> None:
    rows = made(12, seed)
    found = summary_statement(partition(rows), OWN)
    harmless = [row for row in rows if row["rung"] in HARMLESS and row["cosine_distance"] is not None]

    worst = max(harmless, key=lambda row: row["cosine_distance"])
    assert found.worst_pair is not None and found.worst_edit is not None
    assert found.worst_pair.distance == worst["cosine_distance"]
    assert found.worst_pair.name == f"{worst['prompt_id']}/{worst['edit']}"

    by_edit = {
        edit: [row["cosine_distance"] for row in harmless if row["edit"] == edit]
        for edit in {row["edit"] for row in harmless}
    }
    edit = max(by_edit, key=lambda name: mean(by_edit[name]))
    assert (found.worst_edit.name, found.worst_edit.n_prompts) == (edit, len(by_edit[edit]))
    assert math.isclose(found.worst_edit.distance, mean(by_edit[edit]))

    for rung, mean_of_rung in found.rungs:
        by_prompt: dict[str, list[float]] = {}
        for row in harmless:
            if row["rung"] == rung:
                by_prompt.setdefault(row["prompt_id"], []).append(row["cosine_distance"])
        assert math.isclose(mean_of_rung.mean.estimate, mean(mean(each) for each in by_prompt.values()))
    assert [rung for rung, _ in found.rungs] == [*HARMLESS]

    prompts: dict[str, dict[str, list[float]]] = {}
    for row in harmless:
        prompts.setdefault(row["prompt_id"], {}).setdefault(row["rung"], []).append(row["cosine_distance"])
    of_prompts = [mean(mean(each) for each in rungs.values()) for rungs in prompts.values()]
    assert math.isclose(
        found.detectable, detectable_effect(len(of_prompts)) * math.sqrt(2) * stdev(of_prompts), rel_tol=1e-12
    )
    lost = sum(row["cosine_distance"] is None for row in rows)
    assert (found.coverage.n_pairs, found.coverage.n_prompts) == (len(rows), 12)
    assert len(rows) - lost == int(
        np.isfinite([math.nan if row["cosine_distance"] is None else 1.0 for row in rows]).sum()
    )


def test_kinds_of_missing_pairs_are_counted_and_none_is_a_distance() -> None:
    of = pairs(LEVELS)
    of[9:12] = [missing(pair, "erased: unseen", status="erased") for pair in of[9:12]]
    of[20] = missing(of[20], "unreadable: why")
    found = run(of).summary("answer").coverage
    assert found.missing == (("erased", 3), ("unreadable", 1))
    assert found.erased == (("noop_edit", 3, 9),) and found.n_scored == 59


def test_an_edit_of_few_prompts_is_not_called_the_worst() -> None:
    of = [
        pair for pair in pairs(LEVELS) if pair.raw["rung"] != "noop" or pair.raw["prompt_id"] in ("p0", "p1")
    ]
    of = [answer(pair, cosine_distance=0.9) if pair.raw["rung"] == "noop" else pair for pair in of]
    found = run(of).summary("answer")
    assert found.worst_edit is not None and found.worst_edit.name != "noop_edit"
    assert found.worst_pair is not None and found.worst_pair.name == "p0/noop_edit"


def test_few_prompts_plan_nothing_and_equal_ones_have_no_spread() -> None:
    assert math.isnan(run(pairs(LEVELS, 4)).summary("answer").detectable)
    assert run(pairs(LEVELS, 9)).summary("answer").detectable == 0
    assert run(pairs(LEVELS, 4)).summary("answer").judged is None


def test_a_system_alone_is_judged_alone_and_windows_end_with_the_longest_output() -> None:
    found = run([with_tokens(pair, 40, 60) for pair in pairs(LEVELS)]).summary("answer")
    assert found.judged is not None and found.judged.label == "alive"
    assert found.coverage.dominated == (None,), "no window is longer than 60 tokens"
    assert [rung for rung, _ in found.rungs] == [
        rung for rung in RUNGS if rung in (*MEANING_PRESERVING_RUNGS, "semantic_change")
    ]
