"""Perplexity, KL and disagreement against the library's own loss and a loop over steps; and models that are alike."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.probes.bits.rounding import rounded
from lm_eval_sensitivity.probes.bits.static import (
    WINDOW,
    beside,
    sizes,
    surprise,
    weight_error,
    windows_of,
)
from lm_eval_sensitivity.probes.replay import Path, Replay
from tests.probes import models_stretch as models

PATHS = [
    Path(tuple(ids[:4]), tuple(ids[4:])) for ids in np.random.default_rng(0).integers(1, 50, (5, 40)).tolist()
]


def few_bits(model: Any, bits: int) -> Any:
    found = copy.deepcopy(model)
    with torch.no_grad():
        for name, each in found.named_parameters():
            if "layers" in name and each.ndim == 2:
                each.copy_(rounded(each, bits))
    return found


@pytest.fixture(scope="module")
def replays() -> tuple[Replay, Replay]:
    model = models.llama(3)
    return Replay(model, batch_size=2), Replay(few_bits(model, 3), batch_size=8)


def log_probabilities(replay: Replay, path: Path) -> torch.Tensor:
    """[step, vocabulary] by a plain forward pass of one path."""
    ids = torch.tensor([[*path.prompt_ids, *path.output_ids]])
    with torch.no_grad():
        logits = replay.model(input_ids=ids).logits[0]
    return torch.log_softmax(logits[len(path.prompt_ids) - 1 : -1].double(), -1)


def test_surprise_is_the_loss_of_the_library(replays: tuple[Replay, Replay]) -> None:
    windows = [Path((each.prompt_ids[0],), (*each.prompt_ids[1:], *each.output_ids)) for each in PATHS]
    found = surprise(replays[0], windows)
    for value, window in zip(found, windows, strict=True):
        ids = torch.tensor([[*window.prompt_ids, *window.output_ids]])
        with torch.no_grad():
            assert value == pytest.approx(float(replays[0].model(input_ids=ids, labels=ids).loss), abs=1e-5)


def test_divergence_and_disagreement_are_those_of_a_loop(replays: tuple[Replay, Replay]) -> None:
    reference, other = replays
    divergence, disagreement = beside(reference, other, PATHS)
    for number, path in enumerate(PATHS):
        log_p, log_q = log_probabilities(reference, path), log_probabilities(other, path)
        by_hand = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
        assert divergence[number] == pytest.approx(float(by_hand), rel=1e-4, abs=1e-7)
        differ = (log_p.argmax(-1) != log_q.argmax(-1)).float().mean()
        assert disagreement[number] == pytest.approx(float(differ), abs=1e-6)
    assert divergence.min() > 0 and disagreement.max() > 0


def test_a_model_beside_itself_differs_in_nothing(replays: tuple[Replay, Replay]) -> None:
    reference = replays[0]
    twin = Replay(copy.deepcopy(reference.model), batch_size=reference.batch_size)
    divergence, disagreement = beside(reference, twin, PATHS)
    assert divergence.tolist() == disagreement.tolist() == [0.0] * 5
    assert weight_error(reference, twin) == 0


def test_a_model_that_knows_nothing_has_the_vocabulary_as_perplexity() -> None:
    model = models.llama(1)
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()
    assert surprise(Replay(model), PATHS).tolist() == pytest.approx([math.log(50)] * 5)


def test_a_token_that_is_ruled_out_adds_nothing(replays: tuple[Replay, Replay]) -> None:
    class Masked(Replay):
        def logits(self, states: torch.Tensor) -> torch.Tensor:
            found = super().logits(states).clone()
            found[..., 0] = -math.inf
            return found

    both = (Masked(each.model, batch_size=4) for each in replays)
    divergence, _ = beside(*both, PATHS)
    assert np.isfinite(divergence).all() and divergence.min() > 0


def test_weight_error_is_the_norm_of_what_moved_over_the_blocks(replays: tuple[Replay, Replay]) -> None:
    reference, other = replays
    pairs = [
        (ours.detach().double(), theirs.detach().double())
        for (name, ours), theirs in zip(
            reference.model.named_parameters(), other.model.parameters(), strict=True
        )
        if "layers" in name and ours.ndim == 2
    ]
    moved, whole = (
        math.sqrt(sum(float(each.square().sum()) for each in values))
        for values in ([copied - own for own, copied in pairs], [own for own, _ in pairs])
    )
    assert weight_error(reference, other) == pytest.approx(moved / whole)
    assert weight_error(reference, Replay(models.llama(2))) is None
    n_rounded = sum(own.numel() for own, _ in pairs)
    assert sizes(reference) == (n_rounded, sum(each.numel() for each in reference.model.parameters()))


def test_windows_cover_the_text_once_and_begin_as_the_tokenizer_does() -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo_model_path())
    text = "The river is wide and slow. " * 120
    ids = tokenizer(text, add_special_tokens=False).input_ids
    windows = windows_of(tokenizer, text)
    assert len(windows) == len(ids) // WINDOW > 1
    assert [token for each in windows for token in (*each.prompt_ids, *each.output_ids)] == ids[
        : len(windows) * WINDOW
    ]

    class Begins:
        bos_token_id = 7

        def __call__(self, text: str, add_special_tokens: bool = True, **_: Any) -> Any:
            found = tokenizer(text, add_special_tokens=False)
            return type("Encoded", (), {"input_ids": [7] * add_special_tokens + found.input_ids})

    begun = windows_of(Begins(), text)
    assert {each.prompt_ids for each in begun} == {(7,)}
    assert [token for each in begun for token in each.output_ids] == ids[: len(windows) * WINDOW]
    assert windows_of(tokenizer, "Too short.") == []
