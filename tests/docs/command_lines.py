"""Command lines that are not run here still have to be such as the programs take."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from unittest.mock import patch

from tests.conftest import REPOSITORY


def check(words: Sequence[str]) -> None:
    """Raise an error where a program does not know what it is asked for."""
    program, *rest = words
    if program not in _CHECKS:
        raise ValueError(f"nothing here knows the command lines of `{program}`")
    _CHECKS[program](rest)


def _ours(rest: Sequence[str]) -> None:
    from lm_eval_sensitivity.cli.main import build_parser

    _accepted(lambda: build_parser().parse_args(list(rest)))


def _lm_eval(rest: Sequence[str]) -> None:
    from lm_eval._cli import HarnessCLI

    with patch.object(sys, "argv", ["lm_eval", *rest]):
        _accepted(lambda: HarnessCLI().parse_args())


def _make(rest: Sequence[str]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in rest:
        if not re.search(rf"^{re.escape(target)}:", makefile, flags=re.MULTILINE):
            raise ValueError(f"there is no `make {target}`")


def _pip(rest: Sequence[str]) -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for names in re.findall(r"\[([a-z,]+)\]", " ".join(rest)):
        for name in names.split(","):
            if not re.search(rf"^{name} = \[", project, flags=re.MULTILINE):
                raise ValueError(f"there is no extra `{name}`")


def _file(rest: Sequence[str]) -> None:
    if rest[0] == "-m":
        if importlib.util.find_spec(rest[1]) is None:
            raise ValueError(f"there is no module {rest[1]}")
    elif not (REPOSITORY / rest[0]).is_file():
        raise ValueError(f"there is no file {rest[0]}")


def _accepted(parse: Callable[[], object]) -> None:
    try:
        parse()
    except SystemExit as error:
        raise ValueError("the parser refuses it") from error


_CHECKS: dict[str, Callable[[Sequence[str]], None]] = {
    "lm-eval-sensitivity": _ours,
    "lm_eval": _lm_eval,
    "make": _make,
    "pip": _pip,
    "python": _file,
    "bash": _file,
    "cd": lambda rest: None,
    "source": lambda rest: None,
}
