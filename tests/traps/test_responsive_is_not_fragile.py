"""Trap: a model that answers what is asked, and one that answers what it likes, with one and the same mean.

Both change their answer in three of the seven edits of every prompt, and to the same text. The responsive
one changes it where the request changed, the fragile one under two harmless edits and one control.

Who falls for it: a probe that averages the distances of all edits. It gives both the same number.

What the suite does: it keeps the rungs apart and sets the harmless edits against the positive control. The
fragile model is called collapsed or indiscriminate, by lm_eval's own table, the closing words and `drift`;
beside a reference it is INDISCRIMINATE and the responsive one STABLE. By the rules, with D the distance of a
prompt's two answers:

                c       p       b        L_C       L_R         L_P         L_D
    reference   D/2     D/4
    responsive  D       0       D/5      +0.6 D    +D          -0.375 D    -0.3 D
    fragile     D/2     D/2     D/5      +0.1 D    -0.125 D    +0.125 D    -0.3 D

Of the base prompt and its four harmless variants, each answers one otherwise than the reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest

from lm_eval_sensitivity.types import RUNGS
from tests.running import Run
from tests.traps.conftest import BuiltModel, Suite, TrapRun
from tests.traps.models import responding
from tests.traps.models.responding import MOVING_EDITS, N_ANSWER, pairs, two_answers
from tests.traps.models.written_model import distance_of
from tests.traps.naive import naive_mean

TASKS = ",".join(f"prompt_sensitivity_mini_{rung}" for rung in responding.RUNGS)
CONTROL = "prompt_sensitivity_mini_positive_control"
SEMANTIC = "prompt_sensitivity_mini_semantic_change"
EMBEDDING_NOISE = 1e-6
CONTRASTS = {
    "responsive": {"L_C": 0.6, "L_R": 1.0, "L_P": -0.375, "L_D": -0.3},
    "fragile": {"L_C": 0.1, "L_R": -0.125, "L_P": 0.125, "L_D": -0.3},
}
"""Model -> the contrasts of the rules, in D."""

RespondingRun = Callable[[str], Run]


@pytest.fixture(scope="module")
def responding_run(built_model: BuiltModel, trap_run: TrapRun) -> RespondingRun:
    """`responding_run(kind)`: the run of one of the three models."""

    def run(kind: str) -> Run:
        model = built_model(kind, partial(responding.build, kind=kind))
        options = {"tasks": TASKS, "gen_kwargs": f"max_gen_toks={N_ANSWER + 4}", "batch_size": 32}
        return trap_run(f"responding_{kind}", model, **options)

    return run


@pytest.fixture(scope="module")
def mean_distance() -> float:
    """Of the two answers of a prompt, over prompts: D."""
    prompts = sorted({pair.prompt_id for pair in pairs()})
    return sum(distance_of(*two_answers(prompt)) for prompt in prompts) / len(prompts)


@pytest.mark.parametrize("rungs", [RUNGS, RUNGS[1:]], ids=["with identical", "without"])
def test_the_naive_probe_gives_all_models_one_number(
    rungs: tuple[str, ...], responding_run: RespondingRun, mean_distance: float
) -> None:
    n_edits = 8 if "identical" in rungs else 7
    for kind in MOVING_EDITS:
        found = naive_mean(responding_run(kind), rungs=rungs)
        assert found == pytest.approx(3 * mean_distance / n_edits, abs=EMBEDDING_NOISE)


@pytest.mark.parametrize(
    ("kind", "harmless", "control"),
    [("responsive", 0, 1), ("fragile", 1 / 2, 1 / 2), ("reference", 1 / 4, 1 / 2)],
)
def test_the_rungs_are_kept_apart(
    kind: str,
    harmless: float,
    control: float,
    responding_run: RespondingRun,
    mean_distance: float,
    suite: Suite,
) -> None:
    run = responding_run(kind)
    assert run.value(CONTROL, "cosine_distance", "answer") == pytest.approx(
        control * mean_distance, abs=EMBEDDING_NOISE
    )
    (system,) = json.loads(suite("drift", run.folder, "--format", "json"))["drift"]["systems"]
    found = {axis: system[axis]["mean"]["estimate"] for axis in ("preserving", "control", "identical")}
    expected = {"preserving": harmless * mean_distance, "control": control * mean_distance, "identical": 0}
    assert found == pytest.approx(expected, abs=EMBEDDING_NOISE)


@pytest.mark.parametrize(("kind", "change"), [("responsive", 1), ("fragile", 0), ("reference", 1)])
def test_a_change_of_the_request_is_a_rung_of_its_own(
    kind: str, change: float, responding_run: RespondingRun, mean_distance: float, suite: Suite
) -> None:
    """It moves the model that reads the request, and not the one that moves under harmless edits."""
    run = responding_run(kind)
    expected = pytest.approx(change * mean_distance, abs=EMBEDDING_NOISE)
    for filter_name in ("raw", "answer"):
        assert run.value(SEMANTIC, "cosine_distance", filter_name) == expected
    line = ("clusters", run.folder, "--rungs", "semantic_change", "--filter", "answer", "--format", "json")
    (system,) = json.loads(suite(*line))["selections"][0]["systems"]
    assert system["mean"]["estimate"] == expected


def test_without_a_reference_only_the_fragile_one_is_lifeless(
    responding_run: RespondingRun, suite: Suite
) -> None:
    """c - 1.25 p is D, and -0.125 D."""
    for kind, label in (("responsive", "alive"), ("fragile", "collapsed or indiscriminate")):
        run = responding_run(kind)
        (system,) = json.loads(suite("drift", run.folder, "--format", "json"))["tables"]["sweep"]
        assert system["verdict"] == label
        assert {run.value(task, "verdict", "answer") for task in run.samples} == {label}
        assert ("collapsed or indiscriminate" in run.words) == (kind == "fragile")


def test_beside_a_reference_the_verdicts_differ(
    responding_run: RespondingRun, mean_distance: float, suite: Suite
) -> None:
    folders = {kind: responding_run(kind).folder for kind in MOVING_EDITS}
    line = (folders["responsive"], folders["fragile"], "--reference", folders["reference"])
    data = json.loads(suite("drift", *line, "--format", "json"))
    labels = {row["system"].split("-")[0]: row["verdict"] for row in data["tables"]["sweep"]}
    assert labels == {"reference": "reference", "responsive": "STABLE", "fragile": "INDISCRIMINATE"}
    for system in data["drift"]["systems"][1:]:
        found = {each["name"]: each["bounds"]["estimate"] for each in system["verdict"]["contrasts"]}
        expected = CONTRASTS[system["system"].split("-")[0]]
        assert found == pytest.approx(
            {name: times * mean_distance for name, times in expected.items()}, abs=EMBEDDING_NOISE
        )
