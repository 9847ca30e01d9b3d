"""Rows that have ended leave the batch, and what is generated and recorded of the others stays what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from lm_eval_sensitivity.harness.engines.hf import decoder
from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder, can_shrink
from lm_eval_sensitivity.harness.engines.hf.greedy import greedy_generation_config
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from tests.harness import tiny_models
from tests.harness.test_trace_twin import assert_equal, load, twin

N_STEPS = 40
PROMPTS = tuple("one two three four five six seven eight"[: 5 * n] for n in range(1, 9))


def often_ends(lm: Any, prompts: list[list[int]]) -> tuple[int, ...]:
    """End tokens by which rows end at different steps: what every third row says first at some step of its own."""
    with greedy_generation_config(lm.model):
        free = [
            each.trace.token_ids.tolist() for each in Decoder(lm, Decoding(N_STEPS, ()), ()).generate(prompts)
        ]
    ends: set[int] = set()
    for row in range(0, len(free), 3):
        new = [step for step in range(2 * row, N_STEPS) if free[row][step] not in free[row][:step]]
        ends |= {free[row][step] for step in new[:1]}
    return tuple(sorted(ends))


@pytest.fixture(params=tiny_models.CONFIGS)
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_row_is_what_it_is_alone(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = load(tiny_models.build(tmp_path / "model", architecture))
    prompts = [lm.tok_encode(prompt) for prompt in PROMPTS]
    ends = often_ends(lm, prompts)
    monkeypatch.setattr("tests.harness.test_trace_twin.end_token_ids", lambda *given: ends)
    rows: list[int] = []
    lm.model.get_output_embeddings().register_forward_hook(lambda m, i, output: rows.append(len(output)))
    with greedy_generation_config(lm.model):
        outputs = Decoder(lm, Decoding(N_STEPS, ()), ends).generate(prompts)
    steps = sorted(len(output.trace.token_ids) for output in outputs if output.trace)
    assert len(set(steps)) >= 2, "the rows of this test end at different steps"
    assert sorted(set(rows), reverse=True) == list(dict.fromkeys(rows)) and len(set(rows)) > 1
    for prompt, output in zip(prompts, outputs, strict=True):
        assert_equal(output, twin(lm, prompt, N_STEPS), 2e-3)


def test_it_computes_less_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = load(tiny_models.build(tmp_path / "model", "llama"))
    prompts = [lm.tok_encode(prompt) for prompt in PROMPTS]
    ends = often_ends(lm, prompts)
    found, computed = [], []
    for shrinks in (False, True):
        monkeypatch.setattr(decoder, "can_shrink", lambda model, shrinks=shrinks: shrinks)
        rows: list[int] = []
        hook = lm.model.get_output_embeddings().register_forward_hook(
            lambda m, i, output, rows=rows: rows.append(len(output))
        )
        with greedy_generation_config(lm.model):
            found.append(Decoder(lm, Decoding(N_STEPS, ()), ends).generate(prompts))
        hook.remove()
        computed.append(sum(rows))
    assert computed[1] < 0.8 * computed[0]
    for whole, shrunk in zip(*found, strict=True):
        assert whole.text == shrunk.text and whole.trace.finish_reason == shrunk.trace.finish_reason
        assert whole.trace.token_ids.tolist() == shrunk.trace.token_ids.tolist()
        np.testing.assert_allclose(whole.trace.margins, shrunk.trace.margins, atol=2e-3)


def test_what_remembers_more_than_keys_and_values_does_not_shrink() -> None:
    torch.manual_seed(0)
    mamba = transformers.MambaForCausalLM(
        transformers.MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2)
    )
    llama = transformers.LlamaForCausalLM(tiny_models.CONFIGS["llama"](50))
    assert (can_shrink(mamba), can_shrink(llama)) == (False, True)
    llama.generation_config.cache_implementation = "static"
    assert not can_shrink(llama)
