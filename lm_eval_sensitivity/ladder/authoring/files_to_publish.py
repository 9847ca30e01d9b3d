"""What is published of a dataset folder, after everything in it was checked."""

from __future__ import annotations

from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Files, can_be_tag
from lm_eval_sensitivity.ladder.authoring.card import (
    CARD_FILE,
    check_own_card,
    is_generated,
    minimal_card,
    path_in_folder,
    read_card,
)
from lm_eval_sensitivity.ladder.authoring.folder import (
    card_of_folder,
    is_published_ladder,
    pairs_of_sources,
    read_folder,
)
from lm_eval_sensitivity.ladder.files import read_limited
from lm_eval_sensitivity.ladder.load import SUBSET_FILE, Ladder
from lm_eval_sensitivity.ladder.schema import content_hash

EVAL_FILE = "eval.yaml"


def prepare(folder: Path, title: str, *, with_eval_file: bool = True) -> tuple[str, Files]:
    """Check a dataset folder and collect what is published of it: card, eval.yaml, parquet and sources.

    Args:
        folder: a published form with subsets, sources and card, or a single `test.parquet`.
        title: heading of the minimal card that an own ladder gets, where nobody wrote it one.
        with_eval_file: leave `eval.yaml` out if False.

    Returns:
        The tag of this version on the Hub, and the files by their path in the repository.

    Raises:
        InputError: rows that do not load, parquet files that the sources do not give, a card that is not
            up to date, or a version that can name no tag.
    """
    if not folder.is_dir():
        raise InputError(f"`{folder}` is no folder. Give the dataset folder that holds the parquet files.")
    ladders = read_folder(folder)
    version = ladders[0].version
    if not can_be_tag(version):
        raise InputError(
            f"The ladder version is {version[:80]!r}, which can name no tag; accepted are letters, digits and `.+-_`, "
            "such as '1.0.0'. Build the ladder with another version."
        )
    sources = sorted((folder / "sources").glob("*.yaml"))
    if sources:
        _check_sources(folder, ladders)
    for ladder in ladders:
        if ladder.file.name != SUBSET_FILE:  # on the Hub no other parquet file is fetched
            raise InputError(
                f"`{ladder.file}` is not published under this name; accepted is `{SUBSET_FILE}`. Rename it."
            )
    parquet = [folder / path_in_folder(ladder) for ladder in ladders]
    eval_files = [folder / EVAL_FILE] if with_eval_file and (folder / EVAL_FILE).exists() else []
    files = {path.relative_to(folder).as_posix(): _read(path) for path in [*eval_files, *parquet, *sources]}
    return f"v{version}", {CARD_FILE: _card(folder, title, ladders).encode("utf-8"), **files}


def _check_sources(folder: Path, ladders: tuple[Ladder, ...]) -> None:
    built = {name: content_hash(pairs) for name, pairs in pairs_of_sources(folder / "sources").items()}
    stored = {ladder.subset: ladder.content_hash for ladder in ladders}
    for name in {**built, **stored}:
        if built.get(name) != stored.get(name):
            raise InputError(
                f"The subset {name!r} of `{folder}` is not what its sources give. Run `python -m "
                f"lm_eval_sensitivity.ladder {folder}`, and check the result."
            )


def _card(folder: Path, title: str, ladders: tuple[Ladder, ...]) -> str:
    path = folder / CARD_FILE
    if not path.exists():
        return minimal_card(title, ladders)
    _refuse_link(path)
    card = read_card(path)
    if not is_generated(card):
        check_own_card(card, ladders, path)
    elif not is_published_ladder(folder, ladders):
        # Not compared with what stands there: the heading is the name that it is published under this time.
        return minimal_card(title, ladders)
    elif card != card_of_folder(folder):
        raise InputError(
            f"`{path}` is not the card that the rows give. Run `python -m lm_eval_sensitivity.ladder {folder}`, and "
            "do not edit a generated card."
        )
    return card


def _read(path: Path) -> bytes:
    _refuse_link(path)
    return read_limited(path)


def _refuse_link(path: Path) -> None:
    """A link could publish a file from anywhere."""
    if path.is_symlink():
        raise InputError(f"`{path}` is a link, which is not published. Put a copy of the file in its place.")
