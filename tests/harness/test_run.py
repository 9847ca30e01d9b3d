"""One real run of the demonstration model: what stands in the table, the results and the samples."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.embedder import TextDistances, load_embedder
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.records.packing import unpack
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS
from tests.harness.conftest import Run, ids
from tests.harness.noise_by_hand import noise_by_hand

WORDS = ("noise", "pair", "verdict", "window")
"""Rows of lm_eval's table that are no numbers."""
TASKS = [f"prompt_sensitivity_mini_{rung}" for rung in RUNGS]


def test_every_rung_is_a_task_and_every_pair_a_row(demo_run: Run) -> None:
    ladder = load_ladder(subset="mini")
    assert set(demo_run.samples) == set(TASKS)
    for rung, task in zip(RUNGS, TASKS, strict=True):
        for filter_name in ("raw", "answer"):
            rows = demo_run.rows(task, filter_name)
            assert [row["doc"]["pair_id"] for row in rows] == [pair.pair_id for pair in ladder.rung(rung)]


def test_the_identical_rung_is_within_float_noise(demo_run: Run) -> None:
    for row in demo_run.rows("prompt_sensitivity_mini_identical"):
        assert row["pair"]["audit"]["status"] == "identical"
        assert row["arguments"]["gen_args_1"]["arg_2"] == 1, "the second run must be a replicate"
        assert row["js_divergence"] < 1e-6


def test_the_positive_control_is_far_above_the_identical_rung(demo_run: Run) -> None:
    control = demo_run.value("prompt_sensitivity_mini_positive_control", "cosine_distance")
    identical = demo_run.value("prompt_sensitivity_mini_identical", "cosine_distance")
    assert control > 0.3
    assert control > identical + 0.25


def test_the_demo_model_is_honestly_sensitive(demo_run: Run) -> None:
    """Some harmless edits move its output, some do not."""
    moved = [
        row["token_edit_distance"] > 0
        for rung in MEANING_PRESERVING_RUNGS
        for row in demo_run.rows(f"prompt_sensitivity_mini_{rung}")
        if not math.isnan(row["token_edit_distance"])
    ]
    assert 0.1 < sum(moved) / len(moved) < 0.98


def test_the_group_averages_its_four_rungs_equally(demo_run: Run) -> None:
    group = "prompt_sensitivity_mini_meaning_preserving"
    rungs = [f"prompt_sensitivity_mini_{rung}" for rung in MEANING_PRESERVING_RUNGS]
    expected = np.mean([demo_run.value(task, "cosine_distance", "answer") for task in rungs])
    assert demo_run.value(group, "cosine_distance", "answer") == pytest.approx(expected)
    ungrouped = demo_run.results["results"]["prompt_sensitivity_mini"]
    assert not [key for key in ungrouped if "," in key], "no number may stand for the whole ladder"


def test_nothing_is_called_better(demo_run: Run) -> None:
    for task in TASKS:
        assert set(demo_run.results["higher_is_better"][task].values()) == {None}


def test_means_are_over_scored_pairs_and_the_pairs_are_counted_in_words(demo_run: Run) -> None:
    for task in TASKS:
        rows = demo_run.rows(task)
        scored = [r["cosine_distance"] for r in rows if not math.isnan(r["cosine_distance"])]
        by_prompt: dict[str, list[float]] = {}
        for row in rows:
            by_prompt.setdefault(row["doc"]["prompt_id"], []).append(row["cosine_distance"])
        means = [np.nanmean(values) for values in by_prompt.values() if not np.isnan(values).all()]
        assert demo_run.value(task, "cosine_distance") == pytest.approx(np.mean(means))
        words = f"{len(scored)} of {len(rows)} pairs scored"
        erased = sum(row["pair"]["audit"]["status"] == "erased" for row in rows)
        assert len(scored) + erased == len(rows)
        words += f", {erased} of {len(rows)} pairs erased" if erased else ""
        assert demo_run.value(task, "pair") == words


def test_the_table_says_what_could_fake_its_numbers(demo_run: Run) -> None:
    for task in TASKS:
        for filter_name in ("raw", "answer"):
            assert demo_run.value(task, "verdict", filter_name) == "alive"
            assert demo_run.value(task, "noise", filter_name) == noise_by_hand(demo_run, task, filter_name)
        assert demo_run.value(task, "window") == "no scaffold dominates"
    group = demo_run.results["results"]["prompt_sensitivity_mini_meaning_preserving"]
    assert not {key.split(",")[0] for key in group} & set(WORDS)


def test_a_missing_number_has_a_reason_and_a_present_one_has_none(demo_run: Run) -> None:
    for task in TASKS:
        for row in demo_run.samples[task]:
            numbers = {name: row[name] for name in row["metrics"] if name not in WORDS}
            for name, value in numbers.items():
                assert math.isnan(value) == (name in row["pair"]["missing"]), (row["doc"]["pair_id"], name)


def test_erased_pairs_are_excluded_from_every_distance(demo_run: Run) -> None:
    statuses: Counter[str] = Counter()
    for task in TASKS[1:]:
        for row in demo_run.rows(task):
            same = ids(row, "base", "prompt_token_ids") == ids(row, "variant", "prompt_token_ids")
            assert row["pair"]["audit"]["status"] == ("erased" if same else "survived")
            statuses[row["pair"]["audit"]["status"]] += 1
            if same:
                of_pair = set(row["metrics"]) - {*WORDS, "output_spread"}
                assert all(math.isnan(row[name]) for name in of_pair)
    assert statuses["survived"] > 0
    for task in TASKS[1:]:
        counted = demo_run.results["configs"][task]["metadata"]["sensitivity"]["audit"]
        assert sum(counted.values()) == len(demo_run.rows(task))


