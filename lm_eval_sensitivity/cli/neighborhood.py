"""`lm-eval-sensitivity neighborhood`: how far one prompt's output moves under small edits of it."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import add_command, add_output_options, complain, write
from lm_eval_sensitivity.cli.tasks_path import tasks_path
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.sources import read_variants
from lm_eval_sensitivity.neighborhood.document import neighborhood_document
from lm_eval_sensitivity.neighborhood.findings import findings_from_rows
from lm_eval_sensitivity.neighborhood.prompt import neighborhood_pairs, read_stdin
from lm_eval_sensitivity.neighborhood.verdict import check_limit

DESCRIPTION = """\
Edit one prompt in ways that a reader hardly sees, run lm_eval on it and on every variant, and print
which edits reached the model and how far they moved its greedy output."""

EPILOG = """\
examples:
  lm-eval-sensitivity neighborhood "Recommend a book like Dune." \\
          --model hf --model_args pretrained=Qwen/Qwen3-0.6B --batch_size 16 --apply_chat_template
  lm-eval-sensitivity neighborhood - --variants variants.yaml --fail-above 0.2 --format markdown < prompt.txt

variants.yaml holds rewordings of your own, as many as you like of these:
  synonym_1: Suggest a book like Dune.
  paraphrase_1: Which novel should a reader of Dune read next?
  semantic_1: Recommend a film like Dune.
  control_topic: How do I boil an egg?

exit status: 0 fine; 1 a meaning-preserving variant is above --fail-above; 2 a mistake in the call;
3 --fail-above was given and nothing could be scored."""

LARGEST_DISTANCE = 2.0
_BATCH_SIZE = re.compile(r"auto(:\d+)?|0*[1-9]\d*")


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "print how far one prompt's output moves under small edits of it"
    parser = add_command(subparsers, "neighborhood", run, words, DESCRIPTION, EPILOG)
    parser.add_argument(
        "prompt", metavar="PROMPT", help="the prompt; - reads it from stdin, without its last line break"
    )
    parser.add_argument(
        "--variants", type=Path, metavar="FILE", help="YAML file of own variants, see below; adds their rungs"
    )
    parser.add_argument(
        "--filter",
        choices=("answer", "raw"),
        default="answer",
        help="compare answers, without their reasoning, or whole outputs; default: %(default)s",
    )
    parser.add_argument(
        "--fail-above",
        type=float,
        metavar="DISTANCE",
        help="exit with 1 if a meaning-preserving variant is further away, with 3 if none could be scored",
    )
    parser.add_argument(
        "--embedder", metavar="MODEL", help="model id or folder; default: all-MiniLM-L6-v2, which is English"
    )
    add_output_options(parser, has_gate=True)
    # Which model is asked, and how; each means the same as in lm_eval.
    group = parser.add_argument_group("as in lm_eval")
    group.add_argument("--model", default="hf", help="engine; default: %(default)s")
    group.add_argument("--model_args", default="", metavar="ARGS", help="name=value,name=value or JSON")
    group.add_argument("--device", default="cuda:0", help="default: %(default)s, the CPU where there is none")
    group.add_argument("--batch_size", default="1", metavar="SIZE", help="a number or auto; default: 1")
    group.add_argument(
        "--gen_kwargs", default="", metavar="ARGS", help="for example max_gen_toks=64; decoding stays greedy"
    )
    group.add_argument(
        "--apply_chat_template",
        nargs="?",
        const=True,
        default=False,
        metavar="NAME",
        help="use the tokenizer's chat template, or the one of this name (PROMPT goes first then)",
    )
    group.add_argument("--system_instruction", metavar="TEXT", help="system message before the prompt")
    group.add_argument("--use_cache", metavar="PATH", help="keep outputs there; a killed run goes on from it")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and return the exit status."""
    _check_options(options)
    # The harness imports lm_eval; `--help` must not wait for it.
    from lm_eval_sensitivity.harness.one_prompt import RunSettings, run_one_prompt

    prompt = read_stdin() if options.prompt == "-" else options.prompt
    pairs = neighborhood_pairs(prompt, {} if options.variants is None else read_variants(options.variants))
    settings = RunSettings(**{each.name: getattr(options, each.name) for each in fields(RunSettings)})
    findings = findings_from_rows(*run_one_prompt(pairs, settings, tasks_path()), options.filter)
    check = None if options.fail_above is None else check_limit(findings, options.fail_above)
    write(neighborhood_document(findings, check), options)
    if check is None or check.status == "passed":
        return 0
    complain(options, f"--fail-above: {check.message}")
    return 1 if check.status == "failed" else 3


def _check_options(options: argparse.Namespace) -> None:
    """Refuse before a model is loaded what would only be refused after it ran."""
    limit = options.fail_above
    if limit is not None and not 0 <= limit < LARGEST_DISTANCE:
        raise InputError(
            f"`--fail-above {limit}`: accepted are distances from 0 to less than {LARGEST_DISTANCE:g}, which no "
            "distance exceeds. Give for example 0.2."
        )
    if not _BATCH_SIZE.fullmatch(options.batch_size):
        raise InputError(
            f"`--batch_size {options.batch_size}`: accepted are whole numbers from 1 and `auto`, as in lm_eval."
        )
    if options.output is None:
        return
    target = options.output if options.output.exists() else options.output.parent
    if options.output.is_dir() or not os.access(target, os.W_OK):
        raise InputError(
            f"`--output {options.output}` cannot be written. Give a file in a folder that exists."
        )
