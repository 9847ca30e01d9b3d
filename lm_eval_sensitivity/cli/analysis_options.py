"""Options and output that all commands over runs share."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.report import FORMATS, GATE_FORMATS, Document, render
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements import Selection, Signature, TablePartition, signature
from lm_eval_sensitivity.statements.selection import (
    PRIMARY_FILTER,
    PRIMARY_METRIC,
    PRIMARY_RUNGS,
    RUNG_SETS,
    WEIGHTS,
    Weights,
    primary_metric,
)
from lm_eval_sensitivity.stats import DRAWS, RESAMPLES
from lm_eval_sensitivity.stats.intervals import FEWEST_RESAMPLES, MOST_RESAMPLES
from lm_eval_sensitivity.text.escape import shown


def add_command(
    subparsers: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    words: str,
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Register a command.

    Args:
        subparsers: of the main parser.
        name: of the command.
        run: takes the parsed options, gives the exit status.
        words: its line in the list of commands.
        description: above its options.
        epilog: below them, line breaks kept.

    Returns:
        The command's parser, for its own options.
    """
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=words,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_runs(parser: argparse.ArgumentParser) -> None:
    """One run folder or more."""
    parser.add_argument("runs", nargs="+", type=folder, metavar="RUN", help="folder that was --output_path")


def folder(text: str) -> Path:
    """An argparse type: a blank would be the working folder, and all that lies below it."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a folder is blank; give the folder that was --output_path")
    return Path(text)


def add_embedder_option(parser: argparse.ArgumentParser) -> None:
    """With what drift is computed again."""
    parser.add_argument(
        "--embedder",
        metavar="NAME",
        help="folder or Hub id of the embedder of the runs, where drift is recomputed and it is not the default one",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Which runs are read, and how strictly."""
    parser.add_argument(
        "--ladder", metavar="PATH", help="the ladder that was run, if it is not the packaged one"
    )
    parser.add_argument("--subset", metavar="NAME", help="take only tasks of this subset of the ladder")
    add_row(parser)
    parser.add_argument(
        "--exclude-mismatched",
        action="store_true",
        help="leave out what cannot be compared with the first run, instead of refusing",
    )
    parser.add_argument(
        "--label",
        action="append",
        metavar="RUN=NAME",
        help="call the system of this run NAME, in every output; repeatable (default: the model's name)",
    )


def add_row(parser: argparse.ArgumentParser) -> None:
    """Which answers of a wrapped task are read."""
    parser.add_argument(
        "--row",
        metavar="NAME",
        help="of a wrapped task, the row of its own table that judges answers: metric, filter or both, as in "
        "acc_norm,none (default: the task's metric, its first filter)",
    )


