"""The radius probe on a model: what it is fed, what it leaves, and that its numbers are those of forward passes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics.logits import kl_divergence
from lm_eval_sensitivity.probes.document import probe_document
from lm_eval_sensitivity.probes.files import codec
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.radius import PROBE
from lm_eval_sensitivity.probes.radius.document import reading
from lm_eval_sensitivity.probes.radius.finding import RadiusFinding
from lm_eval_sensitivity.probes.radius.settings import RadiusSettings
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures.style import NotDrawn, Picture, figure_of
from tests.probes import made
from tests.probes.models_radius import run_of
from tests.probes.test_radius_head import replay_of

STEPS = 4
SETTINGS = RadiusSettings(steps=(0, 2, 9), taus=(0.01, 0.1))
PROMPTS = {
    f"p{n}": {
        "base": (5 + n, 9, 7 * n, 31),
        "mid_newline": (5 + n, 9, 100, 7 * n, 31),
        "synonym_1": (5 + n, 200, 7 * n, 31),
        "synonym_2": (5 + n, 201, 7 * n, 31),
        "control_topic": (40, 50, 60 + n),
    }
    for n in range(6)
}


@cache
def fed(architecture: str, dtype: str) -> tuple[Any, RunOutputs]:
    replay = replay_of(architecture, dtype.removeprefix("upcast "))
    if dtype.startswith("upcast"):
        replay = Replay(replay.model, upcast=True)
    return replay, run_of(replay, PROMPTS, STEPS)


def result_of(
    settings: RadiusSettings, architecture: str = "llama", dtype: str = "float32"
) -> ProbeResult[Any]:
    replay, outputs = fed(architecture, dtype)
    return made.result_of(PROBE, replay, outputs, settings)


@cache
def found() -> ProbeResult[RadiusFinding]:
    return result_of(SETTINGS)


def states_and_logits(model: Any, ids: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The input of the final norm at the last position, and the log-probabilities after it."""
    seen = []
    hook = model.model.norm.register_forward_pre_hook(lambda module, args: seen.append(args[0][0, -1]))
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
    hook.remove()
    return seen[0].double().numpy(), torch.log_softmax(logits.double(), -1).numpy()


def test_states_are_those_of_the_steps_that_outputs_have() -> None:
    finding = found().finding
    assert [(state.prompt_id, state.step) for state in finding.states] == [
        (f"p{n}", step) for n in range(6) for step in (0, 2)
    ]
    replay, outputs = fed("llama", "float32")
    for state in finding.states:
        output = outputs.bases[state.prompt_id]
        x, log = states_and_logits(replay.model, (*output.prompt_ids, *output.output_ids[: state.step]))
        assert state.length == pytest.approx(np.linalg.norm(x), rel=1e-5)
        assert state.top_probability == pytest.approx(np.exp(log.max()), rel=1e-5)
        assert state.margin == pytest.approx(np.diff(np.sort(log))[-1], abs=1e-4)
        assert state.top_residual < 1e-3


def test_real_edits_move_as_far_as_two_forward_passes_are_apart() -> None:
    edits = found().finding.edits
    assert {(each.edit, each.direction) for each in edits} == {
        ("mid_newline", "edit"),
        ("synonym_1", "edit"),
        ("control_topic", "control"),
    }
    replay, _ = fed("llama", "float32")
    for each in edits:
        base, log_base = states_and_logits(replay.model, PROMPTS[each.prompt_id]["base"])
        other, log_other = states_and_logits(replay.model, PROMPTS[each.prompt_id][each.edit])
        assert each.shift == pytest.approx(np.linalg.norm(other - base) / np.linalg.norm(base), rel=1e-4)
        assert each.actual == pytest.approx(kl_divergence(log_base, log_other), rel=1e-3, abs=1e-6)


def test_measured_radii_are_reached_and_the_top_direction_is_the_shortest() -> None:
    finding = found().finding
    by_name = {(line.prompt_id, line.step, line.direction, line.edit): line for line in finding.lines}
    assert len(by_name) == len(finding.lines) == 6 * 2 * 2 + 6 * 3
    for (prompt, step, direction, _), line in by_name.items():
        top = by_name[prompt, step, "top", ""]
        assert top.predicted[0] <= line.predicted[0] * (1 + 1e-3), direction
        assert line.measured[0] < line.measured[1]
    row = next(row for row in finding.rows if (row.direction, row.tau) == ("top", 0.1))
    lines = [line for line in finding.lines if line.direction == "top"]
    errors = [abs(line.predicted[1] / line.measured[1] - 1) for line in lines]
    assert (row.n_lines, row.n_prompts, row.error) == (12, 6, pytest.approx(np.median(errors)))


