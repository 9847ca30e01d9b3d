"""The probe `recover` on tiny models: closed forms, a twin without a cache, and a control that is exactly 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from lm_eval_sensitivity.embedder import EmbedderIdentity, TextDistances
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes import recover
from lm_eval_sensitivity.probes.architecture import first_tensor
from lm_eval_sensitivity.probes.continuing import end_ids
from lm_eval_sensitivity.probes.files import codec
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.recover import measure as measuring
from lm_eval_sensitivity.probes.recover.document import document, reading
from lm_eval_sensitivity.probes.recover.measure import measure
from lm_eval_sensitivity.probes.recover.push import Pushed, Pusher, direction
from lm_eval_sensitivity.probes.recover.settings import Cell, Settings
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.report.blocks import ResultTable
from lm_eval_sensitivity.report.figures.style import NotDrawn, Picture, figure_of
from tests.probes.made import output_of, result_of
from tests.probes.models_trajectory import (
    PROMPTS,
    VOCABULARY,
    llama,
    memory,
    run_of,
    without_attention,
)
from tests.probes.test_replay import ARCHITECTURES, Largest, model_of


def pushed(
    model: Any, output: RunOutput, cells: Sequence[Cell], step: int, limit: int = 0, **more: Any
) -> Pushed:
    settings = {"end_ids": frozenset(), "seed": 0, **more}
    pusher = Pusher(Replay(model), tuple(cells), step, limit or len(output.output_ids), **settings)
    return pusher.push(output)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "cohere"])
def test_a_twin_without_a_cache_says_the_same(architecture: str) -> None:
    """The whole sequence again for every token, with the vector added at its position."""
    model = model_of(architecture)
    output, step = output_of(model, "p", PROMPTS[0]), 3
    cells = [Cell(0, 0.3), Cell(1, 1.0)]
    found = pushed(model, output, cells, step)
    at = len(output.prompt_ids) - 1 + step
    fed = torch.tensor([[*output.prompt_ids, *output.output_ids[:-1]]])
    states, log_p = seen(model, fed)
    for number, cell in enumerate(cells):
        other, other_log_p = seen(model, fed, cell, at)
        away = (other - states)[at:].norm(dim=-1) / states[at:].norm(dim=-1)
        np.testing.assert_allclose(found.distances[number], away, atol=2e-4, rtol=2e-3)
        kl = (log_p.exp() * (log_p - other_log_p)).sum(-1)[at:]
        np.testing.assert_allclose(found.divergences[number], kl, atol=1e-4, rtol=5e-3)
        ids = fed[0, : at + 1].tolist()
        while len(ids) < len(output.prompt_ids) + len(output.output_ids):
            _, free = seen(model, torch.tensor([ids]), cell, at)
            ids.append(int(free[-1].argmax()))
        assert found.tokens[number] == tuple(ids[len(output.prompt_ids) :])
    assert found.own == output.output_ids


def seen(
    model: Any, ids: torch.Tensor, cell: Cell | None = None, at: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """[position, width] states that go into the output embedding, [position, vocabulary] log-probabilities."""
    replay = Replay(model)
    states: list[torch.Tensor] = []
    hooks = [replay.architecture.head.register_forward_pre_hook(lambda _, args: states.append(args[0]))]
    if cell is not None:
        vector = torch.from_numpy(cell.alpha * direction("p", cell, replay.architecture.width, 0)).float()

        def add(module: Any, args: Any, output: Any) -> Any:
            changed = first_tensor(output).clone()
            changed[0, at] += vector * changed[0, at].norm()
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        hooks.append(replay.architecture.blocks[cell.layer].register_forward_hook(add))
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
    for hook in hooks:
        hook.remove()
    return states[0][0], torch.log_softmax(logits, dim=-1)


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_push_of_length_0_is_exactly_nothing(architecture: str, dtype: str) -> None:
    model = model_of(architecture, dtype)
    output = output_of(model, "p", PROMPTS[1])
    cells = [Cell(layer, alpha) for layer in (0, 1) for alpha in (0.0, 0.5, 2.0)]
    found = pushed(model, output, cells, 4)
    for number, cell in enumerate(cells):
        still = cell.alpha == 0
        assert bool((found.distances[number] == 0).all()) == still
        assert bool((found.divergences[number] == 0).all()) == still
        assert found.tokens[number] == found.own or not still


def test_without_attention_a_push_is_gone_at_the_next_token() -> None:
    model = without_attention()
    found = pushed(model, output_of(model, "p", PROMPTS[0]), [Cell(0, 1.0), Cell(2, 0.3)], 3)
    assert (found.distances[:, 0] > 0.01).all()
    assert (found.distances[:, 1:] == 0).all() and (found.divergences[:, 1:] == 0).all()


@pytest.mark.parametrize("step", [0, 5])
@pytest.mark.parametrize("prompt", [PROMPTS[0], (7,)])
def test_a_uniform_memory_fades_as_one_over_its_length(prompt: Sequence[int], step: int) -> None:
    """Block 1 adds c times the mean of the P + s + 1 states so far, of which one is moved by v: c v / (P + s + 1), and
    at the push v itself besides. Without any token before it and for large c this is e_0 / (1 + s)."""
    strength = 4.0
    model = memory(strength, reader=1)
    output = output_of(model, "p", prompt, 16)
    found = pushed(model, output, [Cell(0, 0.2), Cell(1, 0.2)], step)
    at = len(prompt) - 1 + step
    states, _ = seen(model, torch.tensor([[*prompt, *output.output_ids[:-1]]]))
    lengths = states[at:].norm(dim=-1).numpy()
    moved = found.distances[0] * lengths
    s = np.arange(len(moved))
    expected = strength / (at + 1 + s) + (s == 0)
    np.testing.assert_allclose(moved / moved[0], expected / expected[0], rtol=2e-3)
    assert (found.distances[1, 1:] == 0).all(), "behind the memory nothing remembers"


def test_the_same_push_whatever_else_is_pushed() -> None:
    model, cell = llama(), Cell(1, 0.3)
    output = output_of(model, "p", PROMPTS[2])
    alone = pushed(model, output, [cell], 4)
    among = pushed(model, output, [Cell(0, 1.0), cell, Cell(2, 0.03)], 4)
    np.testing.assert_allclose(alone.distances[0], among.distances[1], rtol=1e-3)
    other = pushed(model, output, [cell], 4, seed=1)
    assert abs(other.distances[0, 0] / alone.distances[0, 0] - 1) > 1e-3
    directions = [direction("p", each, 48, 0) for each in (cell, Cell(1, 0.31), Cell(2, 0.3))]
    assert all(np.linalg.norm(each) == pytest.approx(1) for each in directions)
    assert all(abs(one @ two) < 0.7 for one in directions for two in directions if one is not two)


def test_a_free_path_ends_at_its_end_token_or_the_limit() -> None:
    model = llama()
    output = output_of(model, "p", PROMPTS[3], 12)
    whole = pushed(model, output, [Cell(0, 2.0)], 2, limit=20)
    assert len(whole.own) == len(whole.tokens[0]) == 20, "a free path goes on behind a shorter output"
    assert whole.distances.shape == (1, 10), "and the fixed one does not"
    end = whole.tokens[0][6]
    first = whole.tokens[0].index(end, 2)
    ended = pushed(model, output, [Cell(0, 2.0)], 2, limit=20, end_ids=frozenset({end}))
    assert ended.tokens[0] == whole.tokens[0][: first + 1]
    np.testing.assert_array_equal(ended.distances, whole.distances)


def test_a_path_of_an_output_that_a_stop_string_ended_is_as_long() -> None:
    output = replace(output_of(llama(), "p", PROMPTS[3], 9), finish_reason="stop_string")
    found = pushed(llama(), output, [Cell(0, 2.0)], 2, limit=20)
    assert found.own == output.output_ids and len(found.tokens[0]) == 9


def test_no_logits_of_a_whole_prompt_exist() -> None:
    """A prompt of 400 tokens would have 1,600,000 numbers; the largest tensor is the past of six rows."""
    output = RunOutput("p", tuple(range(400)), (1, 2, 3, 4), "", "length")
    large = llama(vocabulary=4_000)
    with Largest() as largest:
        pushed(large, output, [Cell(0, 0.0), Cell(0, 0.3)], 1)
    assert largest.elements == 6 * 48 * len(output.prompt_ids + output.output_ids[:-1])


# ---- the whole probe


class Letters:
    """An embedder without a model: counts of letters."""

    identity = EmbedderIdentity("letters", None, "0", "local", 10_000, 26)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        counts = np.array(
            [[text.count(chr(97 + letter)) for letter in range(26)] for text in texts], np.float32
        )
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


class Tokenizer:
    """A letter for each token."""

    eos_token_id = VOCABULARY - 1

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return "".join(chr(97 + each % 26) for each in ids)


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Files:
        def load(self) -> Letters:
            return Letters()

    monkeypatch.setattr(measuring, "find_embedder", lambda name: Files())


@cache
def model() -> Any:
    return llama()


SETTINGS = Settings(step=2, alphas=(0.3, 2.0))


@pytest.mark.usefixtures("letters")
def test_a_result_is_counted_written_read_shown_and_drawn() -> None:
    replay, outputs = Replay(model(), Tokenizer()), run_of(model())
    result = result_of(recover.PROBE, replay, outputs, SETTINGS)
    found = result.finding
    pushes = [each for each in found.pushes if each.alpha > 0]
    assert (found.n_prompts, found.n_own_paths, len(pushes), len(found.pushes)) == (6, 6, 36, 54)
    assert (found.control_distance, found.control_changed) == (0, 0)
    overall = found.overall
    assert overall.n_changed == sum(each.first_divergence is not None for each in pushes) > 0
    assert overall.n_decided == sum(each.recovered is not None for each in pushes)
    assert overall.changed.estimate == pytest.approx(overall.n_changed / 36) and overall.changed.n == 6
    for each in found.pushes:
        assert (each.cosine > 0) <= each.path_changed
    assert all(each.first_divergence is None or each.first_divergence >= 2 for each in pushes)
    row = next(each for each in found.cells if (each.layer, each.alpha) == (1, 2.0))
    ours = [each for each in pushes if (each.layer, each.alpha) == (1, 2.0)]
    assert row.at_push == pytest.approx(np.median([each.at_push for each in ours]))
    assert row.unchanged.estimate == pytest.approx(np.mean([not each.path_changed for each in ours]))
    assert result.agreement.share == 1
    values = {each.measure: each.values for each in result.per_prompt}
    changed = [each.path_changed for each in pushes if each.prompt_id == "p1"]
    assert values["path_changed_share"]["p1"] == pytest.approx(np.mean(changed))
    again = codec("recover").load(codec("recover").dump(result), "x")
    assert repr(again.finding) == repr(found)
    tables = {each.name: each for each in document(again) if isinstance(each, ResultTable)}
    assert len(tables["recover"].rows) == 9 and len(tables["recover pushes"].rows) == 54
    drawn = recover.PROBE.picture(again)
    assert isinstance(drawn, Picture) and len(figure_of(drawn).axes) == 2


def test_texts_without_a_tokenizer_or_an_embedder_are_missing_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measure(Replay(model()), run_of(model()), SETTINGS).finding
    assert found.cosine_missing == "the model came without a tokenizer"
    assert all(np.isnan(each.cosine) for each in found.pushes) and np.isnan(found.overall.rank_correlation)

    def refuse(name: str | None) -> TextDistances:
        raise InputError(f"no embedder {name}")

    monkeypatch.setattr(measuring, "find_embedder", refuse)
    settings = Settings(step=2, alphas=(0.3,))
    finding = measure(Replay(model(), Tokenizer()), run_of(model()), settings).finding
    assert finding.cosine_missing == "no embedder None"
    with pytest.raises(InputError, match="no embedder nowhere"):
        measure(Replay(model(), Tokenizer()), run_of(model()), Settings(step=2, embedder="nowhere"))


def test_outputs_that_end_before_the_push_are_left_out() -> None:
    outputs = run_of(model(), (14, 14, 4, 9, 14, 14))
    found = measure(Replay(model()), outputs, Settings(step=4, alphas=(0.3,)))
    assert found.finding.n_prompts == 5
    assert "1 outputs end before step 4, where the push is: p2." in [str(each) for each in found.notes]
    lags = {each.prompt_id: (each.n_steps, each.lag_4) for each in found.finding.pushes}
    assert lags["p3"][0] == 5 and np.isnan(next(each.lag_16 for each in found.finding.pushes))
    undecided = [each.recovered for each in found.finding.pushes if each.prompt_id == "p3"]
    assert undecided == [None] * len(undecided)
    with pytest.raises(InputError, match="No output goes on beyond step 40"):
        measure(Replay(model()), outputs, Settings(step=40))


def test_only_the_control() -> None:
    result = result_of(recover.PROBE, Replay(model()), run_of(model()), Settings(step=2, alphas=()))
    assert result.finding.overall.n_pushes == 0 and np.isnan(result.finding.overall.cosine_changed)
    assert "No push was asked for" in str(reading(result.finding))
    assert isinstance(recover.PROBE.picture(result), NotDrawn)


def test_rows_that_are_not_computed_alike_are_owned_up_to() -> None:
    result = result_of(recover.PROBE, Replay(model()), run_of(model()), Settings(step=2))
    noisy = replace(
        result, finding=replace(result.finding, control_distance=1e-3, control_changed=2, n_own_paths=4)
    )
    cautions = [each.text for each in document(noisy) if getattr(each, "kind", "") == "caution"]
    assert "moved a state by 0.001 and changed 2 paths" in cautions[0]
    assert "2 of 6 outputs are not the recorded ones" in cautions[1]
    assert not [each for each in document(result) if getattr(each, "kind", "") == "caution"]


def test_tokens_that_end_an_output() -> None:
    outputs = run_of(model()).bases.values()
    assert end_ids(Replay(model(), Tokenizer()), outputs) == {VOCABULARY - 1}
    assert end_ids(Replay(model()), outputs) == frozenset()


@pytest.mark.parametrize(
    ("recovered", "changed", "both", "carries"),
    [(30, 10, 6, True), (30, 10, 4, False), (10, 10, 6, False), (36, 0, 0, False)],
)
def test_what_carries_the_difference_is_said_only_where_it_is_clear(
    recovered: int, changed: int, both: int, carries: bool
) -> None:
    found = result_of(recover.PROBE, Replay(model()), run_of(model()), SETTINGS).finding
    counts = {"n_decided": 36, "n_recovered": recovered, "n_changed": changed, "n_both": both}
    said = str(reading(replace(found, overall=replace(found.overall, **counts))))
    assert said.startswith(f"After a push the state came back in {recovered} of 36 runs")
    assert ("the path, not the state, carries" in said) == carries
