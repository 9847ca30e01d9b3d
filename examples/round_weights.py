"""Round a model's weights to a few bits and save it: plain round-to-nearest, one scale per row.

    python examples/round_weights.py MODEL BITS OUTPUT

A stand-in for quantization that needs no library and runs on a CPU. The rounded numbers are stored in
the model's own precision, so that nothing but the rounding differs. Only matrices are rounded; norms and
biases stay as they are, as in common quantized checkpoints.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def rounded(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """The nearest of `2 ** bits - 1` equally spaced values per row, symmetric around zero."""
    levels = 2 ** (bits - 1) - 1
    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny) / levels
    return (weight / scale).round().clamp(-levels, levels) * scale


def main() -> None:
    """Read the arguments, round, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder or Hub id")
    parser.add_argument("bits", type=int, choices=range(2, 9))
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(options.model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.copy_(rounded(parameter, options.bits))
    model.save_pretrained(options.output)
    AutoTokenizer.from_pretrained(options.model).save_pretrained(options.output)


if __name__ == "__main__":
    main()
