"""`lm-eval-sensitivity rescore`: a finished run measured again, with another embedder or answer rule."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.cli.analysis_options import add_command, folder
from lm_eval_sensitivity.embedder import TextDistances, find_embedder
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs import load_reference
from lm_eval_sensitivity.scaffold import KNOWN_SCAFFOLDS
from lm_eval_sensitivity.text.escape import inert, one_line, shown_path

if TYPE_CHECKING:
    from lm_eval_sensitivity.harness.rescore import RescoredRun

DESCRIPTION = """\
Recompute the text metrics (cosine distance and its windows, both filters) of a finished run from its samples, with
another sentence embedder or another rule for what the answer is, and write a new run folder. The model is not needed
and the old folder is only read. Every command reads the new folder like any run, and its results file says what it
was made from. Distances of two embedders, or of two rules, are never compared: rescore every run alike."""

EPILOG = """\
examples:
  lm-eval-sensitivity rescore runs/qwen3-4b -o runs/qwen3-4b-mpnet --embedder all-mpnet-base-v2
  lm-eval-sensitivity rescore runs/int8 -o runs/int8-mpnet --embedder all-mpnet-base-v2 --reference runs/qwen3-4b
  lm-eval-sensitivity rescore runs/qwen3-4b -o runs/qwen3-4b-whole --scaffold none

what stays as recorded: token metrics, JS and hidden distances, margins, audit.
what cannot be recomputed: drift without --reference; tokens and windows of an answer that a named scaffold cuts out
in another place than the run did. Such numbers are missing with the reason, never taken over.

scaffolds: """ + ", ".join(scaffold.name for scaffold in KNOWN_SCAFFOLDS)


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "measure a finished run again with another embedder or answer rule"
    parser = add_command(subparsers, "rescore", run, words, DESCRIPTION, EPILOG)
    parser.add_argument("source", type=folder, metavar="RUN", help="folder that was --output_path")
    parser.add_argument(
        "--output", "-o", type=Path, required=True, metavar="NEW_RUN", help="folder to write; must not exist"
    )
    parser.add_argument(
        "--embedder", metavar="NAME", help="Hub id or folder (default: the one that runs use by default)"
    )
    parser.add_argument("--embedder-revision", metavar="REV", help="branch, tag or commit on the Hub")
    parser.add_argument(
        "--scaffold",
        metavar="RULE",
        help="none: the whole output is the answer; or the one scaffold that is looked for (default: answers as "
        "recorded)",
    )
    parser.add_argument("--reference", type=folder, metavar="RUN", help="run to measure baseline_drift from")
    parser.add_argument(
        "--ladder", metavar="PATH", help="the ladder that was run, if it is not the packaged one"
    )
    parser.add_argument("--subset", metavar="NAME", help="take only tasks of this subset of the ladder")


def run(options: argparse.Namespace) -> int:
    """Rescore, then say what was written."""
    # The harness imports lm_eval; `--help` must not wait for it.
    from lm_eval_sensitivity.harness.recorded import check_rule
    from lm_eval_sensitivity.harness.rescore import Settings, check_new_folder, rescore_run

    check_rule(options.scaffold)
    check_new_folder(options.source, options.output)
    embedder = find_embedder(options.embedder, revision=options.embedder_revision)
    try:
        settings = Settings(
            TextDistances(embedder.load),
            rule=options.scaffold,
            reference=None if options.reference is None else load_reference(options.reference),
        )
        done = rescore_run(
            options.source, options.output, settings, ladder=options.ladder, subset=options.subset
        )
    except InputError as error:
        # What a check quotes from a stranger's file must not reach a terminal as it is.
        raise InputError(one_line(error)) from None
    sys.stdout.write(as_text(done))
    return 0


def as_text(done: RescoredRun) -> str:
    """Say what was written, from which embedder to which, and what was not taken.

    Returns:
        Lines, those of the rungs first, with a line break at the end.
    """
    lines = [
        f"{rung.metadata.rung} of system {rung.metadata.system}: raw {inert(words['raw'])}; answer "
        f"{inert(words['answer'])}"
        for rung, words in done.rungs
    ]
    before = sorted({_named(rung.metadata.embedder) for rung, _ in done.rungs})
    lines.append(f"Embedder: {_named(done.embedder)}; before: {', '.join(before)}")
    lines += [f"Left out: {each.about[0]}: {each.text}" for each in done.left_out]
    lines.append(
        f"Wrote {sum(rung.n_pairs for rung, _ in done.rungs)} pairs to {shown_path(done.folder)}. Next: "
        f"`lm-eval-sensitivity clusters {shown_path(done.folder)}`"
    )
    return "\n".join(lines) + "\n"


def _named(embedder: Any) -> str:
    return f"{inert(str(embedder.get('name')))[:80]} ({inert(str(embedder.get('weights_sha256')))[:16]})"