def test_numbers_of_prompts_are_means_over_their_steps() -> None:
    result = found()
    argmax, top = result.per_prompt
    own = [state.argmax_radius for state in result.finding.states if state.prompt_id == "p3"]
    assert argmax.values["p3"] == pytest.approx(np.mean(own))
    lines = [line for line in result.finding.lines if (line.prompt_id, line.direction) == ("p3", "top")]
    assert top.values["p3"] == pytest.approx(np.mean([line.measured[0] for line in lines]))
    assert [each.measure for each in result_of(replace(SETTINGS, taus=(0.1,))).per_prompt] == [
        "argmax_radius"
    ]


def test_the_seed_gives_the_random_direction_and_the_rest_does_not_depend_on_it() -> None:
    first, again = found().finding, result_of(SETTINGS).finding
    other = result_of(replace(SETTINGS, seed=1)).finding
    assert first == again
    for a, b in zip(first.lines, other.lines, strict=True):
        same = a.measured == pytest.approx(b.measured, rel=1e-3)
        assert same == (a.direction != "random")


def test_without_the_prompt_end_no_variant_is_looked_at_and_the_head_is_checked_all_the_same() -> None:
    finding = result_of(replace(SETTINGS, steps=(2,))).finding
    assert {line.direction for line in finding.lines} == {"top", "random"}
    assert 0 < finding.head_difference < 1e-5


def test_named_edits_are_taken_all_and_what_is_not_there_is_refused() -> None:
    finding = result_of(replace(SETTINGS, edits=("synonym_2",))).finding
    assert {(each.edit, each.direction) for each in finding.edits} == {("synonym_2", "edit")}
    with pytest.raises(InputError, match=r"`steps`.* the longest output of the run has"):
        result_of(replace(SETTINGS, steps=(4_000,)))
    with pytest.raises(InputError, match=r"synonym_3.*Did you mean"):
        result_of(replace(SETTINGS, edits=("synonym_3",)))


@pytest.mark.parametrize(
    "settings",
    [
        {"side": "middle"},
        {"taus": ()},
        {"taus": (0.0, 0.1)},
        {"taus": (0.5, 0.1)},
        {"taus": (0.1, 0.1)},
        {"steps": (-1,)},
        {"lanczos_steps": 0},
    ],
)
def test_settings_out_of_range_are_refused(settings: Any) -> None:
    with pytest.raises(InputError, match=f"`{next(iter(settings))}`"):
        RadiusSettings(**settings)


def test_a_head_that_does_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    replay, _ = fed("llama", "float32")
    real = replay.logits
    monkeypatch.setattr(replay, "logits", lambda states: real(states) * 1.01)
    with pytest.raises(InputError, match="Something else stands"):
        result_of(SETTINGS)


@pytest.mark.parametrize(
    ("architecture", "dtype"),
    [("gpt2", "float32"), ("gemma2", "float32"), ("llama", "bfloat16"), ("llama", "upcast bfloat16")],
)
@pytest.mark.parametrize("side", ["pre", "post"])
def test_other_norms_sides_and_types(architecture: str, dtype: str, side: str) -> None:
    finding = result_of(replace(SETTINGS, side=side), architecture, dtype).finding
    assert finding.norm == ("layer" if architecture == "gpt2" else "rms")
    assert finding.soft_cap == (30 if architecture == "gemma2" else None)
    assert finding.head_difference < (3e-2 if dtype == "bfloat16" else 1e-5)
    top = [row for row in finding.rows if row.direction == "top"]
    assert [row.n_lines for row in top] == [12, 12]
    assert top[0].error < 0.2


def test_a_result_is_kept_said_and_drawn() -> None:
    result = found()
    kept = codec("radius").load(codec("radius").dump(result), "`x.json`")
    assert codec("radius").dump(kept) == codec("radius").dump(result)
    words = " ".join(probe_document([kept]).text_in("table"))
    assert "off at tau = 0.01" in words
    assert "times as much as the formula says (median over 12 pairs of 6 prompts)" in words
    tables = probe_document([kept]).tables_in("table")
    assert [table.name for table in tables] == ["radius", "edits", "states"]
    picture = PROBE.picture(kept)
    assert isinstance(picture, Picture)
    assert len(figure_of(picture).axes) == 2


def test_nothing_measured_is_said_and_not_drawn() -> None:
    result = found()
    lines = tuple(
        replace(line, flat=True, predicted=(np.nan, np.nan), measured=(np.nan, np.nan))
        for line in result.finding.lines
    )
    empty = replace(result, finding=replace(result.finding, rows=(), shifts=(), lines=lines, curve=None))
    assert isinstance(PROBE.picture(empty), NotDrawn)
    assert reading(empty.finding) == "No radius could be measured."
