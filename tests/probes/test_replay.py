"""Replay: one pass over prompt and output says what generation said, of every architecture, within its memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.replay import STEPS_PER_CHUNK, Path, Reader, Replay
from tests.harness.tiny_models import CONFIGS, HEADS, SMALL
from tests.probes.made import loud

VOCABULARY = 300
MORE = {
    "qwen2": lambda v: transformers.Qwen2Config(vocab_size=v, num_key_value_heads=2, **SMALL),
    "olmo2": lambda v: transformers.Olmo2Config(vocab_size=v, num_key_value_heads=2, **SMALL, pad_token_id=0),
    "cohere": lambda v: transformers.CohereConfig(
        vocab_size=v, num_key_value_heads=2, logit_scale=0.3, **SMALL, pad_token_id=0
    ),
    "opt": lambda v: transformers.OPTConfig(
        vocab_size=v,
        hidden_size=48,
        ffn_dim=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        word_embed_proj_dim=48,
    ),
}
ARCHITECTURES = {**CONFIGS, **MORE}


def model_of(architecture: str, dtype: str = "float32") -> Any:
    return loud(ARCHITECTURES[architecture](VOCABULARY)).to(getattr(torch, dtype))


def generated(model: Any, prompts: list[tuple[int, ...]], n_steps: int) -> list[Path]:
    """Greedy outputs by the slow obvious way: the whole sequence again for every token."""
    found = []
    for prompt in prompts:
        ids, margins = list(prompt), []
        for _ in range(n_steps):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float()
            top = torch.topk(logits, 2)
            margins.append(float(top.values[0] - top.values[1]))
            ids.append(int(top.indices[0]))
        output = tuple(ids[len(prompt) :])
        found.append(Path(prompt, output, np.array(margins, np.float32), own=True))
    return found


PROMPTS = [(5, 9, 200, 31), (7,), tuple(range(20, 31))]


class Everything(Reader):
    """Keeps what only a test may keep: all of it."""

    wants_residual = wants_added = wants_logits = True

    def __init__(self) -> None:
        self.residuals: dict[int, torch.Tensor] = {}
        self.sums: dict[str, torch.Tensor] = {}
        self.order: list[str] = []
        self.logits: dict[int, list[torch.Tensor]] = {}
        self.batch: Any = None

    def start(self, batch: Any) -> None:
        self.batch = batch

    def residual(self, layer: int, states: torch.Tensor) -> None:
        self.residuals[layer] = states.clone()

    def added(self, layer: int, sublayer: str, states: torch.Tensor) -> None:
        self.order.append(f"{sublayer} {layer}")
        self.sums[sublayer] = self.sums.get(sublayer, 0) + states

    def final(self, states: torch.Tensor) -> None:
        self.after = states.clone()

    def steps(self, row: int, first: int, logits: torch.Tensor, states: torch.Tensor) -> None:
        assert len(logits) <= STEPS_PER_CHUNK
        assert first == sum(map(len, self.logits.get(row, [])))
        self.logits.setdefault(row, []).append(logits.clone())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_replay_agrees_with_generation(architecture: str) -> None:
    model = model_of(architecture)
    paths = generated(model, PROMPTS, 20)
    replay, seen = Replay(model, batch_size=3), Everything()
    replay.run(paths, [seen])
    agreement = replay.agreement
    assert (agreement.n_outputs, agreement.n_steps, agreement.share) == (3, 60, 1.0)
    assert agreement.largest_margin_difference < 1e-4
    for row, path in enumerate(seen.batch.paths):
        with torch.no_grad():
            whole = model(input_ids=torch.tensor([path.fed]), use_cache=False).logits[0].float()
        ours = torch.cat(seen.logits[row])
        torch.testing.assert_close(ours, whole[len(path.prompt_ids) - 1 :], atol=2e-4, rtol=1e-4)


def test_sublayers_that_do_not_add_up_are_not_named() -> None:
    """OPT's second sublayer is two modules, of which none has the residual's shape."""
    assert Replay(model_of("opt")).architecture.sublayers == ()


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "opt"])
def test_what_the_sublayers_add_is_the_residual(architecture: str) -> None:
    model = model_of(architecture)
    replay, seen = Replay(model, batch_size=3), Everything()
    replay.run(generated(model, PROMPTS, 4), [seen])
    n_layers = replay.architecture.n_layers
    assert sorted(seen.residuals) == list(range(n_layers + 1))
    if architecture == "cohere":  # both sublayers read the same norm; which one is called first is no matter
        assert set(seen.order) == {
            f"{name} {layer}" for name in ("attention", "mlp") for layer in range(n_layers)
        }
    else:
        assert seen.order == [f"{name} {layer}" for layer in range(n_layers) for name in ("attention", "mlp")]
    filled = seen.batch.filled
    total = (seen.residuals[0] + seen.sums["attention"] + seen.sums["mlp"])[filled]
    torch.testing.assert_close(total, seen.residuals[n_layers][filled], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(replay.normalized(seen.residuals[n_layers])[filled], seen.after[filled])


def test_padding_and_batches_change_nothing_but_rounding() -> None:
    model = model_of("llama")
    paths = generated(model, PROMPTS, 20)
    found = []
    for size in (1, 2, 3):
        replay = Replay(model, batch_size=size)
        replay.run(paths)
        found.append(replay.agreement)
    assert all(each.share == 1 and each.largest_margin_difference < 1e-4 for each in found)


def test_another_token_is_counted_and_another_margin_is_seen() -> None:
    model = model_of("llama")
    path = generated(model, PROMPTS[:1], 20)[0]
    other = (path.output_ids[-1] + 1) % VOCABULARY
    changed = Path(path.prompt_ids, (*path.output_ids[:-1], other), path.margins + 0.5, own=True)
    replay = Replay(model)
    replay.run([changed])
    assert (replay.agreement.n_same, replay.agreement.n_steps) == (19, 20)
    assert replay.agreement.largest_margin_difference == pytest.approx(0.5, abs=1e-3)


def test_a_path_that_was_not_generated_has_no_part_in_the_agreement() -> None:
    replay = Replay(model_of("llama"))
    replay.run([Path((1, 2, 3), (4, 5))])
    agreement = replay.agreement
    assert (
        agreement.n_outputs == 0
        and np.isnan(agreement.share)
        and np.isnan(agreement.largest_margin_difference)
    )


class Largest(TorchDispatchMode):
    """The largest tensor that any operation makes, in elements, except views and weights."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for each in found if isinstance(found, tuple | list) else (found,):
            if isinstance(each, torch.Tensor) and not each._is_view():
                self.elements = max(self.elements, each.numel())
        return found


