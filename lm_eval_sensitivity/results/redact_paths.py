"""Sentences without the folders of the machine that they were written on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from lm_eval_sensitivity.results.systems import without_path
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.text.escape import shown_path


def places_of(pairs: Runs, folders: Sequence[Path], embedder: str | None) -> tuple[Path, ...]:
    """Folders of this machine that no published sentence may name.

    Args:
        pairs: the runs.
        folders: as they were given.
        embedder: as it was given; None for that of the runs.

    Returns:
        The run folders, then embedders and ladders that were named by a path.
    """
    names = [embedder]
    for system in pairs.systems:
        names += [system.embedder.get("name"), system.ladder.name]
    paths = sorted({name for name in names if isinstance(name, str) and without_path(name) != name})
    return (*folders, *map(Path, paths))


def without_folders(text: str, folders: Iterable[Path]) -> str:
    """A sentence without the paths of run folders.

    Args:
        text: of a note or a remark.
        folders: from `places_of`.

    Returns:
        The text with the last part of each folder in place of its path.

    Example:
        >>> without_folders("/home/me/runs/a/results_1.json: broken", [Path("/home/me/runs/a")])
        'a/results_1.json: broken'
    """
    for place, name in _forms(tuple(folders)):
        text = text.replace(place, name)
    return text


@lru_cache(maxsize=8)
def _forms(folders: tuple[Path, ...]) -> tuple[tuple[str, str], ...]:
    """How each folder may be written, and what stands for it. An export asks this for every one of its sentences."""
    forms = {path for folder in folders for path in (folder, folder.absolute(), folder.resolve())}
    # The longest first: one may stand inside another.
    ordered = sorted(forms, key=lambda each: (-len(str(each)), str(each)))
    return tuple((shown_path(path), shown_path(Path(path.name))) for path in ordered if len(path.parts) > 1)
