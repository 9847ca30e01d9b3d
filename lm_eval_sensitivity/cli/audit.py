"""`lm-eval-sensitivity audit`: which edits reach which tokenizers, without weights."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.audit import SurvivalRow, load_encoder, survival_rows
from lm_eval_sensitivity.cli.analysis_options import terminal_width, write_text
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.report import Column, Document, ResultTable, render
from lm_eval_sensitivity.report.blocks import Cell
from lm_eval_sensitivity.report.documents.parts import below_rungs, headings

EPILOG = """\
examples:
  lm-eval-sensitivity audit Qwen/Qwen3-0.6B meta-llama/Llama-3.1-8B-Instruct
  lm-eval-sensitivity audit my_tokenizer/ --chat-template template.jinja --format json

A survival of 0.00 means that chat template and tokenizer erase the edit from every prompt: a distance of 0
measured there would say nothing about the model."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "audit",
        help="print which edits survive which tokenizers and chat templates",
        description="Print, for every edit of the ladder and every tokenizer, the share of pairs whose token ids "
        "differ between base and variant, after the chat template. Needs no weights.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tokenizers", nargs="+", metavar="TOKENIZER", help="folder or Hub id")
    template = parser.add_mutually_exclusive_group()
    template.add_argument(
        "--chat-template",
        type=Path,
        metavar="FILE",
        help="Jinja file to use instead of the tokenizer's own template",
    )
    template.add_argument("--no-chat-template", action="store_true", help="feed the prompts as they are")
    parser.add_argument(
        "--template-args",
        default="{}",
        metavar="JSON",
        help="switches for the template: '{\"enable_thinking\": false}'",
    )
    parser.add_argument("--ladder", metavar="PATH", help="another ladder: folder, file or Hub id")
    parser.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="default: %(default)s"
    )
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="write there instead of to the terminal"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Audit every tokenizer and print or write the table."""
    arguments = _template_arguments(options.template_args)
    rows = _audit(options, arguments)
    write_text({"table": _table, "csv": _csv, "json": _json}[options.format](rows), options.output)
    return 0


def _audit(options: argparse.Namespace, arguments: dict[str, Any]) -> list[SurvivalRow]:
    pairs = load_ladder(options.ladder, asked_as="`--ladder`").pairs
    rows: list[SurvivalRow] = []
    with progress("Auditing", len(pairs) * len(options.tokenizers), "pair") as bar:
        for name in options.tokenizers:
            encoder = load_encoder(
                name,
                chat_template_file=options.chat_template,
                use_chat_template=not options.no_chat_template,
                template_arguments=arguments,
            )
            rows += survival_rows(encoder, pairs, advance=bar.update)
    return rows


def _template_arguments(text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise InputError(f"`--template-args {text}` is not JSON ({error}).") from None
    if not isinstance(arguments, dict):
        raise InputError(
            f"`--template-args {text}` must be a JSON object, for example '{{\"thinking\": true}}'."
        )
    return arguments


def _json(rows: Sequence[SurvivalRow]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n"


def _csv(rows: Sequence[SurvivalRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(SurvivalRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def _table(rows: Sequence[SurvivalRow]) -> str:
    names = list(dict.fromkeys(row.tokenizer for row in rows))
    survival = {(row.edit, row.tokenizer): row.survival for row in rows}
    edits: list[tuple[str, tuple[Cell, ...]]] = [
        (row.rung, (row.edit, row.n_pairs, *(survival[row.edit, name] for name in names)))
        for row in rows
        if row.tokenizer == names[0]
    ]
    columns = (
        Column("edit"),
        Column("pairs", 0),
        *(Column(label, 2) for label in headings(("edit", "pairs"), _labels(names))),
    )
    note = (
        "0.00: erased by template or tokenizer from every prompt. pairs: prompts to which the edit applies."
    )
    title = "Share of pairs whose edit reaches the token ids"
    table = ResultTable("survival", title, columns, below_rungs(edits), note)
    said = tuple(
        map(_finding, _labels(names), [[row for row in rows if row.tokenizer == each] for each in names])
    )
    return render(Document("Which edits are erased", (*said, table)), "table", width=terminal_width())


def _finding(label: str, rows: Sequence[SurvivalRow]) -> str:
    """What the column of one tokenizer says."""
    erased = [row.edit for row in rows if row.survival == 0]
    partly = [f"{row.edit} ({row.survival:.2f})" for row in rows if 0 < row.survival < 1]
    if not erased and not partly:
        return f"{label}: every edit reaches the model."
    never = f"{len(erased)} of {len(rows)} edits never reach the model: {', '.join(erased)}" if erased else ""
    some = f"on some prompts only: {', '.join(partly)}" if partly else ""
    return f"{label}: {'; '.join(filter(None, (never, some)))}."


def _labels(names: Sequence[str]) -> list[str]:
    """The last part of each name, or all of it where last parts are not unique."""
    short = [name.rstrip("/").rsplit("/", 1)[-1] for name in names]
    return short if len(set(short)) == len(short) else list(names)
