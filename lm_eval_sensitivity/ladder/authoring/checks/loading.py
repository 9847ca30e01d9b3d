"""Every subset of a source, through the same doors as `load_ladder`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import hub
from lm_eval_sensitivity.ladder.load import (
    SUBSET_FILE,
    SUBSETS,
    Ladder,
    load_ladder,
    packaged_folder,
    subset_files,
)


@dataclass(frozen=True)
class Subset:
    """One loaded subset and the file it came from."""

    ladder: Ladder
    file: str


@dataclass(frozen=True)
class Loaded:
    """All subsets of one source, largest first."""

    subsets: tuple[Subset, ...]
    sources: Path | None
    """The folder of authored YAML files that the subsets are built from, if it is there."""


def load_subsets(source: str | Path | None) -> Loaded:
    """Load and validate every subset of a ladder.

    Args:
        source: as for `load_ladder`.

    Raises:
        InputError: as `load_ladder`, for any of the subsets.

    Example:
        >>> "mini" in [subset.ladder.subset for subset in load_subsets(None).subsets]
        True
    """
    first = load_ladder(source)  # refuses whatever is no source at all
    place = packaged_folder() if source is None else Path(source).expanduser()
    if place.is_file():
        return Loaded((_named_by_folder(Subset(first, str(place)), place),), None)
    if not place.is_dir():
        place = _downloaded(str(source))
    sources = place / "sources"
    subsets = tuple(
        Subset(replace(load_ladder(place, name), name=first.name), str(file))
        for name, file in subset_files(place).items()
    )
    return Loaded(subsets, sources if sources.is_dir() else None)


def _named_by_folder(subset: Subset, path: Path) -> Subset:
    """`mini/test.parquet` is the subset mini, not a subset named test."""
    name = path.resolve().parent.name
    if path.name != SUBSET_FILE or name not in SUBSETS:
        return subset
    return replace(subset, ladder=replace(subset.ladder, subset=name))


def _downloaded(source: str) -> Path:
    """The folder of a Hub dataset, which `load_ladder` has just fetched."""
    on_hub = hub.parse_hub_source(source)
    if on_hub is None:
        raise InputError(f"`{source}` has gone away while it was checked. Put it back.")
    return hub.download(on_hub, SUBSETS)
