"""`lm-eval-sensitivity wrap`: tasks of lm_eval's, to be run under harmless edits."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import add_command

DESCRIPTION = """\
Write a small YAML file for each of some lm_eval tasks: the same task, which asks every question under harmless edits,
too. The unedited row of such a task is the plain task's, bit for bit."""

EPILOG = """\
examples:
  lm-eval-sensitivity wrap arc_easy,gsm8k -o my_tasks
  lm_eval --include_path my_tasks --tasks sensitivity_arc_easy,sensitivity_gsm8k --model hf \\
          --model_args pretrained=... --output_path runs/x --log_samples
  lm-eval-sensitivity flips runs/x

About a dozen tasks are installed and need no file: sensitivity_arc_easy, sensitivity_gsm8k, sensitivity_mmlu, ... A
group is written with all its tasks. Tasks of your own: --include_path FOLDER."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "run any lm_eval task under harmless edits"
    parser = add_command(subparsers, "wrap", run, words, DESCRIPTION, EPILOG)
    parser.add_argument("tasks", metavar="TASK[,TASK]", help="names of tasks, groups or tags of lm_eval's")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder for the files"
    )
    parser.add_argument("--include_path", type=Path, metavar="FOLDER", help="folder of further lm_eval tasks")
    parser.add_argument(
        "--field", metavar="NAME", help="field of the documents that holds the question (default: found)"
    )
    parser.add_argument(
        "--edits",
        metavar="EDITS",
        help="`rules` (default), `format`, a file of authored variants, names of edits; joined by commas",
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="metric whose answers are compared (default: the first of the task)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the files, say what to do with them."""
    # The harness imports lm_eval; `--help` must not wait for it.
    from lm_eval_sensitivity.harness.wrapping.edits import FILE, chosen_edits
    from lm_eval_sensitivity.harness.wrapping.original import EDITS_WANTED, FIELD, METRIC
    from lm_eval_sensitivity.harness.wrapping.writing import wrapped_files, write_files

    metadata: dict[str, Any] = {}
    metadata |= {key: value for key, value in ((FIELD, options.field), (METRIC, options.metric)) if value}
    if options.edits:
        asked = options.edits.split(",")
        metadata[EDITS_WANTED] = [
            str(Path(each).resolve()) if each.endswith(FILE) else each for each in asked
        ]
        chosen_edits(metadata)
    names = [name.strip() for name in options.tasks.split(",") if name.strip()]
    files = wrapped_files(names, metadata, options.include_path)
    write_files(files, options.output)
    asked = ",".join(each.name for each in files if each.name.partition("_")[2] in names) or files[0].name
    print(
        f"{len(files)} file{'s' * (len(files) != 1)} in {options.output}. Next:\n"
        f"  lm_eval --include_path {shlex.quote(str(options.output))} --tasks {asked} --model hf "
        "--model_args pretrained=... --output_path runs/x --log_samples"
    )
    return 0
