"""Copies of a model whose weights have few bits: round-to-nearest, without a library and without calibration."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.architecture import find_architecture
from lm_eval_sensitivity.text.escape import one_line, shown_path


def rounded(weight: torch.Tensor, bits: int, group: int | None = None) -> torch.Tensor:
    """The nearest of 2^bits - 1 equally spaced values around 0, row by row.

    Formula: s = max|w| / (2^(bits - 1) - 1) of each row; round(w / s) s. Computed in float64, so that a weight that
    stands on such a grid stays where it is, and rounding twice is rounding once. |w - rounded| <= s / 2.

    Args:
        weight: [output, input]
        bits: of each weight, from 2; 2 bits leave -s, 0 and s.
        group: inputs that share a scale; None shares it over a row.

    Returns:
        [output, input] of the same type; a row of zeros stays one.

    Raises:
        InputError: groups that do not fill a row, or a weight that is no finite number.

    Example:
        >>> rounded(torch.tensor([[0.7, -0.26, 0.0], [0.0, 0.0, 0.0]]), 3).tolist()
        [[0.699999988079071, -0.23333333432674408, 0.0], [0.0, 0.0, 0.0]]
    """
    if group is not None and weight.shape[-1] % group:
        raise InputError(
            f"`--group {group}`: a matrix of this model has {weight.shape[-1]} inputs, which is no multiple of it. "
            "Give a divisor."
        )
    wide = weight.double().reshape(len(weight), -1, group or weight.shape[-1])
    largest = wide.abs().amax(dim=-1, keepdim=True)
    if not torch.isfinite(largest).all():
        raise InputError("The model cannot be rounded: a weight is no finite number.")
    levels = 2 ** (bits - 1) - 1
    scale = largest / levels
    steps = torch.where(scale > 0, wide / scale, 0).round().clamp(-levels, levels)
    found: torch.Tensor = (steps * scale).reshape(weight.shape).to(weight.dtype)
    return found


def matrices_of(blocks: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """The weights that are rounded: those of every linear layer inside the blocks.

    Args:
        blocks: as `Architecture` has them.

    Returns:
        (name inside the blocks, [output, input] weight) in the order of the model. Weights that a library has packed
        are no floating-point numbers and are left out.

    Example:
        >>> [(name, weight.shape[0]) for name, weight in matrices_of(torch.nn.ModuleList([torch.nn.Linear(2, 3)]))]
        [('0', 3)]
    """
    linear = (
        (name, each.weight) for name, each in blocks.named_modules() if isinstance(each, torch.nn.Linear)
    )
    return [(name, weight.detach()) for name, weight in linear if weight.is_floating_point()]


def write_rounded(source: str, target: Path, bits: int, group: int | None = None) -> int:
    """Write a rounded copy of a model in float32, with its tokenizer; the model itself is only read.

    Args:
        source: folder or Hub id of a causal language model.
        target: new folder.
        bits: of each rounded weight.
        group: inputs that share a scale; None shares it over a row.

    Returns:
        How many matrices were rounded.

    Raises:
        InputError: the model cannot be loaded or has no linear layer in its blocks, or the folder cannot be written.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"`{source}` cannot be loaded as a causal language model: {one_line(error)}"
        ) from None
    matrices = matrices_of(find_architecture(model).blocks)
    if not matrices:
        raise InputError(
            f"A {type(model).__name__} has no linear layer in its blocks: nothing would be rounded."
        )
    for _, weight in matrices:
        weight.copy_(rounded(weight, bits, group))
    _save(target, (model, tokenizer))
    return len(matrices)


def _save(target: Path, parts: Sequence[Any]) -> None:
    """Whole or not at all: half a model must not be taken for one."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        for part in parts:
            part.save_pretrained(partial)
        partial.rename(target)
    except OSError as error:
        raise InputError(f"{shown_path(target)} cannot be written ({error.strerror}).") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
