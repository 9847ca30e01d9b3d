"""`lm-eval-sensitivity panel`: many systems through lm_eval, and a report about them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from lm_eval_sensitivity.cli import export, report
from lm_eval_sensitivity.cli.analysis_options import add_command, add_output_options, write, write_text
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.panel.check_options import check_options
from lm_eval_sensitivity.panel.display import Display
from lm_eval_sensitivity.panel.document import estimate_document
from lm_eval_sensitivity.panel.estimate import estimate, not_here
from lm_eval_sensitivity.panel.example import example_panel
from lm_eval_sensitivity.panel.panel_file import read_panel
from lm_eval_sensitivity.panel.plan import Executor, Panel
from lm_eval_sensitivity.panel.run import PanelRun, run_panel
from lm_eval_sensitivity.report.figures import check_matplotlib
from lm_eval_sensitivity.text.escape import shown_path

INIT = "init"

DESCRIPTION = """\
Measure several systems, each in a fresh lm_eval, and make a report of them. Every run is read back and checked before
it counts. The same command again goes on where it was stopped."""

EPILOG = """\
examples:
  lm-eval-sensitivity panel init Qwen/Qwen3-4B runs/models/int4 -o panel.yaml
  lm-eval-sensitivity panel panel.yaml --dry-run
  lm-eval-sensitivity panel panel.yaml

Runs stand in OUTPUT/runs, one folder for each system: RUN of every other command. Status 1: a run is missing."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "measure several systems, and make a report of them"
    parser = add_command(subparsers, "panel", run, words, DESCRIPTION, EPILOG)
    parser.add_argument(
        "file", metavar="FILE", help=f"panel.yaml; `{INIT}` writes one for the models behind it"
    )
    # Without a default, Python 3.11 says that one is required.
    parser.add_argument(
        "models", nargs="*", default=[], metavar="MODEL", help=f"with `{INIT}`: a folder or Hub id"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what it takes: outputs, tokens, time"
    )
    parser.add_argument("--executor", choices=get_args(Executor), help="instead of the one in the file")
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="make the report of what is there, where a run is missing",
    )
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run what is not done, then the report; 1 where something is missing."""
    if options.file == INIT:
        return _init(options)
    if options.models:
        raise InputError(
            f"One file is a panel; `{options.models[0]}` is one too many. Models belong behind `{INIT}`."
        )
    if options.output and not options.dry_run:
        raise InputError(
            f"`--output` is where `{INIT}` and `--dry-run` write. A panel writes to the folder `output` of its file."
        )
    panel = read_panel(Path(options.file))
    panel = replace(panel, executor=options.executor or panel.executor)
    check_options(panel)
    estimates = estimate(panel)
    if options.dry_run:
        write(estimate_document(estimates, not_here(panel)), options)
        return 0
    if panel.report:
        check_matplotlib()
    with Display(panel, estimates) as display:
        found = run_panel(panel, display)
    return _close(panel, found, allow_missing=options.allow_missing)


def _init(options: argparse.Namespace) -> int:
    if not options.models:
        raise InputError(f"`{INIT}` needs the models of the panel. Give a folder or a Hub id, or several.")
    if options.output and options.output.exists():
        raise InputError(
            f"`--output {shown_path(options.output)}` exists, and may hold your changes. Move it."
        )
    write_text(example_panel(options.models), options.output)
    return 0


def _close(panel: Panel, found: PanelRun, *, allow_missing: bool) -> int:
    if found.missing:
        names = "; ".join(unit.name for unit, _ in found.missing)
        without = (
            "" if allow_missing or not panel.report else ", and --allow-missing makes the report without them"
        )
        print(
            f"{len(found.missing)} of {len(panel.units)} runs are missing: {names}. The same command tries them "
            f"again{without}.",
            file=sys.stderr,
        )
    if panel.report and found.done and (allow_missing or not found.missing):
        _report(panel, {unit.system for unit in found.done})
    return int(bool(found.missing))


def _report(panel: Panel, there: set[str]) -> None:
    """By the commands that anybody could type."""
    runs = {name: str(panel.runs_of(name)) for name in (each.name for each in panel.systems) if name in there}
    line = [*runs.values(), *(f"--label={folder}={name}" for name, folder in runs.items()), "--overwrite"]
    if panel.reference in runs and len(runs) > 1:
        line += ["--reference", runs[panel.reference]]
    elif panel.reference is not None:
        print(f"No drift: {panel.reference}, or all beside it, is missing.", file=sys.stderr)
    print(f"The report of {len(runs)} systems, then the results for the page ...", file=sys.stderr)
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(dest="command")
    for command, name, folder in ((report, "report", "report"), (export, "export", "results")):
        command.add_parser(subparsers)
        options = parser.parse_args([name, *line, "--output", str(panel.output / folder)])
        options.run(options)
