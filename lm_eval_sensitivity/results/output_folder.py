"""The folder that results are written to: what may be replaced, and how. What is not ours is never deleted."""

from __future__ import annotations

import os
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.manifest import FILES_OF_RESULTS, read_manifest
from lm_eval_sensitivity.text.escape import one_line, shown_path

FOLDERS = ("pairs", "details", "answers", "probes")
_NAMES = frozenset(FILES_OF_RESULTS)


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds anything but results of ours, before anything long is done.

    Args:
        folder: that was asked for.
        overwrite: whether earlier results in it may be replaced.

    Raises:
        InputError: it exists, and may not be replaced.
    """
    name = shown_path(folder)
    if not folder.name or not folder.absolute().parent.is_dir():
        raise InputError(f"`--output {name}` cannot be made. Give a new folder inside a folder that exists.")
    if not (folder.exists() or folder.is_symlink()):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise InputError(f"`--output {name}` is no folder of its own. Give a new one.")
    if not overwrite:
        raise InputError(
            f"`--output {name}` exists. Give a new folder, or `--overwrite` to replace results of an earlier export."
        )
    try:
        read_manifest(folder)
    except InputError as error:
        raise InputError(
            f"`--output {name}` holds no results that `--overwrite` may replace: {one_line(error)}"
        ) from None
    foreign = next(iter(_foreign(folder)), None)
    if foreign is not None:
        raise InputError(
            f"`--output {name}` holds {foreign!r}, which is no file of a results folder and would be lost. Move it, or "
            "give a new folder."
        )


def _foreign(folder: Path) -> list[str]:
    """Everything in a folder that an export does not write, by path inside it."""
    found = (each.relative_to(folder).as_posix() for each in sorted(folder.rglob("*")))
    return [each for each in found if each not in FOLDERS and not is_file_of_results(each)]


def is_file_of_results(name: str) -> bool:
    """Whether an export may write a file of this name.

    Args:
        name: path inside the folder, with `/`.

    Returns:
        True for manifest, statements, ladder, and what there is of each system.

    Example:
        >>> is_file_of_results("pairs/003.parquet"), is_file_of_results("README.md")
        (True, False)
    """
    return name in _NAMES


def move_results(unfinished: Path, target: Path) -> None:
    """Put the new folder in the place of the old one; what is not ours is never deleted.

    Args:
        unfinished: the new folder, complete, beside the old one.
        target: where it belongs; it may hold earlier results.
    """
    old = target.with_name(f".{target.name}.replaced-{os.getpid()}")
    if target.exists():
        target.rename(old)
    unfinished.rename(target)
    if not old.exists():
        return
    for path in sorted(old.rglob("*"), reverse=True):
        if is_file_of_results(path.relative_to(old).as_posix()):
            path.unlink()
    for path in (*(old / name for name in FOLDERS), old):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
