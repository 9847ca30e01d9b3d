"""`lm-eval-sensitivity tasks-path`: the task folder, for `--include_path`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "tasks-path",
        help="print the folder of the task definitions, for --include_path",
        description="Print the folder of the task definitions. Installed beside lm_eval's own tasks they are "
        "found without it; give it to --include_path when lm_eval runs from a source checkout.",
        epilog="example:\n  lm_eval --include_path $(lm-eval-sensitivity tasks-path) --tasks prompt_sensitivity ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the folder."""
    print(tasks_path())
    return 0


def tasks_path() -> Path:
    """The folder that holds `prompt_sensitivity/` with its YAML files.

    A wheel carries it inside the package; in a source checkout it stands beside the package.

    Returns:
        An existing folder, to be given to lm_eval as `--include_path`.

    Raises:
        InputError: neither exists, which means a broken installation.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "tasks", package.parent / "tasks"):
        if (folder / "prompt_sensitivity" / "prompt_sensitivity.yaml").is_file():
            return folder
    raise InputError(
        "The task definitions are missing from this installation; install lm-eval-sensitivity again."
    )
