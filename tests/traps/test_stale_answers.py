"""Trap: another system's answers, served from a cache.

lm_eval's `--use_cache` stores an answer under the request: the rendered prompt and the generation settings. Nothing
in that key says which model gave it. With one path for two models that share a template, the second is never
asked, and its samples hold the first one's answers under its own name.

Who falls for it: a probe that runs a plain task with the same `--use_cache` for reference and candidate. Its
drift is exactly 0, for a candidate that has been rounded to garbage.

What the suite does: it keeps its own store beside that cache, under keys that hold a checksum of the weights and
everything else that an output depends on. With one path for both systems every output, every distance and the
drift are the same as without any cache, to the bit.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.demo import demo_model_path
from tests.running import Run
from tests.traps.conftest import BuiltModel, TrapRun
from tests.traps.models import collapsing
from tests.traps.naive import base_outputs, naive_drift

SYNONYM, IDENTICAL = "prompt_sensitivity_mini_synonym", "prompt_sensitivity_mini_identical"
SETTINGS = {"gen_kwargs": "max_gen_toks=16", "batch_size": 16}
EMBEDDING_NOISE = 1e-6
PLAIN_TASK = """task: plain_prompts
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
doc_to_text: "{{{{base}}}}"
doc_to_target: ""
output_type: generate_until
generation_kwargs: {{until: [], max_gen_toks: 16, do_sample: false}}
filter_list: [{{name: raw, filter: [{{function: take_first}}]}}]
metric_list: [{{metric: bypass}}]
"""


@pytest.fixture(scope="session")
def candidate(built_model: BuiltModel) -> Path:
    """The demonstration model at two bits per row: varied garbage, far from the reference."""
    return built_model("2-bit", partial(collapsing.rounded_per_row, bits=2))


@pytest.fixture(scope="session")
def suite_runs(candidate: Path, trap_run: TrapRun, shared_home: Path) -> dict[str, Run]:
    """Reference and candidate, without a cache and with one path for both."""
    found: dict[str, Run] = {}
    for kind, cache in (("uncached", None), ("cached", shared_home / "one_cache_for_the_suite")):
        settings = {**SETTINGS, "tasks": f"{SYNONYM},{IDENTICAL}", "use_cache": cache}
        first = trap_run(f"stale_{kind}_reference", demo_model_path(), **settings)
        metadata = {"reference": str(first.folder)}
        found[f"{kind}_reference"] = first
        found[f"{kind}_candidate"] = trap_run(
            f"stale_{kind}_candidate", candidate, metadata=metadata, **settings
        )
    return found


@pytest.fixture(scope="session")
def plain_runs(
    suite_runs: dict[str, Run], candidate: Path, trap_run: TrapRun, shared_home: Path
) -> dict[str, Run]:
    """The same base prompts as a plain lm_eval task, with one cache path for both models."""
    docs = [row["doc"] for row in suite_runs["uncached_reference"].rows(IDENTICAL)]
    include = shared_home / "plain_task"
    include.mkdir(exist_ok=True)
    data = include / "prompts.json"
    fields = ("prompt_id", "base", "rung", "edit")
    text = json.dumps([{name: doc[name] for name in fields} for doc in docs])
    for path, content in ((data, text), (include / "plain_prompts.yaml", PLAIN_TASK.format(data=data))):
        unfinished = path.with_suffix(f".{id(path)}.unfinished")
        unfinished.write_text(content, encoding="utf-8")
        unfinished.replace(path)
    settings = {
        **SETTINGS,
        "tasks": "plain_prompts",
        "include_path": str(include),
        "use_cache": shared_home / "one_cache_for_a_plain_task",
    }
    return {
        "reference": trap_run("stale_plain_reference", demo_model_path(), **settings),
        "candidate": trap_run("stale_plain_candidate", candidate, **settings),
    }


def everything(run: Run) -> list[dict[str, Any]]:
    """All that was measured, without what names the run."""
    return [
        {key: row.get(key) for key in ("doc", "resps", "filter", "pair", "cosine_distance", "baseline_drift")}
        for task in (SYNONYM, IDENTICAL)
        for row in run.samples[task]
    ]


def test_the_naive_probe_gets_the_other_models_answers(plain_runs: dict[str, Run]) -> None:
    reference, candidate = plain_runs["reference"], plain_runs["candidate"]
    assert len(base_outputs(reference)) == 9
    assert base_outputs(candidate) == base_outputs(reference)
    assert naive_drift(candidate, reference) == 0


def test_the_two_systems_are_far_apart(plain_runs: dict[str, Run], suite_runs: dict[str, Run]) -> None:
    """Without a cache even the naive probe sees it: no prompt gets the same answer."""
    reference, candidate = suite_runs["uncached_reference"], suite_runs["uncached_candidate"]
    ours, theirs = base_outputs(candidate), base_outputs(reference)
    assert all(ours[prompt] != theirs[prompt] for prompt in theirs)
    assert naive_drift(candidate, reference) > 0


def test_one_cache_path_changes_nothing_for_the_suite(suite_runs: dict[str, Run]) -> None:
    for system in ("reference", "candidate"):
        cached, uncached = suite_runs[f"cached_{system}"], suite_runs[f"uncached_{system}"]
        # NaN is not equal to itself; its text is.
        assert repr(everything(cached)) == repr(everything(uncached))
    for filter_name in ("raw", "answer"):
        drift = [
            suite_runs[f"{kind}_candidate"].value(IDENTICAL, "baseline_drift", filter_name)
            for kind in ("cached", "uncached")
        ]
        assert drift[0] == drift[1] > 0


def test_the_drift_is_that_of_the_outputs(suite_runs: dict[str, Run]) -> None:
    """The naive probe is right where it was given the outputs of both systems to the base prompts."""
    expected = naive_drift(suite_runs["uncached_candidate"], suite_runs["uncached_reference"])
    for kind in ("cached", "uncached"):
        run = suite_runs[f"{kind}_candidate"]
        of_bases = {row["doc"]["prompt_id"]: row["baseline_drift"] for row in run.rows(IDENTICAL)}
        assert sum(of_bases.values()) / len(of_bases) == pytest.approx(expected, abs=EMBEDDING_NOISE)
        # The table's number is over the harmless variants as well.
        texts = {prompt: [value] for prompt, value in of_bases.items()}
        for row in run.rows(SYNONYM):
            texts[row["doc"]["prompt_id"]].append(row["pair"]["scores"]["variant_drift"])
        by_prompt = [sum(values) / len(values) for values in texts.values()]
        assert run.value(IDENTICAL, "baseline_drift") == pytest.approx(sum(by_prompt) / len(by_prompt))
        assert run.value(SYNONYM, "baseline_drift") == run.value(IDENTICAL, "baseline_drift")


def test_the_systems_have_names_of_their_own(suite_runs: dict[str, Run]) -> None:
    stated = {
        name: run.results["configs"][IDENTICAL]["metadata"]["sensitivity"]["system"]
        for name, run in suite_runs.items()
    }
    assert stated["cached_reference"] == stated["uncached_reference"]
    assert stated["cached_candidate"] == stated["uncached_candidate"]
    assert len(set(stated.values())) == 2
