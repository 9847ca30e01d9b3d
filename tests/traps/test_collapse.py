"""Trap: a system that looks stable because it has stopped responding.

The demonstration model is rounded to fewer and fewer bits. With one scale per row it degrades: at two bits its
outputs are varied garbage, which moves more than the reference and tempts nobody. With one scale for the whole
model two bits are too few for the value and output matrices of attention: all of their weights become 0, no token
reaches another, every prompt ends in the same turn marker, and every prompt gets the same output. Where only
attention is rounded so, that output is a text; where all matrices are, it is the turn marker over and over, of
which a reader sees nothing. A third model says " the the the" by construction, whatever it is asked.

Who falls for it: a probe that reads a low distance as stability. The collapsed systems have a distance of
exactly 0.00 under harmless edits, lower than the reference: "more stable after quantization".

What the suite does: the positive control, an edit that must move the output, moves it by 0 as well, and the
drift from the unquantized reference is large. `drift` says COLLAPSED, lm_eval's own closing words say that a low
distance is no stability here, and loops are counted. Outputs of which nothing can be read have no distance, and no
verdict of life is given to a system that is silent.
"""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any

import pytest

from lm_eval_sensitivity.demo import demo_model_path
from tests.running import Run
from tests.traps.conftest import BuiltModel, Suite, TrapRun
from tests.traps.models import collapsing, responding
from tests.traps.naive import base_outputs, naive_mean, naive_pairs

RUNGS = ("identical", "synonym", "paraphrase", "positive_control")
SETTINGS = {
    "tasks": ",".join(f"prompt_sensitivity_mini_{rung}" for rung in RUNGS),
    "gen_kwargs": "max_gen_toks=24",
    "batch_size": 32,
}
BUILDERS = {
    "8-bit": partial(collapsing.rounded_per_row, bits=8),
    "4-bit": partial(collapsing.rounded_per_row, bits=4),
    "3-bit": partial(collapsing.rounded_per_row, bits=3),
    "2-bit": partial(collapsing.rounded_per_row, bits=2),
    "2-bit_attention": partial(collapsing.rounded_at_one_scale, bits=2, only="self_attn"),
    "2-bit_one_scale": partial(collapsing.rounded_at_one_scale, bits=2),
    "the_the_the": collapsing.write_loop,
}
COLLAPSED = ("2-bit_attention", "the_the_the")
SILENT = "2-bit_one_scale"
BY_ITSELF = "the_the_the"
"""Run without a reference."""
ALIVE = {"STABLE", "DRIFTED", "RESPONSIVE"}
CONTROL = "prompt_sensitivity_mini_positive_control"
SAMPLED, N_SAMPLED = "prompt_sensitivity_sampling", 6
"""Group, and pairs of each of its tasks that are run."""


@pytest.fixture(scope="session")
def reference(trap_run: TrapRun) -> Run:
    """The unquantized system."""
    return trap_run("collapse_reference", demo_model_path(), **SETTINGS)


@pytest.fixture(scope="session")
def systems(built_model: BuiltModel, trap_run: TrapRun, reference: Run) -> Any:
    """By name, the run of a system; all but one know the reference while they run."""

    def run(name: str) -> Run:
        known = {} if name == BY_ITSELF else {"metadata": {"reference": str(reference.folder)}}
        return trap_run(f"collapse_{name}", built_model(name, BUILDERS[name]), **known, **SETTINGS)

    return run


def judged(suite: Suite, reference: Run, *runs: Run) -> list[dict[str, Any]]:
    """What `drift` says of each run, in their order."""
    folders = [run.folder for run in runs]
    text = suite("drift", *folders, "--reference", reference.folder, "--format", "json")
    first, *others = json.loads(text)["drift"]["systems"]
    assert first["is_reference"]
    return others


def test_two_bits_at_one_scale_cut_every_token_off_from_the_others(built_model: BuiltModel) -> None:
    """Why that system is collapsed, before anything is generated."""
    folders = {name: built_model(name, build) for name, build in BUILDERS.items()}
    mixing = {name for name, folder in folders.items() if collapsing.mixes_tokens(folder)}
    assert mixing == BUILDERS.keys() - {*COLLAPSED, SILENT}


