"""Laws of rounding, on random rows and on rows that lie on a grid already; and what a written copy is."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.bits.rounding import rounded
from tests.running import command

BITS = st.integers(2, 16)
GROUPS = st.sampled_from([None, 1, 4, 8])


def random_rows(seed: int) -> torch.Tensor:
    """[6, 8] of very different sizes, one row of zeros."""
    draws = torch.Generator().manual_seed(seed)
    rows = torch.randn(6, 8, generator=draws) * 10.0 ** torch.arange(-4, 2)[:, None]
    rows[3] = 0
    return rows


@given(st.integers(0, 2**31), BITS, GROUPS)
def test_rounding_twice_is_rounding_once_and_errors_are_half_a_step(
    seed: int, bits: int, group: int | None
) -> None:
    weight = random_rows(seed)
    once = rounded(weight, bits, group)
    assert torch.equal(rounded(once, bits, group), once)
    assert once.dtype == weight.dtype and once.shape == weight.shape
    assert torch.equal(once[3], torch.zeros(8))
    pieces = weight.reshape(6, -1, group or 8).double()
    step = pieces.abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1)
    error = (once.reshape(pieces.shape).double() - pieces).abs()
    # The copy is float32: half a unit in its last place comes on top.
    assert bool((error <= step / 2 + pieces.abs() * 2.0**-24 + 1e-45).all())
    levels = [len(row.unique()) for row in once.reshape(-1, group or 8)]
    assert max(levels) <= 2**bits - 1


@given(st.integers(2, 12), st.integers(-10, 10), st.integers(0, 2**31))
def test_what_lies_on_the_grid_stays_where_it_is(bits: int, power: int, seed: int) -> None:
    most = 2 ** (bits - 1) - 1
    draws = torch.Generator().manual_seed(seed)
    steps = torch.randint(-most, most + 1, (5, 9), generator=draws)
    steps[:, 0] = most
    weight = steps.float() * 3 * 2.0**power
    assert torch.equal(rounded(weight, bits), weight)


def test_two_bits_leave_three_values_and_one_scale_per_row() -> None:
    weight = torch.tensor([[0.9, -0.5, 0.4, 0.0], [0.09, 0.04, -0.05, -0.09]])
    row, other = rounded(weight, 2).tolist()
    assert row == pytest.approx([0.9, -0.9, 0.0, 0.0])
    assert other == pytest.approx([0.09, 0.0, -0.09, -0.09])


def test_groups_must_fill_a_row_and_weights_be_finite() -> None:
    with pytest.raises(InputError, match=r"`--group 3`: a matrix of this model has 8 inputs"):
        rounded(random_rows(0), 4, 3)
    weight = random_rows(0)
    weight[0, 0] = torch.nan
    with pytest.raises(InputError, match="no finite number"):
        rounded(weight, 4)


def checksums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_a_copy_has_other_linear_layers_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = checksums(demo_model_path())
    assert command("round", demo_model_path(), tmp_path / "models", "--bits", "4,3") == 0
    assert checksums(demo_model_path()) == before
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/models/model-{bits}bit: 35 matrices in {bits} bits" for bits in (4, 3)
    ]
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["model-3bit", "model-4bit"]
    model, copy = (
        dict(transformers.AutoModelForCausalLM.from_pretrained(folder).named_parameters())
        for folder in (demo_model_path(), tmp_path / "models" / "model-4bit")
    )
    changed = {name for name in model if not torch.equal(model[name], copy[name])}
    assert changed == {name for name in model if "proj" in name and "layers" in name} and len(changed) == 35
    for name in changed:
        assert torch.equal(copy[name], rounded(model[name].detach(), 4)), name
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "models" / "model-4bit")
    assert tokenizer.chat_template is not None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere/at-all", "cannot be loaded as a causal language model"),
        ("half", "half` cannot be loaded as a causal language model"),
        ("gpt2", "A GPT2LMHeadModel has no linear layer in its blocks"),
    ],
)
def test_what_cannot_be_rounded_is_refused_in_a_sentence(model: str, message: str, tmp_path: Path) -> None:
    if model == "gpt2":
        config = transformers.GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=20)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "gpt2")
        transformers.AutoTokenizer.from_pretrained(demo_model_path()).save_pretrained(tmp_path / "gpt2")
        model = str(tmp_path / "gpt2")
    if model == "half":
        model = str(shutil.copytree(demo_model_path(), tmp_path / "half"))
        os.truncate(tmp_path / "half/model.safetensors", 1000)
    with pytest.raises(InputError, match=message):
        command("round", model, tmp_path / "models", "--bits", 4)
    assert not (tmp_path / "models").exists() or not any((tmp_path / "models").iterdir())


def test_a_copy_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "model-4bit").mkdir()
    with pytest.raises(InputError, match=r"model-4bit exists. Move it, or leave its width out"):
        command("round", demo_model_path(), tmp_path)
