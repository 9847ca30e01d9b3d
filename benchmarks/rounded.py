"""Copies of a model whose weights are rounded to 8 or 4 bits: systems that ought to differ little from it.

Symmetric round-to-nearest of every linear layer inside the transformer blocks, by hand, without calibration: one scale
per output channel, or per group of input weights; embeddings, norms and the output layer stay as they are. The copies
are float32 folders, as slow and as large as the model: what they are for is their answers.

    python -m benchmarks.rounded models/smollm2-135m-it 8 4 4/32     # 4/32: 4 bits in groups of 32
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def rounded(weight: Any, bits: int, group: int | None = None) -> Any:
    """[output, input] weights at the nearest of 2^bits - 1 levels around 0.

    Args:
        weight: a matrix, a torch tensor.
        bits: 8 or 4.
        group: input weights that share a scale; None: all of an output channel.

    Returns:
        A matrix of the same shape and type.
    """
    most = 2 ** (bits - 1) - 1
    grouped = weight if group is None else weight.reshape(len(weight), -1, group)
    scale = grouped.abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / most
    return ((grouped / scale).round().clamp(-most, most) * scale).reshape(weight.shape)


def round_model(source: Path, target: Path, bits: int, group: int | None) -> int:
    """Write the rounded copy; returns how many matrices were rounded."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    count = 0
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and ".layers." in name:
                module.weight.copy_(rounded(module.weight, bits, group))
                count += 1
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)
    return count


def main() -> None:
    """One folder per number of bits, beside the model's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of a causal language model")
    parser.add_argument("ways", nargs="*", default=["8", "4"], help="BITS or BITS/GROUP; default: 8 4")
    options = parser.parse_args()
    for way in options.ways:
        bits, _, group = way.partition("/")
        name = f"{bits}bit-groups-of-{group}" if group else f"{bits}bit"
        target = options.model.with_name(f"{options.model.name}-{name}")
        count = round_model(options.model, target, int(bits), int(group) if group else None)
        print(f"{target}: {count} matrices")


if __name__ == "__main__":
    main()
