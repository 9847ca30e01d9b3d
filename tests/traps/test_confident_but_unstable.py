"""Trap: a model that is sure of its first token, and undecided twenty tokens later.

The next-token distribution at the end of the prompt is the same before and after a harmless edit, and all of
it on one token. At step 20 two tokens are 0.1 nats apart, the edit tips the scale, and the rest of the answer
is about something else.

Who falls for it: a probe that compares the distributions at the end of the prompt, by their divergence, by
how often the most probable token flips, or by the confidence in it. It calls the model rock solid.

What the suite does: it compares the outputs, says at which step they part and by which margin each side
chose there, and says in the closing words that the prompt's end does not see this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import mean, median
from typing import Any

import pytest

from lm_eval_sensitivity.records.packing import unpack
from tests.running import Run
from tests.traps.conftest import BuiltModel, Suite, TrapRun
from tests.traps.models import late_fork
from tests.traps.models.late_fork import MARGIN, N_VARIANT, PARTING_EDIT, STEP, answers
from tests.traps.models.written_model import CHAIN_LOGIT, distance_of

TASK = "prompt_sensitivity_mini_paraphrase"
ROUNDING = 400 * CHAIN_LOGIT * 2**-24
"""Of a logit: float32 sums of some 400 products that reach `CHAIN_LOGIT`, at the very worst."""

Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def run(built_model: BuiltModel, trap_run: TrapRun) -> Run:
    """Two paraphrases of every prompt; the outputs to one of them part."""
    model = built_model("late_fork", late_fork.build)
    return trap_run("late_fork", model, tasks=TASK, gen_kwargs=f"max_gen_toks={N_VARIANT + 4}", batch_size=32)


@pytest.fixture(scope="module")
def parting(run: Run) -> list[Row]:
    """The rows of the pairs that part by construction."""
    rows = [row for row in run.rows(TASK) if row["doc"]["edit"] == PARTING_EDIT]
    assert len(rows) == 9
    return rows


def test_the_naive_prompt_end_probe_calls_it_rock_solid(run: Run) -> None:
    """Its nearest rival is 60 nats behind at the prompt's end: all others together have 8 e^-60."""
    ends = [row["pair"]["prompt_end"] for row in run.rows(TASK)]
    assert mean(end["js_divergence"] for end in ends) < 1e-8
    assert not any(end["flipped"] for end in ends)
    assert min(end[f"top1_probability_{side}"] for end in ends for side in ("base", "variant")) > 0.9999


def test_the_outputs_are_far_apart(run: Run, parting: list[Row]) -> None:
    """Of the longer output's 60 tokens 40 are other ones, and no token stands in both parts."""
    for row in parting:
        by_hand = distance_of(*(answers()[row["doc"][side]] for side in ("base", "variant")))
        assert row["cosine_distance"] == pytest.approx(by_hand, abs=1e-6)
        assert row["token_edit_distance"] == (N_VARIANT - STEP) / N_VARIANT
    still = [row for row in run.rows(TASK) if row not in parting]
    assert {row["cosine_distance"] for row in still} == {0.0}
    assert run.value(TASK, "token_edit_distance") == pytest.approx((N_VARIANT - STEP) / N_VARIANT / 2)
    assert run.value(TASK, "js_divergence") < 1e-8, "beside it in the same table"


def test_the_step_is_where_it_was_put(run: Run, parting: list[Row]) -> None:
    for row in run.rows(TASK):
        parted = STEP if row in parting else None
        assert row["pair"]["token_path"]["first_divergence"] == parted
        assert row["pair"]["token_path"]["censored"] is False
        curve = unpack(row["pair"]["token_path"]["curve"])
        assert not curve[:STEP].any()
        assert bool(curve.any()) == (row in parting)


def test_the_margins_show_that_step_and_no_other(parting: list[Row]) -> None:
    for row in parting:
        at_divergence = row["pair"]["margins"]["at_divergence"]
        assert at_divergence == pytest.approx({"base": MARGIN, "variant": MARGIN}, abs=ROUNDING)
        for side in ("base", "variant"):
            statistics = row["pair"]["margins"][side]
            assert statistics["margin_min"] == at_divergence[side]
            assert statistics["margin_min_step"] == STEP
            steps = unpack(row["pair"][side]["margins"])
            assert (steps < 1).sum() == 1, "every other step is decided by many nats"
            assert statistics["margin_median"] == pytest.approx(median(steps.tolist()), rel=1e-6)
            assert statistics["margin_median"] > CHAIN_LOGIT / 16


def test_the_closing_words_say_what_the_prompt_end_does_not_see(run: Run, suite: Suite) -> None:
    counted = "9 of 18 pairs whose prompts end in the same distribution part later"
    assert f"{counted}: metrics of the prompt end do not see this." in run.words
    said = suite("clusters", run.folder, "--metric", "js_divergence", "--filter", "raw", "--format", "json")
    (caution,) = [each for each in json.loads(said)["text"] if "prompt-end metrics" in each]
    assert "9 of 18 pairs" in caution
