"""Names that a user gives to runs, in place of those that models came with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs.system import System
from lm_eval_sensitivity.text.escape import inert, shown_path

LONGEST_LABEL = 80


def systems_in(systems: Iterable[System], folder: Path) -> list[System]:
    """The systems that have a rung from a folder, in their order."""
    return [
        system
        for system in systems
        if any(folder in rung.results.parents or folder == rung.results.parent for rung in system.rungs)
    ]


def check_labels(folders: Sequence[Path], labels: Iterable[tuple[Path, str]]) -> dict[Path, str]:
    """Labels before anything is read.

    Args:
        folders: the runs that are loaded.
        labels: run folders, however they are spelled, each with its name.

    Returns:
        By the folder as it stands among the runs; a label is inert.

    Raises:
        InputError: a label of no run, two of one run, one that is blank or too long, or one for two runs.
    """
    known = {folder.resolve(): folder for folder in folders}
    found: dict[Path, str] = {}
    for given, text in labels:
        label = inert(text.strip())
        where = f"`--label {shown_path(given)}={label[:LONGEST_LABEL]}`"
        folder = known.get(given.resolve())
        if folder is None:
            runs = ", ".join(map(shown_path, folders))
            raise InputError(f"{where} names none of the runs. They are: {runs}.")
        if not label:
            raise InputError(f"{where} gives no name. Write the name behind `=`.")
        if len(label) > LONGEST_LABEL:
            raise InputError(f"{where}... has {len(label)} characters; accepted are at most {LONGEST_LABEL}.")
        if folder in found:
            raise InputError(f"{where}: this run has the label {found[folder]!r} already. Give it one.")
        if label in found.values():
            raise InputError(f"{where}: another run has this label. Two systems need two names.")
        found[folder] = label
    return found


def labelled(systems: Sequence[System], labels: Mapping[Path, str]) -> tuple[System, ...]:
    """Systems under the names that their runs were given.

    Args:
        systems: with names of their own.
        labels: from `check_labels`.

    Returns:
        The systems in their order. A run that was left out keeps nobody from the others.

    Raises:
        InputError: a folder with several systems, two labels for one system, or two systems of one name.
    """
    names: dict[str, str] = {}
    for folder, label in labels.items():
        found = systems_in(systems, folder)
        if len(found) > 1:
            raise InputError(
                f"`--label {shown_path(folder)}={label}`: the run holds {len(found)} systems. Give a folder with one."
            )
        for system in found:
            if names.setdefault(system.fingerprint, label) != label:
                raise InputError(
                    f"`--label`: {names[system.fingerprint]!r} and {label!r} are one system ({system.fingerprint}). "
                    "Give it one name."
                )
    named = tuple(replace(each, name=names.get(each.fingerprint, each.name)) for each in systems)
    for label in names.values():
        if sum(each.name == label for each in named) > 1:
            raise InputError(f"`--label`: another system is called {label!r} as well. Choose another label.")
    return named