@pytest.mark.parametrize("name", [*COLLAPSED, SILENT])
def test_the_naive_probe_calls_the_collapsed_system_more_stable(
    name: str, systems: Any, reference: Run
) -> None:
    assert naive_mean(systems(name)) == 0 < naive_mean(reference)
    assert len(set(base_outputs(systems(name)).values())) == 1, "one output, whatever was asked"


@pytest.mark.parametrize("name", COLLAPSED)
def test_drift_says_collapsed(name: str, systems: Any, reference: Run, suite: Suite) -> None:
    (found,) = judged(suite, reference, systems(name))
    assert found["verdict"]["label"] == "COLLAPSED"
    assert found["control"]["mean"]["estimate"] == 0, "the positive control must move a system, and does not"
    # An output that is the same for all prompts can be near the reference's on few of them at most.
    assert found["drift"]["mean"]["estimate"] > found["verdict"]["harmless_reference"]


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("2-bit_attention", "collapsed", ": COLLAPSED, has lost more than"),
        (BY_ITSELF, "collapsed or indiscriminate", "Verdict: collapsed or indiscriminate."),
    ],
)
def test_the_results_and_the_last_screen_say_so(
    name: str, verdict: str, words: str, systems: Any, reference: Run
) -> None:
    """Beside the reference where the run knows it, and by the positive control alone where it does not."""
    run = systems(name)
    for filter_name in ("raw", "answer"):
        assert run.value(CONTROL, "cosine_distance", filter_name) == 0
        assert run.value(CONTROL, "verdict", filter_name) == verdict
    assert words in run.words and "A low distance is no stability here" in run.words
    assert reference.value(CONTROL, "verdict") == "alive"
    assert "collapsed" not in reference.words and "no stability" not in reference.words


def test_clusters_by_itself_does_not_let_the_low_mean_stand(systems: Any, suite: Suite) -> None:
    said = " ".join(suite("clusters", systems("2-bit_attention").folder).split())
    assert "COLLAPSED OR INDISCRIMINATE" in said and "no stability" in said


def test_silence_is_neither_a_distance_nor_life(systems: Any, reference: Run, suite: Suite) -> None:
    run = systems(SILENT)
    assert set(base_outputs(run).values()) == {""}
    rows = [row for task in run.samples for row in run.samples[task]]
    assert all(math.isnan(row["cosine_distance"]) for row in rows)
    assert run.value(CONTROL, "verdict").startswith("not judged")
    n_pairs = len(rows) // 2
    assert f"0 of {n_pairs} pairs of" in run.words and "no stability" not in reference.words
    assert "It gave nothing that could be scored in 100 % of the pairs that reached it" in run.words
    assert "nothing that could be scored" not in reference.words
    (found,) = judged(suite, reference, run)
    assert found["silent_share"] == 1 and found["verdict"]["label"] not in ALIVE


@pytest.fixture(scope="session")
def partly_silent(built_model: BuiltModel, trap_run: TrapRun) -> tuple[Run, Run]:
    """A model that answers what is asked where it says anything, and a reference for it."""
    models = {
        "partly_silent": partial(responding.build, kind="responsive", silent=True),
        "reference": partial(responding.build, kind="reference"),
    }
    options = {
        "tasks": ",".join(f"prompt_sensitivity_mini_{rung}" for rung in responding.RUNGS),
        "gen_kwargs": f"max_gen_toks={responding.N_ANSWER + 4}",
        "batch_size": 32,
    }
    silent, reference = (
        trap_run(f"responding_{name}", built_model(name, build), **options) for name, build in models.items()
    )
    return silent, reference


def test_silence_on_some_prompts_is_no_life_on_the_others(
    partly_silent: tuple[Run, Run], suite: Suite
) -> None:
    """On six prompts of nine it is as alive as a model can be, and that is all that distances are taken from."""
    run, reference = partly_silent
    silent = {name for name, output in base_outputs(run).items() if not output.strip()}
    assert silent == set(responding.silent_prompts())
    for pair in naive_pairs(run, rungs=["positive_control"]):
        assert (pair.distance > 0) == (pair.prompt_id not in silent)
    share = "33.3 %"
    assert f"It gave nothing that could be scored in {share} of the pairs that reached it" in run.words
    assert run.value(CONTROL, "verdict") == "undetermined"
    (alone,) = json.loads(suite("drift", run.folder, "--format", "json"))["drift"]["systems"]
    assert alone["reduced"]["label"] == "UNDETERMINED"
    (beside,) = judged(suite, reference, run)
    assert beside["silent_share"] == pytest.approx(1 / 3)
    assert beside["verdict"]["label"] not in ALIVE
    for found in (alone["reduced"], beside["verdict"]):
        assert any(f"nothing that could be scored in {share}" in reason for reason in found["reasons"])


