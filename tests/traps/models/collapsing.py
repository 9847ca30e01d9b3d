"""Systems that stop responding: the demonstration model rounded further and further, and one that never did."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.probes.bits.rounding import rounded

LOOP = " the"
"""What the model of `write_loop` says, for ever."""


def rounded_per_row(folder: Path, bits: int) -> None:
    """The demonstration model with all of its matrices rounded, embeddings and head too: one scale per row."""
    model = _demo()
    with torch.no_grad():
        for matrix in _matrices(model).values():
            matrix.copy_(rounded(matrix, bits))
    _save(model, folder)


def rounded_at_one_scale(folder: Path, bits: int, only: str = "") -> None:
    """The same rounding with one scale for all matrices together, as a careless quantizer would have it.

    The scale is that of the largest weight of the model, which stands in the embedding. At two bits a weight
    is -1, 0 or 1 times that, and whatever is smaller than half of it is 0.

    Args:
        folder: to be filled.
        bits: of each weight.
        only: a part of the names of the matrices that are rounded; the others stay as they are.
    """
    model = _demo()
    with torch.no_grad():
        matrices = _matrices(model)
        # One row that holds every matrix: `rounded` takes one scale per row.
        flat = torch.cat([matrix.reshape(1, -1) for matrix in matrices.values()], dim=1)
        pieces = rounded(flat, bits).split([matrix.numel() for matrix in matrices.values()], dim=1)
        for (name, matrix), piece in zip(matrices.items(), pieces, strict=True):
            if only in name:
                matrix.copy_(piece.reshape(matrix.shape))
    _save(model, folder)


def write_loop(folder: Path) -> None:
    """A Llama whose weights are set so that every step of every prompt says `LOOP`.

    All tokens have the same embedding and no layer adds anything, so the hidden state is the same vector
    everywhere; only the output row of `LOOP` points along it.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo_model_path())
    (loop,) = tokenizer.encode(LOOP, add_special_tokens=False)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for matrix in _matrices(model).values():
            matrix.zero_()
        model.get_input_embeddings().weight[:, 0] = 1
        model.get_output_embeddings().weight[loop, 0] = 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def mixes_tokens(folder: Path) -> bool:
    """Whether anything of one token can reach another: attention writes through its value and output matrices."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    paths = [(layer.self_attn.v_proj.weight, layer.self_attn.o_proj.weight) for layer in model.model.layers]
    return any(bool(values.any()) and bool(output.any()) for values, output in paths)


def _demo() -> transformers.PreTrainedModel:
    return transformers.AutoModelForCausalLM.from_pretrained(demo_model_path())


def _matrices(model: transformers.PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.ndim == 2}


def _save(model: transformers.PreTrainedModel, folder: Path) -> None:
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(demo_model_path()).save_pretrained(folder)
