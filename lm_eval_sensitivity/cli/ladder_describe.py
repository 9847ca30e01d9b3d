"""`lm-eval-sensitivity ladder describe`: measure a ladder without models, and write its card."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder
from lm_eval_sensitivity.ladder.authoring.audit_grid import audit_system, find_systems
from lm_eval_sensitivity.ladder.authoring.card import CARD_FILE, is_generated, read_card
from lm_eval_sensitivity.ladder.authoring.folder import read_folder, write_card
from lm_eval_sensitivity.ladder.authoring.measured import (
    MEASURED_FILE,
    Audit,
    Distances,
    Measured,
    make_audit,
    measure_distances,
    read_measured,
    write_measured,
)
from lm_eval_sensitivity.progress import progress

EPILOG = """\
examples:
  lm-eval-sensitivity ladder describe datasets/prompt_sensitivity_ladder \\
      --tokenizers shared/tokenizers --templates shared/templates
  lm-eval-sensitivity ladder describe my_ladder/

Writes FOLDER/measured.json, and then FOLDER/README.md if that is a generated card; only the card of the published
ladder shows what was measured. Rows that change make the file stale, and a card is not built from a stale one:
describe the folder again."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "describe",
        help="measure a ladder: prompt distances, and which edits reach which tokenizers",
        description="Measure the largest subset of a ladder without any model: the distance between the two prompts "
        "of every pair, and how many pairs of every edit reach the token ids of every tokenizer.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="dataset folder with the parquet files")
    parser.add_argument(
        "--tokenizers",
        type=Path,
        metavar="DIR",
        help="folder with one folder per tokenizer; renews the audit",
    )
    parser.add_argument(
        "--templates", type=Path, metavar="DIR", help="folder with chat templates, *.jinja, audited besides"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Audit, measure, write, and say what was written."""
    folder: Path = options.folder
    if options.templates is not None and options.tokenizers is None:
        raise InputError(
            "`--templates` was given without `--tokenizers`. Templates are audited under a tokenizer: give both."
        )
    if not folder.is_dir():
        raise InputError(f"`{folder}` is no folder. Give the dataset folder that holds the parquet files.")
    ladder = read_folder(folder)[0]
    path = folder / MEASURED_FILE
    former = None if options.tokenizers is not None else _former_audit(path)
    audit = former if options.tokenizers is None else _audit(ladder, options.tokenizers, options.templates)
    measured = Measured(ladder.version, ladder.subset, _distances(ladder), audit)
    write_measured(measured, path)
    print(f"{path}: {len(measured.distances.edits)} edits, {_systems(audit)}")
    if options.tokenizers is None and audit is not None:
        print("The token audit is left as it is: give --tokenizers and --templates to renew it.")
    _follow_with_card(folder, ladder, audit)
    return 0


def _former_audit(path: Path) -> Audit | None:
    return read_measured(path).audit if path.exists() else None


def _audit(ladder: Ladder, tokenizers: Path, templates: Path | None) -> Audit:
    systems = find_systems(tokenizers, templates)
    with progress("Auditing", len(ladder.pairs) * len(systems), "pair") as bar:
        audited = [
            audit_system(system, ladder.pairs, tokenizers, templates, advance=bar.update)
            for system in systems
        ]
    import transformers

    return make_audit(ladder, audited, transformers.__version__)


def _distances(ladder: Ladder) -> Distances:
    from lm_eval_sensitivity.embedder import load_embedder, readable_vectors

    embedder = load_embedder()
    return measure_distances(ladder, partial(readable_vectors, embedder), asdict(embedder.identity))


def _systems(audit: Audit | None) -> str:
    return (
        "no token audit (give --tokenizers and --templates to make one)"
        if audit is None
        else f"{len(audit.systems)} tokenizers and chat templates"
    )


def _follow_with_card(folder: Path, ladder: Ladder, audit: Audit | None) -> None:
    card = folder / CARD_FILE
    if not card.exists() or not is_generated(read_card(card)):
        return
    if audit is not None and audit.content_hash != ladder.content_hash:
        print(
            f"{card} is not written: the token audit belongs to other rows. Give --tokenizers and --templates."
        )
        return
    write_card(folder)
    print(f"{card}: written")
