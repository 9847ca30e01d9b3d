"""The command `lm-eval-sensitivity`: thin subcommands over the package. Measuring is `lm_eval`'s command."""

from __future__ import annotations

import argparse
import io
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.cli import (
    audit,
    clusters,
    compare,
    demo_model,
    drift,
    export,
    flips,
    heatmap,
    ladder,
    neighborhood,
    pairs,
    panel,
    probe,
    publish,
    report,
    rescore,
    round,
    show,
    space,
    tasks_path,
    view,
    wrap,
)
from lm_eval_sensitivity.cli.parser import CommandParser
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.text.escape import is_text, shown_path

COMMANDS = (
    neighborhood,
    show,
    view,
    report,
    clusters,
    compare,
    drift,
    heatmap,
    wrap,
    flips,
    probe,
    panel,
    export,
    space,
    publish,
    pairs,
    rescore,
    round,
    ladder,
    audit,
    demo_model,
    tasks_path,
)

STATUS_OF_AN_INTERRUPT = 130
"""As a shell gives it to a program that Ctrl-C has ended."""
STATUS_OF_A_DEFECT = 70
"""As `EX_SOFTWARE` of sysexits.h: the command itself is broken."""

DESCRIPTION = """\
Measure how much a language model's output moves when its prompt barely does.

The measurement itself is lm_eval's own command:
  lm_eval --tasks prompt_sensitivity --model hf --model_args pretrained=... \\
          --apply_chat_template --output_path runs/x --log_samples
The commands below help before and after it."""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser with all subcommands; each has its own `--help` with an example.

    Args:
        command: a first word; where it is a subcommand, no other is there, which takes a tenth of the time.

    Returns:
        The parser; its options have `command`, a name, and `run`, which takes them.

    Example:
        >>> build_parser().parse_args(["tasks-path"]).command
        'tasks-path'
    """
    parser = CommandParser(
        prog="lm-eval-sensitivity",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lm-eval-sensitivity {__version__}")
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    asked = [each for each in COMMANDS if _name(each) == command]
    for each in asked or COMMANDS:
        each.add_parser(subparsers)
    return parser


def _name(command: ModuleType) -> str:
    return command.__name__.rpartition(".")[2].replace("_", "-")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The command's own exit status; 2 for a user's mistake, which is one message on stderr; 0 where the reader of a
        pipe stopped; `STATUS_OF_A_DEFECT` for anything else, shown with its traceback.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = build_parser(arguments[0] if arguments else None).parse_args(arguments)
    _print_anything()
    try:
        _refuse_odd_bytes(vars(options))
        status: int = options.run(options)
    except InputError as error:
        print(f"lm-eval-sensitivity {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"lm-eval-sensitivity {options.command}: interrupted.", file=sys.stderr)
        return STATUS_OF_AN_INTERRUPT
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        sys.stderr.close()
        return 0
    except Exception:  # noqa: BLE001 - shown in full; Python's own status 1 is what a check that failed gives
        traceback.print_exc()
        return STATUS_OF_A_DEFECT
    return status


def _refuse_odd_bytes(options: Mapping[str, Any]) -> None:
    """Bytes of a path that are no text come in as half surrogates, which many a library cannot take."""
    for name, given in options.items():
        for each in given if isinstance(given, list) else [given]:
            # A prompt has a door of its own.
            if name != "prompt" and isinstance(each, (str, Path)) and not is_text(str(each)):
                option = f"`--{name} " if name == "output" else "`"
                raise InputError(
                    f"{option}{shown_path(Path(str(each)))}` is no UTF-8 text. Give another name."
                )


def _print_anything() -> None:
    """What a file says may hold half surrogates: they are printed as their numbers."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
