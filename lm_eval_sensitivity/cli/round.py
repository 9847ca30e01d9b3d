"""`lm-eval-sensitivity round`: copies of a model with few bits for each weight."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import add_command, whole_number
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.text.escape import shown_path

WIDTHS = (8, 6, 5, 4, 3, 2)
MOST_BITS = 16

DESCRIPTION = """\
Write copies of a model whose weights are rounded to few bits: to the nearest of 2^bits - 1 values around 0, one scale
for each row of each linear layer in the blocks. Embeddings, output head and norms stay as they are; the model itself is
only read. A copy is a folder of transformers in float32, as large and as slow as the model: nothing but the weights
differs. No calibration, no library of quantization: methods that have them lose less at the same width."""

EPILOG = """\
examples:
  lm-eval-sensitivity round Qwen/Qwen3-0.6B models/
  lm-eval-sensitivity round models/qwen3-0.6b models/ --bits 4 --group 32

Run lm_eval on each copy with the settings of the model, then: lm-eval-sensitivity probe bits --help"""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "write copies of a model with few bits for each weight"
    parser = add_command(subparsers, "round", run, words, DESCRIPTION, EPILOG)
    parser.add_argument("model", metavar="MODEL", help="folder or Hub id of a causal language model")
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="here the copies go, as NAME-8bit and so on"
    )
    parser.add_argument(
        "--bits",
        type=_widths,
        default=WIDTHS,
        metavar="LIST",
        help=f"widths, 2 to {MOST_BITS}; default: {','.join(map(str, WIDTHS))}",
    )
    parser.add_argument(
        "--group",
        type=whole_number(1, 2**20),
        metavar="N",
        help="inputs of a row that share a scale; default: the whole row",
    )


def _widths(text: str) -> tuple[int, ...]:
    return tuple(whole_number(2, MOST_BITS)(part.strip()) for part in text.split(","))


def run(options: argparse.Namespace) -> int:
    """Write one folder for each width and print its path."""
    targets = {bits: options.folder / _name(options, bits) for bits in options.bits}
    for target in targets.values():
        if target.exists():
            raise InputError(f"{shown_path(target)} exists. Move it, or leave its width out of `--bits`.")
    # Imports torch; a mistake in the call must not wait for it.
    from lm_eval_sensitivity.probes.bits.rounding import write_rounded

    for bits, target in targets.items():
        count = write_rounded(options.model, target, bits, options.group)
        print(f"{shown_path(target)}: {count} matrices in {bits} bits")
    return 0


def _name(options: argparse.Namespace, bits: int) -> str:
    name = Path(options.model).resolve().name or "model"
    return f"{name}-{bits}bit" + (f"-groups-of-{options.group}" if options.group else "")
