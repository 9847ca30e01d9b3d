"""Runs from memory: what `simple_evaluate` returns is what the command line would have written."""

from __future__ import annotations

from pathlib import Path

import lm_eval
import pytest

import lm_eval_sensitivity as les
from lm_eval_sensitivity.errors import InputError

TASKS = ["prompt_sensitivity_mini_identical", "prompt_sensitivity_mini_synonym"]


def test_results_in_memory_are_runs(model: Path) -> None:
    results = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(model)},
        tasks=TASKS,
        device="cpu",
        limit=3,
        gen_kwargs="max_gen_toks=4",
        log_samples=True,
    )
    loaded = les.from_results(results)
    rows = [row for row in loaded.pairs(text=True).to_pylist() if row["filter"] == "raw"]
    assert len(rows) == 6
    samples = [row for task in TASKS for row in results["samples"][task] if row["filter"] == "raw"]
    by_pair = {row["doc"]["pair_id"]: row for row in samples}
    for row in rows:
        sample = by_pair[row["pair_id"]]
        assert [row["base_output"], row["variant_output"]] == [str(text) for text in sample["filtered_resps"]]
        assert row["cosine_distance"] == pytest.approx(sample["cosine_distance"], nan_ok=True)
    assert les.clusters(loaded, filter="raw", rungs="synonym", resamples=199).to_frame()["prompts"][0] <= 3
    without = {name: value for name, value in results.items() if name != "samples"}
    for given in (None, without):
        with pytest.raises(InputError, match="log_samples=True"):
            les.from_results(given)
