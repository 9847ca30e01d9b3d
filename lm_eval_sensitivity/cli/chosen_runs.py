"""Which loaded system a folder of the command line stands for, a reference among them."""

from __future__ import annotations

import argparse
from pathlib import Path

from lm_eval_sensitivity.cli.analysis_options import load_runs
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs import Pairs, System
from lm_eval_sensitivity.text.escape import shown_path


def system_of(pairs: Pairs, folder: Path) -> System:
    """The one system that was loaded from a folder.

    Raises:
        InputError: none, or several.
    """
    found = [
        system
        for system in pairs.systems
        if any(folder in rung.results.parents or folder == rung.results.parent for rung in system.rungs)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"Run folder `{shown_path(folder)}` holds {len(found)} systems: "
            f"{', '.join(f'{each.name} ({each.fingerprint})' for each in found)}. Give a folder with one; one "
            "`--output_path` per system keeps them apart."
        )
    reasons = [f"{each.what}: {each.reason}." for each in pairs.left_out]
    raise InputError(
        f"Run folder `{shown_path(folder)}` gives no system of its own beside the other runs. "
        + " ".join(reasons[:3])
        + (" Give runs of different systems." if not reasons else "")
    )


def folders_beside(options: argparse.Namespace) -> list[Path]:
    """The runs with `--reference` first; it may stand among them, too, and is loaded once."""
    first = options.reference
    others = [each for each in options.runs if first is None or each.resolve() != first.resolve()]
    return [*([] if first is None else [first]), *others]


def load_beside(options: argparse.Namespace) -> tuple[Pairs, System | None]:
    """These runs, and the reference's system.

    Raises:
        InputError: there is no system beside the reference.
    """
    pairs = load_runs(folders_beside(options), options)
    if options.reference is None:
        return pairs, None
    if len(pairs.systems) == 1:
        raise InputError(
            "The reference is the only system. Give a run of at least one other to compare with it."
        )
    return pairs, system_of(pairs, options.reference)
