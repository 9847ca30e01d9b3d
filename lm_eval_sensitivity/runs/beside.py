"""What belongs to loaded runs: which system a folder stands for, and answers to wrapped tasks beside the ladder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.answers import TaskAnswers
from lm_eval_sensitivity.runs.answers import answers_of
from lm_eval_sensitivity.runs.labels import systems_in
from lm_eval_sensitivity.runs.load import Runs, load_runs
from lm_eval_sensitivity.runs.system import System
from lm_eval_sensitivity.text.escape import shown_path


def system_of(pairs: Runs, folder: Path) -> System:
    """The one system that was loaded from a folder.

    Raises:
        InputError: none, or several.
    """
    found = systems_in(pairs.systems, folder)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"Run folder `{shown_path(folder)}` holds {len(found)} systems: "
            f"{', '.join(f'{each.name} ({each.fingerprint})' for each in found)}. Give a folder with one; one "
            "`--output_path` per system keeps them apart."
        )
    reasons = [f"{each.about[0]}: {each.text}" for each in pairs.left_out]
    raise InputError(
        f"Run folder `{shown_path(folder)}` gives no system of its own beside the other runs. "
        + " ".join(reasons[:3])
        + (" Give runs of different systems." if not reasons else "")
    )


def folders_beside(folders: Iterable[Path], reference: Path | None) -> list[Path]:
    """The runs with the reference first; it may stand among them, too, and is loaded once."""
    others = [each for each in folders if reference is None or each.resolve() != reference.resolve()]
    return [*([] if reference is None else [reference]), *others]


def load_beside(
    folders: Iterable[Path], reference: Path | None, **options: Any
) -> tuple[Runs, System | None]:
    """These runs, and the reference's system.

    Args:
        folders: run folders.
        reference: the run that the others are compared with, or None.
        **options: of `load_runs`.

    Returns:
        All runs, the reference among them, and its system; None where none was given.

    Raises:
        InputError: there is no system beside the reference.
    """
    pairs = load_runs(folders_beside(folders, reference), **options)
    if reference is None:
        return pairs, None
    if len(pairs.systems) == 1:
        raise InputError(
            "The reference is the only system. Give a run of at least one other to compare with it."
        )
    return pairs, system_of(pairs, reference)


def read_answers(pairs: Runs) -> tuple[list[TaskAnswers], Runs]:
    """Answers of the systems of some runs to wrapped tasks.

    Args:
        pairs: the runs.

    Returns:
        From `answers_of`; and the runs, without the notes that these were left out.

    Raises:
        InputError: a file breaks a rule, or has changed since it was loaded.
    """
    found = answers_of(pairs.systems)
    read = {(each.about,) for each in found}
    return found, replace(pairs, left_out=tuple(note for note in pairs.left_out if note.about not in read))
