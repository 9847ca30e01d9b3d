"""`lm-eval-sensitivity ladder build`: a ladder from anyone's own prompts."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from lm_eval_sensitivity.cli.analysis_options import whole_number
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder, build_pairs, load_ladder
from lm_eval_sensitivity.ladder.authoring.generic_control import shared_words, with_generic_controls
from lm_eval_sensitivity.ladder.authoring.hub_prompts import read_own_dataset
from lm_eval_sensitivity.ladder.authoring.own_pairs import GENERIC_CONTROL
from lm_eval_sensitivity.ladder.authoring.tables import PROMPT_FIELD
from lm_eval_sensitivity.ladder.authoring.user_prompts import (
    FILE_SUFFIXES,
    OwnPrompts,
    Reading,
    read_own_file,
)
from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.ladder.cost import generations
from lm_eval_sensitivity.ladder.hub import parse_hub_source
from lm_eval_sensitivity.ladder.load import SUBSET_FILE
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.schema import pairs_from_rows, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import Design
from lm_eval_sensitivity.ladder.tasks import task_names
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.types import RUNGS

EPILOG = f"""\
examples:
  lm-eval-sensitivity ladder build prompts.txt -o my_ladder/
  lm-eval-sensitivity ladder build support.csv --prompt-field question -o my_ladder/
  lm-eval-sensitivity ladder build prompts.jsonl --design spread --budget 620 -o my_ladder/
  lm-eval-sensitivity ladder build ORG/NAME --split test --prompt-field instruction --limit 50 -o my_ladder/
  lm-eval-sensitivity ladder build pairs.csv -o my_ladder/
  lm_eval --tasks prompt_sensitivity --metadata '{{"ladder": "my_ladder"}}' --model hf --model_args ...

formats ({", ".join(FILE_SUFFIXES)}, or a Hub dataset):
  text: one prompt per line. CSV (separated by commas, semicolons, tabs or vertical bars) and JSON lines: a field
  `prompt`, and where you like `id`, `category` and variants that you wrote, under `synonym_1`, `synonym_2`,
  `paraphrase_1`, `paraphrase_2`, `semantic_1`, `control_reversal`, `control_topic`, each with a reason in
  `<name>_reason`. YAML: as the published sources.

  Pairs: CSV or JSON lines with one row per pair and the fields `base`, `variant`, `rung`
  ({", ".join(RUNGS[1:])}) and `edit`, your own name of
  the kind of edit; where you like `id` and `category` of the prompt, and `reason`. A prompt may have many pairs, and
  several of one kind, which are numbered: `typo_1`, `typo_2`.

Rules build the rungs identical, noop and punctuation. A prompt without a positive control of yours gets another prompt
of the list, of similar length, as one (`{GENERIC_CONTROL}`): nothing more is generated for it. The other rungs need
variants that somebody wrote; a rung without pairs is left out when the group is run.

A spread design has one edit of every meaning-preserving rung and one positive control per prompt, so that the same
generations reach more prompts; every edit of a rung stands on equally many prompts as far as it applies. See also:
lm-eval-sensitivity ladder plan --help"""


_MANY_WORDS = 0.5
_COUNT = whole_number(1, 10**9)


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
    parser.add_argument("--limit", type=_COUNT, metavar="N", help="take only the first N rows")
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
        "--budget", type=_COUNT, metavar="N", help="most generations of a spread design (no limit)"
    )
    parser.add_argument(
        "--no-control", action="store_true", help="make no positive controls of other prompts of the list"
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
    if not options.no_control:
        own = replace(own, source=with_generic_controls(own.source))
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
        None
        if path.exists() or path.suffix.lower() in FILE_SUFFIXES
        else parse_hub_source(options.source, "`PROMPTS`")
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
        edits = dict.fromkeys(pair.edit for pair in ladder.rung(rung))
        words = ", ".join(f"{edit} {per_edit[edit]}" for edit in edits)
        lines.append(f"  {rung}: {inert(words) or 'none, nobody wrote variants'}")
    lines += [line for note in _notes(ladder, own) for line in ("", note)]
    metadata = shlex.quote(json.dumps({"ladder": str(folder)}))
    lines += [
        "",
        "Run it:",
        f"  lm_eval --tasks {task_names(ladder.rungs)} --metadata {metadata} \\",
        "          --model hf --model_args pretrained=... --apply_chat_template --output_path runs/own --log_samples",
    ]
    return "\n".join(lines)


def _notes(ladder: Ladder, own: OwnPrompts) -> Iterator[str]:
    absent = [
        edit for rung in ("noop", "punctuation") for edit in edits_of_rung(rung) if edit not in ladder.edits
    ]
    if absent:
        yield f"Edits that apply to none of these prompts: {', '.join(absent)}."
    yield from _on_controls(ladder)
    if own.unused_fields:
        yield f"Fields that were not used: {', '.join(repr(name[:80]) for name in own.unused_fields)}."
    if own.repeated:
        yield f"Repeated rows that were left out: {len(own.repeated)}, the first is {inert(own.repeated[0])}."
    yield from map(inert, own.notes)
    yield from _on_equal_variants(ladder)


def _on_controls(ladder: Ladder) -> Iterator[str]:
    """What stands as positive control, and of which prompts nothing does."""
    generic = [pair for pair in ladder.pairs if pair.edit == GENERIC_CONTROL]
    if generic:
        words = f"{GENERIC_CONTROL}: {len(generic)} prompts have another prompt of the list as their positive control."
        near = sum(shared_words(pair.base, pair.variant) > _MANY_WORDS for pair in generic)
        if near:
            words += f" {near} of them share more than half of their words with it: a weak control."
        yield words
    without = len(ladder.prompts) - len({pair.prompt_id for pair in ladder.rung("positive_control")})
    if without:
        yield f"{without} of {len(ladder.prompts)} prompts have no positive control, which a verdict needs."


def _on_equal_variants(ladder: Ladder) -> Iterator[str]:
    """A pair that another edit of the same prompt gives as well measures nothing of its own."""
    first: dict[tuple[str, str], str] = {}
    equal = [
        (pair.pair_id, first[pair.prompt_id, pair.variant])
        for pair in ladder.pairs
        if first.setdefault((pair.prompt_id, pair.variant), pair.pair_id) != pair.pair_id
    ]
    if equal:
        one, other = map(inert, equal[0])
        yield f"Pairs with the variant of another pair: {len(equal)}, as {one} with {other}."
