"""`lm-eval-sensitivity ladder check`: check a ladder against its rules."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.cli.analysis_options import terminal_width
from lm_eval_sensitivity.embedder import load_embedder, readable_vectors
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.authoring.checks import Report, Violation, check_ladder
from lm_eval_sensitivity.report.blocks import Cell, Column, Document, ResultTable
from lm_eval_sensitivity.report.render import render
from lm_eval_sensitivity.text.escape import inert

EPILOG = """\
examples:
  lm-eval-sensitivity ladder check
  lm-eval-sensitivity ladder check datasets/prompt_sensitivity_ladder
  lm-eval-sensitivity ladder check my_ladder/ --no-embedding --format json

Exit status: 0 when everything holds, 1 when something does not (violations are printed with their file, row and
column), 2 when the ladder cannot be loaded at all. Prompts that nearly repeat another, and white space at edges and
twice between words, are violations in a ladder of the published form (a subset of its names whose prompts have
categories) and only remarks in your own: a remark never fails. The table shows a few of each kind, JSON all of them.

PATH holds a ladder. To check prompts of your own, build one first: lm-eval-sensitivity ladder build --help

Needs: pip install "lm-eval-sensitivity[ladder]\""""


MOST_SHOWN = 20
"""Findings of one check in one file that the table form prints."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "check",
        help="check a ladder against its rules",
        description="Check everything that a valid ladder file can still get wrong: balance, rule rows that no rule "
        "builds, synonyms of two words, lost numbers and quotations, near-duplicates, rungs out of order.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="folder (every subset, and its sources), .parquet, .jsonl or .yaml file, or Hub dataset id; "
        "default: the packaged ladder",
    )
    parser.add_argument(
        "--no-embedding", action="store_true", help="leave out the checks that need a sentence embedder"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the ladder and print what was found; status 1 when there are violations."""
    report = check_ladder(options.path, None if options.no_embedding else encode, asked_as="`PATH`")
    sys.stdout.write(_json(report) if options.format == "json" else _text(report))
    return 0 if report.passed else 1


def encode(texts: Sequence[str]) -> NDArray[np.floating]:
    """Embed texts with the default embedder, which is loaded here: a ladder that cannot be read fails before.

    Returns:
        Vectors [text, dimension]; nan for a text that the embedder cannot read.

    Raises:
        InputError: the embedder cannot be loaded.
    """
    try:
        embedder = load_embedder()
    except InputError as error:
        raise InputError(f"{error} Or leave these checks out with `--no-embedding`.") from None
    return readable_vectors(embedder, texts)


def _json(report: Report) -> str:
    content = {"passed": report.passed, **asdict(report)}
    return json.dumps(content, indent=2) + "\n"  # in ASCII: nothing in it can act on a terminal


def _text(report: Report) -> str:
    notes = [f"Note: {sentence}" for sentence in report.left_out]
    tables = _tables(report) if report.passed else ""
    remarks = [f"Remark, no violation in an own ladder: {line}" for line in _capped(report.remarks)]
    lines = [*_capped(report.violations), *remarks, *notes, _counts(report)]
    return tables + "".join(f"{inert(line)}\n" for line in lines)


def _capped(found: Sequence[Violation]) -> list[str]:
    """A few findings of every check in every file, in order, and how many more there are."""
    by_check: dict[tuple[str, str], list[Violation]] = {}
    for each in found:
        by_check.setdefault((each.check, each.file), []).append(each)
    lines: list[str] = []
    for (check, file), all_of_it in by_check.items():
        lines += map(str, all_of_it[:MOST_SHOWN])
        n_more = len(all_of_it) - MOST_SHOWN
        lines += (
            [f"and {n_more} more in `{file}`, which `--format json` names [{check}]"] if n_more > 0 else []
        )
    return lines


def _counts(report: Report) -> str:
    n_violations, n_remarks = len(report.violations), len(report.remarks)
    violations = f"{n_violations or 'No'} violation{'s'[: n_violations != 1]}"
    return violations + (f", {n_remarks} remark{'s'[: n_remarks > 1]}." if n_remarks else ".")


def _tables(report: Report) -> str:
    counted = [
        (inert(each.subset), each.n_prompts, each.n_pairs, inert(each.version), each.content_hash[:16])
        for each in report.subsets
    ]
    numbers = Column("prompts", 0), Column("pairs", 0)
    columns = (Column("subset"), *numbers, Column("version"), Column("content hash"))
    subsets = ResultTable("subsets", "Subsets", columns, tuple(counted))
    document = Document(f"Ladder {inert(report.source)}", (subsets, _rungs(report)))
    return render(document, "table", width=terminal_width())


def _rungs(report: Report) -> ResultTable:
    columns = [Column("rung")]
    for each in report.subsets:
        columns.append(Column(f"{inert(each.subset)} pairs", 0))
        if each.median_distances:
            columns.append(Column(f"{inert(each.subset)} median distance", 4))
    rows = []
    for rung in dict.fromkeys(rung for each in report.subsets for rung in each.pairs_by_rung):
        cells: list[Cell] = [inert(rung)]
        for each in report.subsets:
            cells.append(each.pairs_by_rung.get(rung, 0))
            cells += [each.median_distances.get(rung)] if each.median_distances else []
        rows.append(tuple(cells))
    title = "Pairs and median prompt distance by rung (controls by edit)"
    return ResultTable("rungs", title, tuple(columns), tuple(rows))
