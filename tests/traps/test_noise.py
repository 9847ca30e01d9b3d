"""Trap: noise of the arithmetic that is taken for sensitivity, or for drift.

In bfloat16 the rounding of a matrix product depends on the batch that it is part of, and greedy decoding turns a
difference in the last digit into another token where two tokens are almost tied. The model here has random
weights, so that it has no preference, and some words of it are the same word (see `models/twins.py`): its
synonyms reach the model as other ids and change nothing that it computes. That is shown before anything else:
alone in a batch, twins get equal outputs, all of them.

Who falls for it: a probe without an identical rung. In batches of eight the same twins differ, and it calls the
model sensitive to synonyms. Compared with the same model in batches of one, it finds drift.

What the suite does: the identical rung measures what repeating a prompt does, in the same unit, in another batch.
It is printed beside the distances, a distance within it is not called sensitivity, and two runs of one system
are one system whatever their batch size: there is no drift to be measured between them.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.cli import main as cli
from tests.running import Run
from tests.traps.conftest import BuiltModel, Suite, TrapRun
from tests.traps.models import twins
from tests.traps.naive import base_outputs, naive_drift, naive_mean, naive_pairs

SYNONYM, IDENTICAL = "prompt_sensitivity_synonym", "prompt_sensitivity_identical"
N_ALONE = 8
"""Of each rung; one at a time takes its time."""
NO_NOISE = (
    "this machine's arithmetic does not depend on the batch: the trap cannot be set here, and what follows would "
    "pass without testing anything"
)


@pytest.fixture(scope="module")
def made(built_model: BuiltModel, trap_run: TrapRun) -> Any:
    """The same model in batches of a given size."""
    model = built_model("twins", twins.write_model)
    ladder = built_model("twins_ladder", twins.write_ladder) / "ladder"

    def run(batch_size: int, **options: Any) -> Run:
        return trap_run(
            f"twins_in_batches_of_{batch_size}",
            model,
            tasks=f"{IDENTICAL},{SYNONYM}",
            gen_kwargs="max_gen_toks=48",
            batch_size=batch_size,
            # In two bytes a number is noisy, and would be repeated three times; both texts of one are in the samples.
            metadata={"ladder": str(ladder), "repeats": 1},
            **options,
        )

    return run


@pytest.fixture(scope="module")
def alone(made: Any) -> Run:
    """Some prompts, each alone in its batch: nothing that its rounding could depend on."""
    return made(1, limit=N_ALONE)


@pytest.fixture(scope="module")
def batched(made: Any) -> Run:
    """In batches of eight, which hold prompts of different lengths."""
    run = made(8)
    if naive_mean(run, rungs=["identical", "synonym"]) == 0:
        # Nobody reads what CI skips.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_NOISE)
    return run


def by_prompt(run: Run, rung: str) -> dict[str, float]:
    """Prompt id -> mean distance, by hand."""
    found: dict[str, list[float]] = {}
    for pair in naive_pairs(run, rungs=[rung]):
        found.setdefault(pair.prompt_id, []).append(pair.distance)
    return {prompt: float(np.mean(distances)) for prompt, distances in found.items()}


def test_the_edits_reach_the_model_and_change_nothing(alone: Run) -> None:
    rows = alone.rows(SYNONYM)
    assert len(rows) == N_ALONE
    assert {row["pair"]["audit"]["status"] for row in rows} == {"survived"}
    assert all(row["resps"][0] == row["resps"][1] for row in rows)
    assert len(set(base_outputs(alone).values())) > 1, "and it is not a model that always says the same"


def test_the_naive_probe_calls_the_noise_sensitivity(batched: Run) -> None:
    assert naive_mean(batched) > 0, NO_NOISE


def test_the_naive_probe_finds_drift_between_a_system_and_itself(alone: Run, batched: Run) -> None:
    assert naive_drift(batched, alone) > 0, NO_NOISE


def test_the_identical_rung_measures_the_noise_in_the_same_unit(alone: Run, batched: Run) -> None:
    assert alone.value(IDENTICAL, "cosine_distance") == 0
    floor = batched.value(IDENTICAL, "cosine_distance")
    assert floor > 0, NO_NOISE
    assert floor == pytest.approx(naive_mean(batched, rungs=["identical"]), abs=1e-6)
    assert f"The same prompt again moves it by {floor:.3f} noise floor: 24 prompts" in batched.words
    assert f"is within the noise floor {floor:.4f}" in batched.words


def test_a_distance_within_the_floor_is_not_called_sensitivity(batched: Run, suite: Suite) -> None:
    """The twins are in the batch of their base more often than its repetition is: their noise is no larger."""
    distances, floors = by_prompt(batched, "synonym"), by_prompt(batched, "identical")
    line = ("clusters", batched.folder, "--rungs", "synonym", "--filter", "raw")
    data = json.loads(suite(*line, "--format", "json"))
    (analysis,) = data["selections"]
    (system,) = analysis["systems"]
    assert system["mean"]["estimate"] == pytest.approx(np.mean(list(distances.values())), abs=1e-6)
    assert system["noise"]["estimate"] == pytest.approx(np.mean(list(floors.values())), abs=1e-6)
    (caution,) = [each["text"] for each in analysis["cautions"] if "noise floor" in each["text"]]
    assert "is within the noise floor" in caution and "It is no sensitivity." in caution
    assert "within the noise floor" in " ".join(suite(*line).split())
    assert batched.value(SYNONYM, "noise").startswith("within the noise floor")
    assert "What harmless edits move is within the noise floor" in batched.words


def test_a_system_has_no_drift_from_itself(
    alone: Run, batched: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = [
        run.results["configs"][SYNONYM]["metadata"]["sensitivity"]["system"] for run in (alone, batched)
    ]
    assert stated[0] == stated[1]
    assert cli.main(["drift", str(batched.folder), "--reference", str(alone.folder)]) == 2
    refused = capsys.readouterr().err
    assert f"the system {stated[0]!r} has its rung" in refused and "Give one of the two folders" in refused


def test_the_prompts_are_of_many_lengths(batched: Run) -> None:
    """Else batches would hold no padding, and the trap would hardly be one."""
    rows = batched.rows(IDENTICAL)
    lengths = {row["pair"]["base"]["prompt_token_ids"]["n"] for row in rows}
    assert len(lengths) >= len(twins.FILLERS)
