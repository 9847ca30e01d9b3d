"""A dataset folder: authored sources become one parquet file per subset, and the card follows from both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.authoring.card import (
    CARD_FILE,
    build_card,
    is_generated,
    is_minimal,
    minimal_card,
    read_card,
    title_of,
)
from lm_eval_sensitivity.ladder.authoring.measured import MEASURED_FILE, check_measured, read_measured
from lm_eval_sensitivity.ladder.build import build_pairs
from lm_eval_sensitivity.ladder.load import SUBSET_FILE, SUBSETS, Ladder, load_ladder, load_subsets
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.schema import pairs_from_rows, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import LADDER_FILE, SPREAD, read_sources
from lm_eval_sensitivity.types import Pair

SINGLE_SUBSET = "default"
"""What the Hub calls the only subset of a dataset."""


def build_folder(folder: Path) -> list[Ladder]:
    """Write the parquet file of every subset, then the card if there is a generated one.

    Args:
        folder: holds `sources/ladder.yaml` and `sources/<any name>.yaml`.

    Returns:
        The ladders as they load from the written files, largest subset first.

    Raises:
        InputError: there are no sources, or one breaks a rule of the ladder; nothing is written then. Or
            what was measured belongs to other rows; then the parquet files are written and the card is not.
    """
    subsets = pairs_of_sources(folder / "sources")
    for subset, pairs in subsets.items():
        write_parquet(pairs, folder / subset / SUBSET_FILE, "spread" if subset == SPREAD else "full")
    card = folder / CARD_FILE
    if card.exists() and is_generated(read_card(card)):
        write_card(folder)
    return [load_ladder(folder, subset) for subset in subsets]


def pairs_of_sources(sources: Path) -> dict[str, tuple[Pair, ...]]:
    """The pairs of every subset, built and validated.

    Args:
        sources: folder of `ladder.yaml` and the authored prompts.

    Returns:
        Subset name to pairs, largest subset first.

    Raises:
        InputError: there are no sources, or one breaks a rule of the ladder.
    """
    return {
        # Through the same checks as rows from outside: an authored variant can equal its base.
        subset: pairs_from_rows(rows_from_pairs(build_pairs(source)), str(sources / LADDER_FILE))
        for subset, source in read_sources(sources).items()
    }


def write_card(folder: Path) -> None:
    """Build the card of a folder and write it over whatever card stands there.

    Raises:
        InputError: as `card_of_folder`.
    """
    (folder / CARD_FILE).write_text(card_of_folder(folder), encoding="utf-8", newline="\n")


def card_of_folder(folder: Path, title: str | None = None) -> str:
    """The card that a folder's files give: the published ladder's, or the minimal one of an own ladder.

    Args:
        folder: dataset folder.
        title: of a minimal card; None keeps that of the minimal card that stands there, else takes the
            folder's name.

    Returns:
        Markdown with front matter.

    Raises:
        InputError: the rows do not load, or it is the published ladder and nothing was measured on
            exactly these rows.
    """
    ladders = read_folder(folder)
    if not is_published_ladder(folder, ladders):
        return minimal_card(title or _title(folder), ladders)
    path = folder / MEASURED_FILE
    measured = read_measured(path)
    check_measured(measured, ladders[0], path)
    return build_card(ladders, measured)


def is_published_ladder(folder: Path, ladders: tuple[Ladder, ...]) -> bool:
    """Whether a folder has the form of the published ladder: its subsets and the sources they come from.

    A minimal card in the folder says of itself that the ladder is somebody's own, whatever its form.

    Args:
        folder: dataset folder.
        ladders: its subsets, largest first.

    Returns:
        False also for the published rows without their sources.

    Raises:
        InputError: there is a card and it cannot be read.
    """
    card = folder / CARD_FILE
    return (
        {*SUBSETS} - {SPREAD} <= {ladder.subset for ladder in ladders} <= {*SUBSETS}
        and (folder / "sources" / LADDER_FILE).is_file()
        and not (card.exists() and is_minimal(read_card(card)))
    )


def _title(folder: Path) -> str:
    card = folder / CARD_FILE
    text = read_card(card) if card.exists() else ""
    return (title_of(text, card) if is_minimal(text) else None) or folder.resolve().name


def read_folder(folder: Path) -> tuple[Ladder, ...]:
    """Load every subset of a dataset folder with all checks.

    Returns:
        The subsets, largest first.

    Raises:
        InputError: there is none, one does not load, or they have different versions.
    """
    ladders = load_subsets(folder)
    versions = {ladder.version for ladder in ladders}
    if len(versions) > 1:
        raise InputError(
            f"The subsets of `{folder}` have different ladder versions: {', '.join(sorted(versions))}. Build the "
            "folder again."
        )
    # The Hub has a name of its own for the only subset of a dataset.
    return tuple(
        replace(each, subset=SINGLE_SUBSET) if each.file.parent == folder else each for each in ladders
    )
