"""`lm-eval-sensitivity pairs`: finished runs as one tidy table, one row per system, pair and filter."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import add_run_options, load_runs
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs.coverage import coverage
from lm_eval_sensitivity.runs.export import check_target, write_table
from lm_eval_sensitivity.runs.load import Pairs
from lm_eval_sensitivity.text.escape import inert, shown_path

DESCRIPTION = """\
Check finished runs and put their pairs into one table, one row per system, pair and filter. The runs must have asked
the same ladder, decoded alike and been measured with the same embedder; what is left out is listed with its reason."""

EPILOG = """\
examples:
  lm-eval-sensitivity pairs runs/qwen3-4b runs/qwen3-4b-int8 -o pairs.parquet
  lm-eval-sensitivity pairs runs/* --exclude-mismatched -o pairs.csv

A run is what `lm_eval ... --output_path runs/x --log_samples` leaves behind. Without -o the runs are checked and
summed up only. A missing number is null (an empty cell in CSV), and missing_<metric> says why."""

DEFAULT_WIDTH = 100
"""Columns of the summary in a file or a pipe."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "pairs",
        help="check finished runs and write their pairs as one table",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder that was --output_path")
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="write the table: .parquet, .csv or .jsonl"
    )
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, write, print what was found."""
    if options.output is not None:
        check_target(options.output)
    if options.subset is not None and not options.subset.strip():
        raise InputError("`--subset` is blank; give the name of a subset of the ladder, such as 'mini'.")
    pairs = load_runs(options.runs, options)
    if options.output is not None:
        write_table(pairs.table, options.output)
    text = as_text(pairs, width=shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns)
    if options.output is not None:
        text += f"Wrote {pairs.table.num_rows} rows to {shown_path(options.output)}\n"
    # A terminal that cannot show a character gets its number instead of an error.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    return 0


def as_text(pairs: Pairs, *, width: int) -> str:
    """The summary for a terminal: counts per system and filter, what was left out, remarks."""
    from rich.console import Console
    from rich.text import Text

    text = io.StringIO()
    console = Console(file=text, width=max(width, 60), markup=False, highlight=False, emoji=False)
    ladder = pairs.systems[0].ladder
    console.print(
        Text(
            f"Ladder {inert(ladder.name)}, {inert(ladder.subset)}, {inert(ladder.version)}, {ladder.hash[:16]}"
        )
    )
    console.print(_table(pairs))
    for line in _lines(pairs):
        # Paths and sentences wrap where the terminal wraps them, so that they can be copied.
        text.write(line + "\n")
    return "".join(line.rstrip() + "\n" for line in text.getvalue().split("\n"))[:-1]


def _table(pairs: Pairs) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("system", overflow="fold")
    for heading in ("rungs", "prompts", "pairs"):
        table.add_column(heading, justify="right")
    table.add_column("filter")
    for heading in ("scored", "erased", "unscored"):
        table.add_column(heading, justify="right")
    table.add_column("why unscored", overflow="fold")
    for system in sorted(pairs.systems, key=lambda system: system.name):
        n_pairs = str(system.n_pairs)
        if system.partial:
            n_pairs += f" of {system.n_expected}"
        for number, found in enumerate(coverage(pairs.table, system)):
            first = (system.name, str(len(system.rungs)), str(found.n_prompts), n_pairs)
            why = ", ".join(f"{count} {inert(kind)[:60]}" for kind, count in found.reasons.items())
            counts = map(str, (found.n_scored, found.n_erased, found.n_unscored))
            cells = (*(first if number == 0 else ("",) * 4), found.filter_name, *counts, why)
            table.add_row(*(Text(cell) for cell in cells))
    return table


def _lines(pairs: Pairs) -> Iterator[str]:
    for system in sorted(pairs.systems, key=lambda system: system.name):
        yield f"{system.name}: system {system.fingerprint}"
    yield from pairs.remarks
    if pairs.left_out:
        yield "Left out:"
    for each in pairs.left_out:
        yield f"- {each.what}: {each.reason}"
