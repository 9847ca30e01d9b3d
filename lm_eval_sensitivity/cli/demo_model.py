"""`lm-eval-sensitivity demo-model`: where the embedded demonstration model is."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "demo-model",
        help="print the path of the embedded demonstration model",
        description="Print the path of the embedded demonstration model: a tiny chat model, trained on a few "
        "hundred sentences to show the suite at work. It knows nothing and is no baseline.",
        epilog="example:\n  lm_eval --tasks prompt_sensitivity_mini --model hf \\\n"
        "          --model_args pretrained=$(lm-eval-sensitivity demo-model) --apply_chat_template",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the folder."""
    from lm_eval_sensitivity.demo import demo_model_path

    print(demo_model_path())
    return 0
