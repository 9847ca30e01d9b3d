"""`lm-eval-sensitivity ladder`: plan, check, build, describe and publish ladders."""

from __future__ import annotations

import argparse
from typing import Any

from lm_eval_sensitivity.cli import ladder_build, ladder_check, ladder_describe, ladder_plan, ladder_push

EPILOG = """\
examples:
  lm-eval-sensitivity ladder build prompts.jsonl -o my_ladder/
  lm-eval-sensitivity ladder plan --prompts 50 --systems 6
  lm-eval-sensitivity ladder check my_ladder/
  lm-eval-sensitivity ladder push ORG/NAME my_ladder/

Each action has its own --help."""

SUBCOMMANDS = (ladder_check, ladder_plan, ladder_build, ladder_describe, ladder_push)


def add_parser(subparsers: Any) -> None:
    """Register the subcommand and its own subcommands."""
    parser = subparsers.add_parser(
        "ladder",
        help="check a ladder, build one from your own prompts, publish it",
        description="Check a ladder, build one from your own prompts, or publish it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    for subcommand in SUBCOMMANDS:
        subcommand.add_parser(actions)