def test_no_tensor_grows_with_steps_times_vocabulary_or_layers() -> None:
    """Of 64 steps and a vocabulary of 4,000 a whole [T, V] would be 256,000 numbers."""
    config = transformers.LlamaConfig(
        vocab_size=4_000, max_position_embeddings=512, **{**SMALL, "num_hidden_layers": 12}, **HEADS
    )
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    largest = {}
    for n_steps in (16, 64, 128):
        path = Path(tuple(range(10)), tuple(range(n_steps)), own=True)
        replay = Replay(model)
        with Largest() as seen:
            replay.run([path])
        largest[n_steps] = seen.elements
    # One chunk of logits is the largest, however long the output is.
    assert largest[16] == largest[64] == largest[128] == STEPS_PER_CHUNK * 4_000


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2", "gpt_neox", "phi3", "qwen3"])
def test_upcast_computes_as_the_float32_copy_of_the_same_weights(architecture: str) -> None:
    half = model_of(architecture, "bfloat16")
    whole = model_of(architecture, "bfloat16").float()
    paths = generated(whole, PROMPTS, 20)
    replay = Replay(half, upcast=True)
    replay.run(paths)
    assert replay.agreement.share == 1 and replay.agreement.largest_margin_difference < 1e-3
    assert replay.conditions.upcast and replay.conditions.dtype == "bfloat16"
    rounded = Replay(half)
    rounded.run(paths)
    assert rounded.agreement.largest_margin_difference > 10 * replay.agreement.largest_margin_difference


def test_a_model_that_cannot_be_looked_into_is_refused_by_its_classes() -> None:
    model = model_of("llama")

    class Odd(type(model)):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            found = super().forward(*args, **kwargs)
            found.logits = found.logits.roll(1, -1)
            return found

    model.__class__ = Odd
    with pytest.raises(InputError, match="cannot look into Odd: between its output embedding, a Linear"):
        Replay(model)


def test_words_about_tokens() -> None:
    assert Replay(model_of("llama")).token(7) == "[7]"


def test_a_block_that_adds_nothing_has_its_sublayers_all_the_same() -> None:
    model = model_of("llama")
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
    assert Replay(model).architecture.sublayers == ("self_attn", "mlp")
