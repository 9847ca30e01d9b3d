"""Options of lm_eval, held against its own parser: a slip in the last system must not wait for hours."""

from __future__ import annotations

import argparse
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import cast

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.panel.plan import Panel, Unit
from lm_eval_sensitivity.text.escape import brief


def check_options(panel: Panel) -> None:
    """Have lm_eval parse what it will be given.

    Args:
        panel: to be run.

    Raises:
        InputError: an option that lm_eval does not have, or a value that it refuses.
    """
    known = sorted(name[2:] for name in _parser()._option_string_actions if name.startswith("--"))
    for system in panel.systems:
        for name in {**panel.defaults, **system.run}:
            if name not in known:
                where = "`defaults`" if name in panel.defaults else f"`systems`, {system.name}, `run`"
                raise unknown_name(f"{where}: an option of lm_eval", name, known)
    for unit in panel.units:
        parsed_options(unit)


def parsed_options(unit: Unit) -> argparse.Namespace:
    """The options of a unit as lm_eval understands them.

    Args:
        unit: of a panel.

    Raises:
        InputError: a value that lm_eval refuses.
    """
    said = StringIO()
    try:
        with redirect_stderr(said):
            return _parser().parse_args(unit.arguments(Path("folder")))
    except (SystemExit, ValueError) as error:
        words = said.getvalue().rpartition("error: ")[2] or str(error)
        raise InputError(f"`systems`, {unit.system}: lm_eval refuses its options: {brief(words)}.") from None


def _parser() -> argparse.ArgumentParser:
    from lm_eval._cli.harness import HarnessCLI

    return cast(argparse.ArgumentParser, HarnessCLI()._subparsers.choices["run"])