def run_options(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_run_options` was given, as `load_runs` takes it.

    Returns:
        Keyword arguments by name.
    """
    chosen = {name: getattr(options, name) for name in ("subset", "ladder", "exclude_mismatched", "row")}
    labels = [_label(each) for each in options.label or ()]
    if len(dict(labels)) < len(labels):
        raise InputError("`--label` names a run twice. Give each run one name.")
    return chosen | {"labels": dict(labels)}


def _label(text: str) -> tuple[str, str]:
    """Run and name: the run is what stands before the last `=` below which there is a folder, else the first."""
    cuts = [index for index, character in enumerate(text) if character == "="]
    if not cuts:
        raise InputError(f"`--label {shown(text)}`: accepted is RUN=NAME, as in `--label runs/q4=4 bits`.")
    cut = next((each for each in reversed(cuts) if Path(text[:each]).is_dir()), cuts[0])
    return text[:cut], text[cut + 1 :]


def partitioned(pairs: Runs, options: argparse.Namespace) -> TablePartition:
    """The table of the runs, partitioned once for all statements.

    Args:
        pairs: the runs that were read.
        options: with resamples, seed and, where it has the option, weights.

    Returns:
        The partition that every statement of the command shares.
    """
    return TablePartition(pairs.table, options.resamples, options.seed, _weights(options))


def signed(pairs: Runs, options: argparse.Namespace) -> Signature:
    """What the numbers of a command are computed from; one without a test draws no signs.

    Args:
        pairs: the runs that were read.
        options: with seed, resamples and, where it makes a test, draws.

    Returns:
        The signature that stands below a table.
    """
    draws = getattr(options, "draws", 0)
    return signature(
        pairs, seed=options.seed, resamples=options.resamples, draws=draws, weights=_weights(options)
    )


def _weights(options: argparse.Namespace) -> Weights:
    """A command that writes more than one statement for everybody, such as a page, has no choice of weights."""
    found: Weights = getattr(options, "weights", "rung")
    return found


def add_selection_options(
    parser: argparse.ArgumentParser, *, repeatable: bool, with_rungs: bool = True
) -> None:
    """Which numbers are read; a repeatable option is None until it is given, see `chosen`."""
    each = [
        ("--metric", PRIMARY_METRIC, "column of the pairs table, window included; or probe.NAME.MEASURE"),
        ("--filter", PRIMARY_FILTER, " or ".join(FILTERS)),
    ]
    if with_rungs:
        each.append(("--rungs", PRIMARY_RUNGS, f"one of {', '.join(RUNG_SETS)}"))
    for option, default, words in each:
        if repeatable:
            parser.add_argument(
                option, action="append", metavar="NAME", help=f"{words}; repeatable (default: {default})"
            )
        elif option == "--metric":
            # None says that nobody chose it: the runs have one of their own.
            parser.add_argument(option, metavar="NAME", help=f"{words} (default: {default})")
        else:
            parser.add_argument(
                option, default=default, metavar="NAME", help=f"{words} (default: %(default)s)"
            )


def chosen(given: Sequence[str] | None, default: str) -> list[str]:
    """The values of a repeatable option.

    Args:
        given: None where the option was not given.
        default: taken then.

    Returns:
        Each value once, in the order given; never empty.

    Example:
        >>> chosen(None, "raw"), chosen(["raw", "answer", "raw"], "raw")
        (['raw'], ['raw', 'answer'])
    """
    return list(dict.fromkeys(given or [default]))


def in_metric_of(
    selections: Sequence[Selection], given: str | Sequence[str] | None, pairs: Runs
) -> list[Selection]:
    """Selections in the metric of the runs, where the user named none: of texts, or of answers to wrapped tasks.

    Args:
        selections: in the usual metric, or in those that were named.
        given: the option, None where it was not given.
        pairs: the runs that were read.

    Returns:
        Each once.
    """
    if given:
        return list(selections)
    metric = primary_metric(pairs.table.column_names)
    return list(dict.fromkeys(replace(each, metric=metric) for each in selections))


def add_statistics_options(parser: argparse.ArgumentParser, *, with_draws: bool = True) -> None:
    """What makes resampling repeatable; draws are for commands that test."""
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**63),
        default=0,
        metavar="N",
        help=f"of resamples{' and sign draws' if with_draws else ''} (%(default)s)",
    )
    parser.add_argument(
        "--resamples",
        type=whole_number(FEWEST_RESAMPLES, MOST_RESAMPLES),
        default=RESAMPLES,
        metavar="N",
        help="of each interval (%(default)s)",
    )
    if with_draws:
        parser.add_argument(
            "--draws",
            type=whole_number(FEWEST_RESAMPLES, MOST_RESAMPLES),
            default=DRAWS,
            metavar="N",
            help="of signs, above 14 prompts (%(default)s)",
        )


def add_weights_option(parser: argparse.ArgumentParser) -> None:
    """What counts the same in the mean of a prompt."""
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        default="rung",
        help="equal weight per rung, and within a rung per edit; or per edit, so that white space and punctuation are "
        "most of the number (default: %(default)s)",
    )


def add_output_options(parser: argparse.ArgumentParser, *, has_gate: bool = False) -> None:
    """In which form the result is written, and where; a command that a build may fail on has two forms more."""
    forms = (*FORMATS, *(GATE_FORMATS if has_gate else ()))
    words = "; junit: for the tests of a build, comment: short, for a pull request" if has_gate else ""
    parser.add_argument("--format", choices=forms, default="table", help=f"default: %(default)s{words}")
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="write there instead of to the terminal"
    )


def add_overwrite(parser: argparse.ArgumentParser, words: str) -> None:
    """A command never writes over what is there, unless it is told to."""
    parser.add_argument("--overwrite", action="store_true", help=words)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An argparse type.

    Args:
        least: smallest accepted.
        most: largest accepted.

    Returns:
        What reads a text, or refuses it in a sentence.
    """

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from {least} to {most}")
        return int(text)

    return parse


def write(document: Document, options: argparse.Namespace) -> None:
    """Print a document, or write it to `--output`.

    Args:
        document: to show.
        options: `format` and `output`.

    Raises:
        InputError: the file cannot be written.
    """
    width = terminal_width(to_file=options.output is not None)
    write_text(render(document, options.format, width=width), options.output)


def complain(options: argparse.Namespace, message: str) -> None:
    """Say on stderr why a check failed, where nobody reads the document: it is in a file, or for a program.

    Args:
        options: `command`, `format` and `output`.
        message: which the document has, too.
    """
    if options.output is not None or options.format != "table":
        print(f"lm-eval-sensitivity {options.command}: {message}", file=sys.stderr)


def write_text(text: str, target: Path | None) -> None:
    """Print a text, or write it to a file.

    Args:
        text: with its last line break.
        target: file; None prints.

    Raises:
        InputError: the file cannot be written.
    """
    if target is None:
        print_text(text)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"`--output {target}` cannot be written ({error.strerror}).") from None


WIDTH_ELSEWHERE = 100
"""Columns of a text in a file or a pipe, where COLUMNS asks for nothing else."""


def terminal_width(*, to_file: bool = False) -> int:
    """How wide lines may be.

    Args:
        to_file: the text goes into a file, whatever stdout is.

    Returns:
        Columns of the terminal, or those that COLUMNS asks for, else `WIDTH_ELSEWHERE`.
    """
    asked = "COLUMNS" in os.environ or (sys.stdout.isatty() and not to_file)
    return shutil.get_terminal_size().columns if asked else WIDTH_ELSEWHERE


def print_text(text: str) -> None:
    """A terminal that cannot show a character gets its number instead of an error."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
