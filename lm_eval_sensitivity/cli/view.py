"""`lm-eval-sensitivity view`: the page over finished runs, without an export that stays."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from lm_eval_sensitivity.cli.analysis_options import add_command, add_runs
from lm_eval_sensitivity.cli.export import add_export_options, export
from lm_eval_sensitivity.cli.space import add_server_options, check_gradio

EPILOG = """\
examples:
  lm-eval-sensitivity view runs/qwen3-4b
  lm-eval-sensitivity view runs/* --reference runs/bf16

The same as `export` into a temporary folder and `space` on it; the folder is removed when the page is closed with
Ctrl+C. It needs an extra: pip install "lm-eval-sensitivity[space]"."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = add_command(
        subparsers,
        "view",
        run,
        "open the page on finished runs",
        "Compute everything about finished runs and serve a page that shows it, until Ctrl+C.",
        EPILOG,
    )
    add_runs(parser)
    add_export_options(parser)
    add_server_options(parser)


def run(options: argparse.Namespace) -> int:
    """Export to a folder of its own, and serve that until interrupted."""
    check_gradio()
    # Without this, the folder would outlive whoever is told to end.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="lm-eval-sensitivity-") as home:
            _show(options, Path(home) / "results")
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _show(options: argparse.Namespace, folder: Path) -> None:
    print(f"Computing what the page shows of {_counted(options.runs)} ...", file=sys.stderr, flush=True)
    export(options, folder)
    # Importing gradio takes seconds, and a mistake in the runs is told before.
    from lm_eval_sensitivity.space.app import serve

    serve(folder, options.host, options.port, browser=not options.no_browser)


def _counted(runs: list[Path]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
