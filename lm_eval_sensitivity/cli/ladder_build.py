"""`lm-eval-sensitivity ladder build`: a ladder from anyone's own prompts."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder, build_pairs, load_ladder
from lm_eval_sensitivity.ladder.authoring.hub_prompts import read_own_dataset
from lm_eval_sensitivity.ladder.authoring.user_prompts import (
    FILE_SUFFIXES,
    PROMPT_FIELD,
    OwnPrompts,
    Reading,
    read_own_file,
)
from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.ladder.hub import parse_hub_source
from lm_eval_sensitivity.ladder.load import SUBSET_FILE
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.schema import pairs_from_rows, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import Design
from lm_eval_sensitivity.ladder.spread import generations
from lm_eval_sensitivity.ladder.tasks import task_names
from lm_eval_sensitivity.types import RUNGS

EPILOG = f"""\
examples:
  lm-eval-sensitivity ladder build prompts.txt -o my_ladder/
  lm-eval-sensitivity ladder build support.csv --prompt-field question -o my_ladder/
  lm-eval-sensitivity ladder build prompts.jsonl --design spread --budget 620 -o my_ladder/
  lm-eval-sensitivity ladder build ORG/NAME --split test --prompt-field instruction --limit 50 -o my_ladder/
  lm_eval --tasks prompt_sensitivity_rules --metadata '{{"ladder": "my_ladder"}}' --model hf --model_args ...

formats ({", ".join(FILE_SUFFIXES)}, or a Hub dataset):
  text: one prompt per line. CSV and JSON lines: a field `prompt`, and where you like `id`, `category` and
  variants that you wrote, under `synonym_1`, `synonym_2`, `paraphrase_1`, `paraphrase_2`, `semantic_1`,
  `control_reversal`, `control_topic`, each with a reason in `<name>_reason`. YAML: as the published sources.

Rules build the rungs identical, noop and punctuation. The other four need variants that somebody wrote.

A spread design has one edit of every meaning-preserving rung and one positive control per prompt, so that the same
generations reach more prompts; every edit of a rung stands on equally many prompts as far as it applies. See also:
lm-eval-sensitivity ladder plan --help"""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "build",
        help="build a ladder from your own prompts",
        description='Build a ladder from your own prompts, to run with --metadata \'{"ladder": "FOLDER"}\'.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", metavar="PROMPTS", help="text, CSV, JSON lines or YAML file, or a Hub dataset"
    )
    parser.add_argument("--output", "-o", type=Path, required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a ladder that stands there")
    parser.add_argument("--prompt-field", metavar="NAME", help=f"field with the prompt ({PROMPT_FIELD})")
    parser.add_argument("--config", metavar="NAME", help="configuration of a Hub dataset")
    parser.add_argument("--split", metavar="NAME", help="split of a Hub dataset")
    parser.add_argument("--limit", type=_positive, metavar="N", help="take only the first N rows")
    parser.add_argument(
        "--skip-repeated", action="store_true", help="leave out repeated prompts instead of refusing them"
    )
    parser.add_argument(
        "--design",
        choices=get_args(Design),
        default="full",
        help="full: every edit of every prompt; spread: few edits of each, in a balanced rotation (full)",
    )
    parser.add_argument(
        "--budget", type=_positive, metavar="N", help="most generations of a spread design (no limit)"
    )
    parser.add_argument(
        "--ladder-version", type=_version, metavar="TEXT", help="version that the rows carry (1)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, build, write, and say what was built and how to run it."""
    target = options.output / SUBSET_FILE
    _check_target(options.output, target, options.overwrite)
    if options.budget is not None and options.design != "spread":
        raise InputError("`--budget` is what a spread design keeps to. Give `--design spread`, too.")
    own = _read(options)
    source = replace(own.source, design=options.design, budget=options.budget)
    pairs = pairs_from_rows(rows_from_pairs(build_pairs(source)), options.source)
    try:
        write_parquet(pairs, target, options.design)
    except OSError as error:
        raise InputError(
            f"`--output {options.output}` cannot be written ({error.strerror}). Choose another folder."
        ) from None
    print(_report(load_ladder(options.output), own, options.output))
    return 0


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _version(text: str) -> str:
    # What a tag on the Hub may be, because pushing a ladder makes one of its version.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not made of letters, digits, dots and hyphens")
    return text


def _check_target(folder: Path, target: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"`--output {folder}` is a file. Give a folder.")
    if target.exists() and not overwrite:
        raise InputError(
            f"`{target}` exists already. Replace it with `--overwrite`, or choose another folder."
        )
    others = [each.name for each in folder.glob(f"*/{SUBSET_FILE}")] + [
        each.name for each in folder.glob("*.parquet") if each.name != SUBSET_FILE
    ]
    if others:
        raise InputError(
            f"`--output {folder}` holds another ladder already ({others[0]}). Choose another folder."
        )


def _read(options: argparse.Namespace) -> OwnPrompts:
    path = Path(options.source).expanduser()
    shared = Reading(
        prompt_field=options.prompt_field,
        version=options.ladder_version,
        limit=options.limit,
        skip_repeated=options.skip_repeated,
    )
    on_hub = (
        None if path.exists() or path.suffix.lower() in FILE_SUFFIXES else parse_hub_source(options.source)
    )
    if on_hub is None:
        for name in ("config", "split"):
            if getattr(options, name) is not None:
                raise InputError(f"`--{name}` is for Hub datasets, but `{path}` is a file. Leave it out.")
        return read_own_file(path, **shared)
    return read_own_dataset(on_hub, config=options.config, split=options.split, **shared)


def _report(ladder: Ladder, own: OwnPrompts, folder: Path) -> str:
    """What was built, in lines for a terminal."""
    n_prompts, per_edit = len(ladder.prompts), Counter(pair.edit for pair in ladder.pairs)
    lines = [
        f"{n_prompts} prompts, {len(ladder.pairs)} pairs, at most {generations(ladder.pairs)} generations, in "
        f"{folder / SUBSET_FILE}",
        "",
    ]
    for rung in RUNGS:
        edits = [f"{edit} {per_edit[edit]}" for edit in edits_of_rung(rung) if per_edit[edit]]
        lines.append(f"  {rung}: {', '.join(edits) or 'none, nobody wrote variants'}")
    absent = [edit for rung in ("noop", "punctuation") for edit in edits_of_rung(rung) if not per_edit[edit]]
    if absent:
        lines += ["", f"Edits that apply to none of these prompts: {', '.join(absent)}."]
    notes = list(own.notes)
    if own.repeated:
        notes.insert(
            0, f"Repeated prompts that were left out: {len(own.repeated)}, the first is {own.repeated[0]}."
        )
    if own.unused_fields:
        notes.insert(
            0, f"Fields that were not used: {', '.join(repr(name[:80]) for name in own.unused_fields)}."
        )
    lines += [line for note in notes for line in ("", note)]
    metadata = shlex.quote(json.dumps({"ladder": str(folder)}))
    lines += [
        "",
        "Run it:",
        f"  lm_eval --tasks {task_names(ladder.rungs)} --metadata {metadata} \\",
        "          --model hf --model_args pretrained=... --apply_chat_template --output_path runs/own --log_samples",
    ]
    return "\n".join(lines)
