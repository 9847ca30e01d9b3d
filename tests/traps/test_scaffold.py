"""Trap: a scaffold that says the same before every answer.

A reasoning model opens every output with a page of thinking that hardly depends on the prompt. The page is
in the text that is compared, and in the first tokens it is all of it.

Who falls for it: a probe that reads whole outputs, and most of all one that reads the first 64 tokens. It
finds the model many times as stable as the same answers without the page; the artefact fades as the window
grows. A page of thinking that never ends is given a distance, although there is no answer.

What the suite does: the filter `answer` starts where the scaffold ends, whether the model or the template
opens it, and whether it is marked by tags or only by being the same in the outputs to unrelated prompts. Its
numbers are those of the model without the scaffold. Where the scaffold never ends nothing is scored, and the
reason is given. lm_eval's own table and the closing words say which window a scaffold dominates.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.running import Run
from tests.traps.conftest import BuiltModel, Suite, TrapRun
from tests.traps.models import scaffolded
from tests.traps.models.scaffolded import N_ANSWER, SCAFFOLD, answers, long_answers
from tests.traps.models.written_model import distance_of
from tests.traps.naive import naive_mean

TASK = "prompt_sensitivity_mini_paraphrase"
WHOLE = len(SCAFFOLD) + N_ANSWER + 1
"""Tokens of the longest output, its end token included."""
SHORT = 24
"""Phrases of the answer in the runs that need no more."""
IN_64 = 64 - len(SCAFFOLD)
"""Phrases of the answer in the first 64 tokens."""
CLOSED = {
    "plain": 0,
    "tagged": len(SCAFFOLD),
    "opened_by_the_template": len(SCAFFOLD) - 1,
    "textual": len(SCAFFOLD),
}
"""Model -> tokens before its answer."""
EMBEDDING_NOISE = 1e-6
NEAR = 1.5
"""A naive distance within this factor of that without a scaffold is near it."""

ScaffoldRun = Callable[..., Run]


@pytest.fixture(scope="module")
def scaffold_run(built_model: BuiltModel, trap_run: TrapRun) -> ScaffoldRun:
    """`scaffold_run(kind, limit)`: the run of one of the models, up to a token limit."""

    def run(kind: str, limit: int) -> Run:
        build: Callable[[Path], Any] = getattr(scaffolded, kind)
        if kind not in ("plain", "tagged"):
            build = partial(build, source=built_model("scaffold_tagged", scaffolded.tagged))
        model = built_model(f"scaffold_{kind}", build)
        options = {"tasks": TASK, "gen_kwargs": f"max_gen_toks={limit}", "batch_size": 32}
        return trap_run(f"scaffold_{kind}_{limit}", model, **options)

    return run


@pytest.fixture(scope="module")
def long_run(built_model: BuiltModel, trap_run: TrapRun) -> Callable[[str], Run]:
    """`long_run(kind)`: the run of a model with long answers, on the one pair that it answers."""

    def run(kind: str) -> Run:
        model = built_model(f"scaffold_{kind}", getattr(scaffolded, kind))
        return trap_run(f"scaffold_{kind}", model, tasks=TASK, gen_kwargs="max_gen_toks=512", limit=1)

    return run


def shares_of_the_answer(n_phrases: int, said: Mapping[str, list[str]] | None = None) -> list[float]:
    """Of the characters of the tagged outputs, with the first phrases of every answer."""
    scaffold = len("".join(SCAFFOLD))
    texts = ["".join(answer[:n_phrases]) for answer in (said or answers()).values()]
    return [len(text) / (scaffold + len(text)) for text in texts]


def distances(run: Run, metric: str, filter_name: str) -> dict[str, float]:
    """Pair -> what the suite says."""
    return {row["doc"]["pair_id"]: row[metric] for row in run.rows(TASK, filter_name)}


def distances_by_hand(run: Run, n_phrases: int) -> dict[str, float]:
    """Pair -> distance of the first phrases that the script has for the two prompts."""
    docs = [row["doc"] for row in run.rows(TASK)]
    return {
        doc["pair_id"]: distance_of(*(answers()[doc[side]][:n_phrases] for side in ("base", "variant")))
        for doc in docs
    }


def test_the_naive_probe_calls_the_scaffold_stable(scaffold_run: ScaffoldRun) -> None:
    """Long texts are pooled by length. Of shared words and a share s of answer s^2 / (s^2 + (1-s)^2) of the answer's
    distance are left where answer and scaffold are at right angles, and less where they are not: less than s where s
    is below one half."""
    share = max(shares_of_the_answer(IN_64))
    assert share < 0.1
    with_scaffold, without = (naive_mean(scaffold_run(kind, 64)) for kind in ("tagged", "plain"))
    assert 0 < with_scaffold < share * without, "more than ten times as stable"


def test_the_naive_artefact_fades_with_the_window(scaffold_run: ScaffoldRun) -> None:
    """Of the same mixture s^2 of the distance are left at least, where answer and scaffold are parallel."""
    ratios = [
        naive_mean(scaffold_run("tagged", limit)) / naive_mean(scaffold_run("plain", limit))
        for limit in (64, WHOLE)
    ]
    least = min(shares_of_the_answer(N_ANSWER)) ** 2
    assert ratios[0] < max(shares_of_the_answer(IN_64)) < least < ratios[1] < 1


def test_the_naive_artefact_has_faded_at_512_tokens(long_run: Callable[[str], Run]) -> None:
    """Where the answer is long: by the bounds above, with another share of answer. The filter raw reads what the naive
    probe does."""
    most_at_64 = max(shares_of_the_answer(IN_64, long_answers()))
    least_at_512 = min(shares_of_the_answer(512 - len(SCAFFOLD), long_answers())) ** 2
    assert most_at_64 < 0.1 and least_at_512 > 1 / NEAR
    tagged, plain = long_run("long_tagged"), long_run("long_plain")
    (row,) = tagged.rows(TASK)
    assert [row["pair"][side]["n_tokens"] for side in ("base", "variant")] == [512, 512]
    at_64 = [run.value(TASK, "cosine_distance_64") for run in (tagged, plain)]
    assert 0 < at_64[0] < most_at_64 * at_64[1]
    assert least_at_512 < naive_mean(tagged) / naive_mean(plain) < 1


@pytest.mark.parametrize("kind", sorted(CLOSED))
def test_the_answer_is_scored_as_if_there_were_no_scaffold(kind: str, scaffold_run: ScaffoldRun) -> None:
    run = scaffold_run(kind, CLOSED[kind] + SHORT)
    found = distances(run, "cosine_distance", "answer")
    assert found == pytest.approx(distances_by_hand(run, SHORT), abs=EMBEDDING_NOISE)
    half_moves = sum(distance > 0 for distance in found.values())
    assert half_moves == len(found) / 2, "one of two paraphrases of every prompt is answered otherwise"


def test_windows_of_the_answer_are_counted_from_its_first_token(scaffold_run: ScaffoldRun) -> None:
    run = scaffold_run("tagged", WHOLE)
    for window, n_phrases in (("", N_ANSWER), ("_64", 64)):
        found = distances(run, f"cosine_distance{window}", "answer")
        assert found == pytest.approx(distances_by_hand(run, n_phrases), abs=EMBEDDING_NOISE)


def test_the_table_says_which_window_the_scaffold_dominates(scaffold_run: ScaffoldRun) -> None:
    """58 tokens of scaffold are more than half of 64, and less than half of 128 and of the whole output."""
    run = scaffold_run("tagged", WHOLE)
    raw, answer = (run.value(TASK, "cosine_distance_64", name) for name in ("raw", "answer"))
    assert 0 < raw < max(shares_of_the_answer(IN_64)) * answer, "both stand in the table"
    assert run.value(TASK, "window") == "scaffold dominates this window: 64 tokens"
    assert "no scaffold" not in run.words
    assert re.search(r"Reasoning, not answer, fills most of these windows [^:]*: 64 tokens\.", run.words)
    plain = scaffold_run("plain", WHOLE)
    assert plain.value(TASK, "window") == "no scaffold dominates"
    assert "scaffold dominates" not in plain.log


@pytest.mark.parametrize("kind", sorted(CLOSED))
def test_the_table_says_so_however_the_scaffold_is_marked(kind: str, scaffold_run: ScaffoldRun) -> None:
    """24 tokens of answer are less than half of these outputs."""
    run = scaffold_run(kind, CLOSED[kind] + SHORT)
    if CLOSED[kind]:
        assert run.value(TASK, "window") == "scaffold dominates this window: 64 tokens, whole output"
        assert re.search(
            r"Reasoning, not answer, fills most of these windows [^:]*: 64 tokens, whole output\.", run.words
        )
    else:
        assert run.value(TASK, "window") == "no scaffold dominates"
        assert "Reasoning, not answer" not in run.words


def test_a_scaffold_that_no_table_knows_is_found(scaffold_run: ScaffoldRun) -> None:
    run = scaffold_run("textual", CLOSED["textual"] + SHORT)
    length = len("".join(scaffolded.TEXTUAL_SCAFFOLD))
    for row in run.rows(TASK):
        for side in ("base", "variant"):
            found = row["pair"][side]["answer"]
            assert (found["scaffold"], found["start"]) == ("shared_preamble", length + len(" "))
    n_words = len("".join(scaffolded.TEXTUAL_SCAFFOLD).split())
    assert f"9 of 9 outputs to unrelated prompts start with the same {n_words} words" in run.words
    assert "18 of 18 outputs open with a preamble that unrelated prompts share" in run.words


def test_thinking_that_never_ends_is_no_answer(scaffold_run: ScaffoldRun, suite: Suite) -> None:
    limit = CLOSED["tagged"] + SHORT
    run = scaffold_run("unclosed", limit)
    # The naive probe does not see that there is no answer: other words stand where the tag stood.
    assert naive_mean(run) > 0
    for row in run.rows(TASK, "answer"):
        for metric in ("cosine_distance", "cosine_distance_64", "token_edit_distance"):
            assert math.isnan(row[metric])
            assert row["pair"]["missing"][metric].startswith("unclosed: ")
    assert run.value(TASK, "pair", "answer").startswith("0 of 18 pairs scored, 18")
    assert "unclosed" in run.value(TASK, "pair", "answer")
    assert "18 of 18 outputs never close their reasoning and have no answer." in run.words
    data = json.loads(suite("clusters", run.folder, "--filter", "answer", "--format", "json"))
    (system,) = data["selections"][0]["systems"]
    assert (system["counts"]["n_pairs"], system["counts"]["n_unscored"]) == (0, 18)
    assert system["mean"]["estimate"] is None
