"""The trace equals the slow, obvious computation: one prompt at a time, full logits and hidden states.

Random models of seven architectures, float32 and bfloat16, and a trained one where it is at hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.models.huggingface import HFLM

from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder, stop_criterion
from lm_eval_sensitivity.harness.engines.hf.greedy import end_token_ids, greedy_generation_config
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.generation import Output
from tests.harness import tiny_models

PROMPTS = (
    "Why does the sky look blue at noon?",
    "Hi",
    "Write a short story about a lighthouse keeper who receives a letter addressed to someone else.",
    "  Two   spaces and a\nnewline",
)
N_STEPS = 20


def load(folder: Path, **options: Any) -> HFLM:
    return HFLM(pretrained=str(folder), device="cpu", batch_size=4, **options)


def decode(lm: HFLM, prompts: list[list[int]], n_steps: int = N_STEPS) -> list[Output]:
    with greedy_generation_config(lm.model):
        ends = tuple(end_token_ids(lm.model, lm.tokenizer))
        return Decoder(lm, Decoding(n_steps, ()), ends).generate(prompts)


def encode(lm: HFLM) -> list[list[int]]:
    return [lm.tok_encode(prompt) for prompt in PROMPTS]


def twin(lm: HFLM, prompt: list[int], n_steps: int = N_STEPS) -> dict[str, Any]:
    """Greedy decoding by calling the model on the whole sequence at every step, without a cache."""
    ends = set(end_token_ids(lm.model, lm.tokenizer))
    ids = list(prompt)
    logits, hidden = [], []
    while len(ids) - len(prompt) < n_steps:
        with torch.inference_mode():
            output = lm.model(torch.tensor([ids]), output_hidden_states=True, use_cache=False)
        logits.append(output.logits[0, -1].float().numpy())
        hidden.append(output.hidden_states[-1][0, -1].float().numpy())
        ids.append(int(logits[-1].argmax()))
        if ids[-1] in ends:
            break
    table = np.stack(logits).astype(np.float64)
    log_probabilities = table - np.logaddexp.reduce(table, axis=1, keepdims=True)
    top = np.sort(table, axis=1)[:, -2:]
    return {
        "token_ids": ids[len(prompt) :],
        "margins": top[:, 1] - top[:, 0],
        "top1": log_probabilities.max(axis=1),
        "entropies": -(np.exp(log_probabilities) * log_probabilities).sum(axis=1),
        "prompt_end": log_probabilities[0],
        "hidden_mean": np.stack(hidden).mean(axis=0),
        "prompt_end_hidden": hidden[0],
    }


def assert_equal(output: Output, expected: dict[str, Any], tolerance: float) -> None:
    trace = output.trace
    assert trace is not None
    assert trace.hidden_mean is not None
    assert trace.token_ids.tolist() == expected["token_ids"]
    close = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(trace.margins, expected["margins"], **close)
    np.testing.assert_allclose(trace.top1_log_probabilities, expected["top1"], **close)
    np.testing.assert_allclose(trace.entropies, expected["entropies"], **close)
    np.testing.assert_allclose(trace.prompt_end_log_probabilities, expected["prompt_end"], **close)
    np.testing.assert_allclose(trace.prompt_end_hidden, expected["prompt_end_hidden"], **close)
    np.testing.assert_allclose(trace.hidden_mean, expected["hidden_mean"], **close)


@pytest.mark.parametrize("architecture", sorted(tiny_models.CONFIGS))
def test_the_batched_trace_equals_the_twin_in_float32(architecture: str, tmp_path: Path) -> None:
    lm = load(tiny_models.build(tmp_path / "model", architecture))
    prompts = encode(lm)
    for output, prompt in zip(decode(lm, prompts), prompts, strict=True):
        assert_equal(output, twin(lm, prompt), tolerance=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "qwen3", "phi3"])
def test_the_unbatched_trace_follows_the_twin_in_bfloat16(architecture: str, tmp_path: Path) -> None:
    """A cache changes the order of bfloat16 sums, so ids may part where two logits nearly tie, not before."""
    lm = load(tiny_models.build(tmp_path / "model", architecture, dtype="bfloat16"))
    assert lm.model.dtype == torch.bfloat16
    for prompt in encode(lm):
        trace = decode(lm, [prompt])[0].trace
        expected = twin(lm, prompt)
        assert trace is not None
        ids = trace.token_ids.tolist()
        same = next(
            (i for i, (a, b) in enumerate(zip(ids, expected["token_ids"], strict=False)) if a != b),
            min(len(ids), len(expected["token_ids"])),
        )
        scale = float(np.abs(expected["margins"]).max())
        np.testing.assert_allclose(trace.margins[:same], expected["margins"][:same], atol=0.1 * scale)
        if same < len(ids):
            assert expected["margins"][same] < 0.1 * scale


def test_the_trace_of_a_trained_model_equals_the_twin(demo: Path) -> None:
    lm = load(demo)
    prompts = encode(lm)
    for output, prompt in zip(decode(lm, prompts), prompts, strict=True):
        assert_equal(output, twin(lm, prompt), tolerance=2e-4)


def test_the_trace_of_a_model_made_by_others_equals_the_twin(shared: Path) -> None:
    lm = load(shared / "models" / "stories260K")
    prompts = encode(lm)
    for output, prompt in zip(decode(lm, prompts), prompts, strict=True):
        assert_equal(output, twin(lm, prompt), tolerance=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_neighbors_padding_and_early_ends_change_nothing(architecture: str, tmp_path: Path) -> None:
    """Every row alone, in a batch, and in the batch reversed: same ids, same numbers."""
    lm = load(tiny_models.build(tmp_path / "model", architecture))
    prompts = encode(lm)
    ends = _make_some_rows_end_early(lm, prompts)
    alone = [decode(lm, [prompt])[0] for prompt in prompts]
    batched = decode(lm, prompts)
    turned = decode(lm, prompts[::-1])[::-1]
    lengths = {len(output.trace.token_ids) for output in alone if output.trace is not None}
    assert len(lengths) > 1, "this test needs rows that end at different steps"
    assert {output.trace.finish_reason for output in alone if output.trace is not None} >= {"end_token"}
    for one, two, three in zip(alone, batched, turned, strict=True):
        for other in (two, three):
            assert one.text == other.text
            assert one.trace is not None and other.trace is not None
            assert one.trace.finish_reason == other.trace.finish_reason
            assert one.trace.token_ids.tolist() == other.trace.token_ids.tolist()
            for name in (
                "margins",
                "top1_log_probabilities",
                "entropies",
                "hidden_mean",
                "prompt_end_hidden",
            ):
                np.testing.assert_allclose(
                    getattr(one.trace, name), getattr(other.trace, name), atol=2e-4, rtol=2e-4
                )
    assert ends


def _make_some_rows_end_early(lm: HFLM, prompts: list[list[int]]) -> list[int]:
    """Declare a token that some row generates midway an end token of the model."""
    ids = [output.trace.token_ids.tolist() for output in decode(lm, prompts) if output.trace is not None]
    middle = next(
        token
        for row in ids
        for token in row[3 : N_STEPS - 5]
        if any(token not in other[: N_STEPS - 1] for other in ids)
    )
    lm.model.generation_config.eos_token_id = [lm.tokenizer.eos_token_id, middle]
    return [middle]


def test_a_repetition_penalty_in_the_checkpoint_is_neutralized_and_restored(tmp_path: Path) -> None:
    plain = load(tiny_models.build(tmp_path / "plain", "llama"))
    bent = load(tiny_models.build(tmp_path / "bent", "llama", repetition_penalty=1.8, no_repeat_ngram_size=2))
    prompts = encode(plain)
    expected = [output.text for output in decode(plain, prompts)]
    assert [output.text for output in decode(bent, prompts)] == expected
    with greedy_generation_config(bent.model) as neutralized:
        assert neutralized == {"repetition_penalty": 1.8, "no_repeat_ngram_size": 2}
    assert bent.model.generation_config.repetition_penalty == 1.8
    # And it would have mattered: the model's own generate gives something else.
    with torch.inference_mode():
        own = bent.model.generate(
            torch.tensor([prompts[0]]), max_new_tokens=N_STEPS, do_sample=False, pad_token_id=0
        )
    assert bent.tok_decode(own[0, len(prompts[0]) :].tolist()) != expected[0]


def test_a_stop_string_half_in_the_prompt_was_never_said(tmp_path: Path) -> None:
    lm = load(tiny_models.build(tmp_path / "model", "llama"))
    prompt = encode(lm)[0]
    whole = decode(lm, [prompt])[0]
    stop = PROMPTS[0][-1] + whole.text[0]
    decoding = Decoding(N_STEPS, (stop,))
    with greedy_generation_config(lm.model):
        ends = tuple(end_token_ids(lm.model, lm.tokenizer))
        output = Decoder(lm, decoding, ends, stop_criterion(lm, decoding)).generate([prompt])[0]
    assert stop not in whole.text
    assert output.text == whole.text


def test_settings_of_a_wrapped_model_are_neutralized_where_they_are(tmp_path: Path) -> None:
    """Adapters and quantizers hand out the inner model's config: replacing it would stay on the wrapper."""
    plain = load(tiny_models.build(tmp_path / "plain", "llama"))
    bent = load(tiny_models.build(tmp_path / "bent", "llama", repetition_penalty=1.8))
    inner = bent.model

    class Wrapper(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.inner, name)

    bent._model = Wrapper()
    prompt = encode(plain)[0]
    assert decode(bent, [prompt])[0].text == decode(plain, [prompt])[0].text
    assert inner.generation_config.repetition_penalty == 1.8


def test_stop_strings_end_the_text_and_are_recorded(tmp_path: Path) -> None:
    lm = load(tiny_models.build(tmp_path / "model", "llama"))
    prompt = encode(lm)[0]
    whole = decode(lm, [prompt])[0].text
    stop = whole[6:9]
    with greedy_generation_config(lm.model):
        ends = tuple(end_token_ids(lm.model, lm.tokenizer))
        decoding = Decoding(N_STEPS, (stop,))
        output = Decoder(lm, decoding, ends, stop_criterion(lm, decoding)).generate([prompt])[0]
    assert output.text == whole.split(stop, 1)[0]
    assert output.trace is not None
    assert output.trace.finish_reason == "stop_string"
    assert len(output.trace.token_ids) < N_STEPS
