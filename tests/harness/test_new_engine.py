"""What a new engine costs: the class below, and no other file.

It gives text, token ids and the five most probable tokens of every step, but no hidden states and no whole
distribution. What needs those is missing and says so; everything else works.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_eval.models.dummy import DummyLM
from numpy.typing import NDArray

from lm_eval_sensitivity.harness.engines.contract import Engine, Request
from lm_eval_sensitivity.harness.engines.registry import engine_of, register
from lm_eval_sensitivity.harness.engines.text import TextEngine
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.generation import Output, Trace, margins_of
from lm_eval_sensitivity.ladder.schema import pair_from_row
from lm_eval_sensitivity.metrics import first_divergence, js_divergence
from lm_eval_sensitivity.records.packing import unpack
from lm_eval_sensitivity.records.sample import decode_row
from lm_eval_sensitivity.runs.table import cells_of
from lm_eval_sensitivity.types import Channel
from tests.harness.letter_model import LetterModel
from tests.harness.test_engines import EDGES, IDENTICAL, NOOP, evaluate, raw_rows

N_STEPS = 24


@register(LetterModel)
class TopFiveEngine(Engine):
    """Shows the five leading letters of each step."""

    gives: frozenset[Channel] = frozenset(
        {"text", "token ids", "step log-probabilities", "prompt-end log-probabilities"}
    )

    def identity(self, decoding: Decoding) -> dict[str, object]:
        return {"engine": "LetterModel", "sharpness": self.lm.sharpness, "decoding": decoding.as_dict()}

    def encode(self, context: Any) -> list[int]:
        ids: list[int] = self.lm.tok_encode(context)
        return ids

    def generate(
        self, batch: Sequence[Request], decoding: Decoding, channels: Collection[Channel]
    ) -> list[Output]:
        return [self._output(request.token_ids or (), decoding.max_gen_toks) for request in batch]

    def _output(self, prompt: Sequence[int], n_steps: int) -> Output:
        ids, steps = self.lm.greedy(prompt, n_steps)
        top_ids = np.argsort(-steps, axis=1)[:, :5].astype(np.int32)
        top = np.take_along_axis(steps, top_ids, axis=1).astype(np.float32)
        text = self.lm.tok_decode(ids)
        trace = Trace(
            np.asarray(ids, np.int32),
            "length",
            text,
            prompt_token_ids=np.asarray(prompt, np.int32),
            margins=margins_of(top),
            top1_log_probabilities=top[:, 0],
            prompt_end_top_ids=top_ids[0],
            prompt_end_top_log_probabilities=top[0],
        )
        return Output(text, trace)


def run(lm: LetterModel, task: str = NOOP, **options: Any) -> list[dict[str, Any]]:
    settings = {"apply_chat_template": False, "gen_kwargs": {"max_gen_toks": N_STEPS}, **options}
    return raw_rows(evaluate(lm, tasks=task, **settings), task)


@pytest.fixture(scope="module")
def model() -> LetterModel:
    return LetterModel(sharpness=1.0)


@pytest.fixture(scope="module")
def rows(model: LetterModel) -> list[dict[str, Any]]:
    return run(model)


def sides(
    model: LetterModel, rows: list[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], list[tuple[list[int], NDArray[np.float64]]]]]:
    """Every row whose edit reaches the model, and what the model does with both of its prompts."""
    for row in rows:
        prompts = [model.tok_encode(row["doc"][side]) for side in ("base", "variant")]
        if prompts[0] != prompts[1]:
            yield row, [model.greedy(prompt, N_STEPS) for prompt in prompts]


def test_the_decorator_is_all_that_registers_it(model: LetterModel) -> None:
    assert type(engine_of(model, {})) is TopFiveEngine
    assert type(engine_of(DummyLM(), {})) is TextEngine


def test_the_audit_is_of_the_ids_that_the_engine_shows(
    model: LetterModel, rows: list[dict[str, Any]]
) -> None:
    survived = [row["doc"]["pair_id"] for row, _ in sides(model, rows)]
    assert survived
    for row in rows:
        status = "survived" if row["doc"]["pair_id"] in survived else "erased"
        assert row["pair"]["audit"]["status"] == status
        assert math.isnan(row["token_edit_distance"]) == (status == "erased")
    assert EDGES & {row["doc"]["edit"] for row in rows if row["pair"]["audit"]["status"] == "erased"} == EDGES


def test_margins_and_first_divergence_are_those_of_the_model(
    model: LetterModel, rows: list[dict[str, Any]]
) -> None:
    parted = 0
    for row, both in sides(model, rows):
        pair = row["pair"]
        for side, (ids, steps) in zip(("base", "variant"), both, strict=True):
            ordered = np.sort(steps, axis=1)
            assert unpack(pair[side]["token_ids"]).tolist() == ids
            np.testing.assert_allclose(
                unpack(pair[side]["margins"]), ordered[:, -1] - ordered[:, -2], atol=1e-5
            )
            assert pair["margins"][side]["margin_min"] == pytest.approx(
                float((ordered[:, -1] - ordered[:, -2]).min()), abs=1e-5
            )
        expected = first_divergence(both[0][0], both[1][0], cut=(True, True)).step
        assert pair["token_path"]["first_divergence"] == expected
        parted += expected is not None
        assert not math.isnan(row["cosine_distance"])
        assert not math.isnan(row["token_edit_distance"])
    assert parted


def test_the_divergence_at_the_prompt_end_lies_between_its_bounds(
    model: LetterModel, rows: list[dict[str, Any]]
) -> None:
    for row, ((_, base), (_, variant)) in sides(model, rows):
        end = row["pair"]["prompt_end"]
        truth = js_divergence(base[0], variant[0])
        assert end["js_lower"] <= truth + 1e-6
        assert truth - 1e-6 <= end["js_upper"]
        assert end["flipped"] == (base[0].argmax() != variant[0].argmax())
        assert end["top1_probability_base"] == pytest.approx(math.exp(base[0].max()), abs=1e-6)
        assert math.isnan(row["js_divergence"])
        reason = row["pair"]["missing"]["js_divergence"]
        assert reason.startswith("not known: ")
        assert f"between {end['js_lower']:.4f} and {end['js_upper']:.4f}" in reason


def test_where_the_leading_tokens_are_all_the_divergence_is_a_number() -> None:
    model = LetterModel(sharpness=20.0)
    known = 0
    for row, ((_, base), (_, variant)) in sides(model, run(model)):
        if not math.isnan(row["js_divergence"]):
            known += 1
            assert row["js_divergence"] == pytest.approx(js_divergence(base[0], variant[0]), abs=0.0026)
    assert known


def test_what_the_engine_does_not_give_is_missing_with_its_reason(
    model: LetterModel, rows: list[dict[str, Any]]
) -> None:
    for row, _ in sides(model, rows):
        assert math.isnan(row["hidden_distance"])
        assert row["pair"]["missing"]["hidden_distance"] == "not given: this engine gives no hidden states"
        assert row["pair"]["base"].get("entropies") is None


def test_the_readers_of_runs_take_its_rows(model: LetterModel, rows: list[dict[str, Any]]) -> None:
    for line, _ in sides(model, rows):
        cells = cells_of(decode_row(line, "row"), pair_from_row(line["doc"], "row"))
        assert cells["audit_status"] == "survived"
        assert min(cells["margin_min"], cells["margin_min_variant"]) > 0
        assert 0 < cells["top1_probability"] < 1
        assert cells["js_divergence"] is None
        assert cells["missing_kl_forward"].startswith("not known: ")
        assert cells["missing_prompt_end_hidden_distance"].startswith("not given: ")


def test_the_store_serves_it_and_asks_again_once_more_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, cache = LetterModel(sharpness=1.0), str(tmp_path / "cache")
    first = run(model, IDENTICAL, use_cache=cache)
    n_generated = model.n_generated
    assert n_generated == 4 * len(first), "three replicates are generated, not copied"
    assert repr(run(model, IDENTICAL, use_cache=cache)) == repr(first)
    assert model.n_generated == n_generated
    monkeypatch.setattr(TopFiveEngine, "gives", TopFiveEngine.gives | {"hidden states"})
    run(model, IDENTICAL, use_cache=cache)
    assert model.n_generated == 2 * n_generated, "an entry without a channel that is asked for is not taken"
