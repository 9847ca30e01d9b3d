"""The report command over made runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lm_eval_sensitivity.cli import report

HOSTILE = '$x^{2}$ <b onload="x()">&\'--> ]]>'
"""A model's name; what matplotlib, HTML, XML and JSON each would take for something else."""
PLAIN = ("Model-8bit", "Model-4bit")


@dataclass(frozen=True)
class Reported:
    """Run folders and the report over them."""

    folders: tuple[Path, ...]
    """The reference is the first."""
    folder: Path


def make_report(arguments: Sequence[str | Path]) -> int:
    """The command, as the command line calls it."""
    parser = argparse.ArgumentParser()
    report.add_parser(parser.add_subparsers())
    options = parser.parse_args(["report", *map(str, arguments), "--resamples", "199", "--draws", "199"])
    return int(options.run(options))