def test_spread_is_the_mean_distance_from_the_outputs_to_other_prompts(demo_run: Run) -> None:
    distances, task = TextDistances(load_embedder), TASKS[1]
    for filter_name in ("raw", "answer"):
        rows = demo_run.rows(task, filter_name)
        texts = {row["doc"]["prompt_id"]: row["filtered_resps"][0] for row in rows}
        for row in rows:
            own = row["doc"]["prompt_id"]
            others = [distances.distance(texts[own], text) for name, text in texts.items() if name != own]
            assert row["output_spread"] == pytest.approx(np.mean(others), abs=1e-6)
        by_prompt = {row["doc"]["prompt_id"]: row["output_spread"] for row in rows}
        mean = demo_run.value(task, "output_spread", filter_name)
        assert mean == pytest.approx(np.mean(list(by_prompt.values())))


def test_the_run_folder_alone_is_enough_to_recompute_the_distances(demo_run: Run) -> None:
    distances = TextDistances(load_embedder)
    for task in TASKS:
        for row in demo_run.samples[task]:
            if row["pair"]["missing"]:
                continue
            base, variant = row["filtered_resps"]
            assert row["cosine_distance"] == pytest.approx(distances.distance(base, variant), abs=1e-6)
            for window in ("64", "128", "256", "512"):
                cut = [
                    text[: row["pair"][side]["view"]["window_ends"][window]]
                    for side, text in (("base", base), ("variant", variant))
                ]
                recorded = row["pair"]["scores"][f"cosine_distance_{window}"]
                assert recorded == pytest.approx(distances.distance(*cut), abs=1e-6)


def test_the_token_path_equals_one_levenshtein_distance_per_prefix(demo_run: Run) -> None:
    from rapidfuzz.distance import Levenshtein

    rows = [row for task in TASKS for row in demo_run.rows(task)]
    for row in rows[::7]:
        base, variant = said(row, "base"), said(row, "variant")
        longest = max(len(base), len(variant))
        expected = [Levenshtein.distance(base[:t], variant[:t]) for t in range(1, longest + 1)]
        assert unpack(row["pair"]["token_path"]["curve"]).tolist() == expected
        if row["pair"]["audit"]["status"] != "erased":
            assert row["token_edit_distance"] == pytest.approx(expected[-1] / longest)


def said(row: dict[str, Any], side: str) -> list[Any]:
    """The generated ids without the end token."""
    ended = row["pair"][side]["finish_reason"] == "end_token"
    return ids(row, side)[:-1] if ended else ids(row, side)


def test_the_leading_next_tokens_are_kept(demo_run: Run) -> None:
    for row in demo_run.rows("prompt_sensitivity_mini_synonym"):
        top = ids(row, "base", "prompt_end_top_ids")
        log_probabilities = ids(row, "base", "prompt_end_top_log_probabilities")
        assert top[0] == ids(row, "base")[0]
        assert log_probabilities == sorted(log_probabilities, reverse=True)
        assert log_probabilities[0] == pytest.approx(ids(row, "base", "top1_log_probabilities")[0], abs=1e-5)
        assert sum(np.exp(log_probabilities)) <= 1 + 1e-5


def test_traces_in_the_samples_are_complete(demo_run: Run) -> None:
    for row in demo_run.rows("prompt_sensitivity_mini_noop"):
        for side in ("base", "variant"):
            record = row["pair"][side]
            n_steps = record["n_tokens"]
            assert n_steps == len(ids(row, side)) > 0
            for name in ("margins", "top1_log_probabilities", "entropies"):
                values = np.asarray(ids(row, side, name))
                assert len(values) == n_steps
                assert np.isfinite(values).all()
            assert record["finish_reason"] in ("end_token", "length")
            assert record["answer"]["status"] == "none"


def test_margins_point_to_the_step_where_the_paths_part(demo_run: Run) -> None:
    checked = 0
    for row in demo_run.rows("prompt_sensitivity_mini_noop"):
        step = row["pair"]["token_path"]["first_divergence"]
        if step is None:
            continue
        checked += 1
        assert ids(row, "base")[:step] == ids(row, "variant")[:step]
        assert said(row, "base")[step : step + 1] != said(row, "variant")[step : step + 1]
        assert row["pair"]["margins"]["at_divergence"]["base"] == pytest.approx(
            ids(row, "base", "margins")[step]
        )
    assert checked > 0


def test_the_results_say_which_system_ladder_and_embedder(demo_run: Run) -> None:
    summaries: list[dict[str, Any]] = [
        demo_run.results["configs"][task]["metadata"]["sensitivity"] for task in TASKS
    ]
    assert len({summary["system"] for summary in summaries}) == 1
    summary = summaries[0]
    assert summary["identity"]["prompt"]["chat_template_applied"] is True
    assert summary["identity"]["dtype"] == "float32"
    assert summary["embedder"]["weights_sha256"].startswith("53aa5117")
    assert summary["ladder"]["hash"] == load_ladder(subset="mini").content_hash
    assert summary["decoding"]["max_gen_toks"] == 96
    row = demo_run.rows(TASKS[0])[0]
    assert row["pair"]["system"] == summary["system"]
