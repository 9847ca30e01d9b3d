"""Trap: an edit that is erased on its way to the model.

Many chat templates trim the message they are given, and some tokenizers have turn markers that swallow the
white space beside them. A space or a line break at the edge of a prompt then never reaches the model: it
gets the same ids twice and gives the same output twice.

Who falls for it: a probe that compares outputs only. It finds a distance of exactly 0.00 under these edits,
calls the model robust to them, and its mean over all edits is pulled down by pairs that were never tested.
The same weights behind a template that keeps the edges do move.

What the suite does: it compares the ids that the model was fed. Such a pair is `erased`: it has no distance,
it is counted beside the mean in lm_eval's own table, in the closing words and in `clusters`, and the mean is
that of the pairs that were tested.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from lm_eval_sensitivity.demo import demo_model_path
from tests.running import Run
from tests.traps.conftest import BuiltModel, Suite, TrapRun
from tests.traps.models import erasing
from tests.traps.naive import naive_mean, naive_pairs

EDGES = ("leading_space", "trailing_space", "leading_newline", "trailing_newline")
NOOP, IDENTICAL = "prompt_sensitivity_mini_noop", "prompt_sensitivity_mini_identical"
SETTINGS = {"tasks": f"{NOOP},{IDENTICAL}", "gen_kwargs": "max_gen_toks=24", "batch_size": 32}
BUILDERS: dict[str, Callable[[Path], None]] = {
    "template": erasing.trimming_template,
    "tokenizer": erasing.stripping_tokenizer,
}


@pytest.fixture(scope="module", params=sorted(BUILDERS))
def erasing_run(request: pytest.FixtureRequest, built_model: BuiltModel, trap_run: TrapRun) -> Run:
    """The demonstration model with the edges of every prompt erased, in one of two places."""
    model = built_model(f"erasing_{request.param}", BUILDERS[request.param])
    return trap_run(f"erasing_{request.param}", model, **SETTINGS)


def erased_by_construction(run: Run) -> set[str]:
    """The pairs whose two sides are the same text once their edges are gone."""
    docs = [row["doc"] for row in run.rows(NOOP)]
    return {doc["pair_id"] for doc in docs if doc["base"].strip() == doc["variant"].strip()}


def test_the_naive_probe_calls_the_erased_edits_robust(erasing_run: Run, trap_run: TrapRun) -> None:
    assert naive_mean(erasing_run, edits=EDGES) == 0
    tested = [pair.distance for pair in naive_pairs(erasing_run) if pair.edit not in EDGES]
    assert 0 < naive_mean(erasing_run) < sum(tested) / len(tested), "pulled down by what was not tested"
    # The weights are the same; what was missing is the edit.
    whole = trap_run("erasing_nothing", demo_model_path(), **SETTINGS)
    assert naive_mean(whole, edits=EDGES) > 0


def test_erased_pairs_have_no_distance(erasing_run: Run) -> None:
    gone = erased_by_construction(erasing_run)
    rows = erasing_run.rows(NOOP) + erasing_run.rows(NOOP, "answer")
    assert {row["doc"]["edit"] for row in rows if row["doc"]["pair_id"] in gone} == set(EDGES)
    for row in rows:
        erased = row["doc"]["pair_id"] in gone
        assert (row["pair"]["audit"]["status"] == "erased") == erased
        assert math.isnan(row["cosine_distance"]) == erased
        if erased:
            assert row["pair"]["missing"]["cosine_distance"].startswith("erased: ")


def test_the_tokenizer_erases_what_the_rendered_text_still_shows(erasing_run: Run) -> None:
    """Comparing rendered prompts is not enough: under the tokenizer they differ, and the ids do not."""
    in_template = "trim" in (Path(_model(erasing_run)) / "chat_template.jinja").read_text(encoding="utf-8")
    gone = erased_by_construction(erasing_run)
    for row in erasing_run.rows(NOOP):
        if row["doc"]["pair_id"] in gone:
            contexts = {row["arguments"][f"gen_args_{side}"]["arg_0"] for side in (0, 1)}
            assert len(contexts) == (1 if in_template else 2)


def test_the_mean_is_that_of_the_pairs_that_were_tested(erasing_run: Run) -> None:
    gone = erased_by_construction(erasing_run)
    pair_ids = [row["doc"]["pair_id"] for row in erasing_run.rows(NOOP)]
    by_prompt: dict[str, list[float]] = {}
    for pair, pair_id in zip(naive_pairs(erasing_run, rungs=["noop"]), pair_ids, strict=True):
        if pair_id not in gone:
            by_prompt.setdefault(pair.prompt_id, []).append(pair.distance)
    mean = statistics.mean(map(statistics.mean, by_prompt.values()))
    # float32 unit vectors of 384 numbers: two ways to sum them differ in the seventh digit.
    assert erasing_run.value(NOOP, "cosine_distance") == pytest.approx(mean, abs=1e-6)
    assert mean > naive_mean(erasing_run, rungs=["noop"])


def test_coverage_stands_beside_the_number(erasing_run: Run, suite: Suite) -> None:
    n_pairs, n_gone = len(erasing_run.rows(NOOP)), len(erased_by_construction(erasing_run))
    assert 0 < n_gone < n_pairs
    counted = f"{n_pairs - n_gone} of {n_pairs} pairs scored, {n_gone} of {n_pairs} pairs erased"
    assert erasing_run.value(NOOP, "pair") == erasing_run.value(NOOP, "pair", "answer") == counted
    n_identical = len(erasing_run.rows(IDENTICAL))
    assert f"{n_pairs - n_gone + n_identical} of {n_pairs + n_identical} pairs of" in erasing_run.words
    for edit in EDGES:
        assert re.search(rf"Erased edits never reached the model [^.]*{edit} 9 of 9", erasing_run.words)
    data = json.loads(suite("clusters", erasing_run.folder, "--rungs", "noop", "--format", "json"))
    (system,) = data["selections"][0]["systems"]
    assert (system["counts"]["n_pairs"], system["counts"]["n_erased"]) == (n_pairs - n_gone, n_gone)


def _model(run: Run) -> str:
    return run.results["config"]["model_args"]["pretrained"]