def sampled(trap_run: TrapRun, name: str, model: Any, limit: int | None = N_SAMPLED) -> Run:
    """Seven samples of a side: the smallest p of a pair is 2 of C(14, 7), enough for eighteen pairs."""
    return trap_run(
        f"collapse_sampled_{name}",
        model,
        tasks=f"{SAMPLED}_synonym,{SAMPLED}_positive_control",
        gen_kwargs="max_gen_toks=8",
        metadata={"n_samples": 7},
        limit=limit,
        batch_size=64,
    )


def test_samples_of_a_collapsed_system_are_not_called_stable(
    built_model: BuiltModel, trap_run: TrapRun
) -> None:
    run = sampled(trap_run, "the_the_the", built_model("the_the_the", BUILDERS["the_the_the"]))
    verdict = "another request moves the sampled answers no further than chance: collapsed or indiscriminate"
    for task in run.samples:
        for filter_name in ("raw", "answer"):
            assert run.value(task, "between_distance", filter_name) == 0
            assert run.value(task, "verdict", filter_name) == verdict
    assert f"{verdict[1:]}. A low distance is no stability here." in run.words
    assert f"{2 * N_SAMPLED} of {2 * N_SAMPLED} pairs scored." in run.words


def test_samples_of_a_living_system_are_not_called_collapsed(trap_run: TrapRun) -> None:
    run = sampled(trap_run, "reference", demo_model_path())
    control = f"{SAMPLED}_positive_control"
    separate = sum(row["separated"]["p_value"] <= 0.05 / N_SAMPLED for row in run.rows(control, "answer"))
    assert separate >= 2, "another request moves it"
    assert run.value(control, "verdict", "answer").endswith("pairs of the positive control separate")
    assert "collapsed" not in run.words and "no further than chance" not in run.output


def test_samples_of_a_silent_system_are_counted(built_model: BuiltModel, trap_run: TrapRun) -> None:
    """Two pairs of every prompt in each of two rungs, six of eighteen without anything to read."""
    build = partial(responding.build, kind="responsive", silent=True)
    run = sampled(trap_run, "partly_silent", built_model("partly_silent", build), limit=None)
    assert "Sampled outputs: 24 of 36 pairs scored; 12 empty." in run.words
    assert "It gave nothing that could be scored in 33.3 % of the sampled pairs that reached it" in run.words
    for task in run.samples:
        assert run.value(task, "verdict") == "12 of 12 pairs of the positive control separate"
    assert run.value(f"{SAMPLED}_synonym", "separated").startswith("0 of 12 pairs separate")


def test_loops_are_counted(systems: Any) -> None:
    run = systems("the_the_the")
    assert set(base_outputs(run).values()) == {(collapsing.LOOP * 24)}
    rows = [row for task in run.samples for row in run.rows(task)]
    assert all(row["pair"]["variant"]["collapse"]["loop"] for row in rows)
    assert f"{len(rows)} of {len(rows)} outputs are caught in a repetition." in run.words


def test_no_rounding_is_called_what_it_is_not(systems: Any, reference: Run, suite: Suite) -> None:
    """Eight bits are not a collapse, and two bits of garbage are not alive."""
    names = ("8-bit", "2-bit", *COLLAPSED, SILENT)
    found = judged(suite, reference, *(systems(name) for name in names))
    label = {name: each["verdict"]["label"] for name, each in zip(names, found, strict=True)}
    assert label["8-bit"] not in {"COLLAPSED", "INDISCRIMINATE"}
    assert not {label["2-bit"], label[SILENT]} & ALIVE
    assert {name for name in names if label[name] == "COLLAPSED"} >= set(COLLAPSED)
    assert {name for name in names if label[name] == "STABLE"} <= {"8-bit"}
    drift = {name: each["drift"]["mean"]["estimate"] for name, each in zip(names, found, strict=True)}
    assert drift["8-bit"] < drift["2-bit"] and all(drift["8-bit"] < drift[name] for name in COLLAPSED)
