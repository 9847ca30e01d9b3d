"""Loading a ladder: the packaged one, a local folder or file, or a dataset on the Hub.

Whatever the source, the rows pass the same checks (`schema`), and the content hash is recomputed
from them: a stale or edited copy is refused instead of measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.ladder import hub
from lm_eval_sensitivity.ladder.build import build_pairs
from lm_eval_sensitivity.ladder.jsonl import read_jsonl
from lm_eval_sensitivity.ladder.parquet import read_parquet, stated_hash
from lm_eval_sensitivity.ladder.schema import column_hashes, content_hash, pairs_from_rows, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import FULL, SMALLER_SUBSETS, SPREAD, Design, read_source
from lm_eval_sensitivity.ladder.tasks import group_of_subset
from lm_eval_sensitivity.types import RUNGS, Pair, Rung

LADDER_NAME = "prompt_sensitivity_ladder"
"""Name of the packaged ladder and of its folder."""
SUBSETS = (FULL, SPREAD, *SMALLER_SUBSETS)
"""Names of the published subsets, those of the most prompts first. Which of them exist depends on the source."""
LARGEST = "largest"
SUBSET_FILE = "test.parquet"

_FILE_SUFFIXES = (".parquet", ".jsonl", ".yaml", ".yml")
_ACCEPTED_SOURCES = (
    f"Accepted: a folder, a file ending in {', '.join(_FILE_SUFFIXES)}, or a Hub dataset, 'ORG/NAME' or "
    "'hf://datasets/ORG/NAME@REVISION'. Check the name."
)


@dataclass(frozen=True)
class Ladder:
    """One loaded subset of a ladder, validated."""

    name: str
    """Where it comes from: the packaged name, a folder or file name, or a Hub id with its revision."""
    subset: str
    version: str
    """The one ladder version of all rows."""
    content_hash: str
    """SHA-256 of all rows, recomputed while loading. Results of different hashes are not comparable."""
    pairs: tuple[Pair, ...]
    """In file order: mildest rung first, edit by edit, prompt by prompt."""
    file: Path = field(default=Path(), compare=False)
    """Where the rows were read."""
    design: Design = "full"
    """`spread` where a prompt has few of the edits that apply to it."""

    def rung(self, name: str) -> tuple[Pair, ...]:
        """The pairs of one rung.

        Returns:
            Pairs in ladder order; empty where the ladder has none of it.

        Raises:
            InputError: `name` is no rung.
        """
        if name not in RUNGS:
            raise unknown_name("`rung`", name, RUNGS)
        return tuple(pair for pair in self.pairs if pair.rung == name)

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs that have pairs, mildest first."""
        present = {pair.rung for pair in self.pairs}
        return tuple(rung for rung in RUNGS if rung in present)

    @property
    def edits(self) -> tuple[str, ...]:
        """The edit ids that have pairs, in ladder order."""
        return tuple(dict.fromkeys(pair.edit for pair in self.pairs))

    @property
    def prompts(self) -> dict[str, str]:
        """Base prompt by prompt id, in ladder order."""
        return {pair.prompt_id: pair.base for pair in self.pairs}


def load_ladder(
    source: str | Path | None = None, subset: str = LARGEST, *, asked_as: str = "`source`"
) -> Ladder:
    """Load and validate one subset of a ladder.

    Args:
        source: None for the packaged ladder; a local folder (`<subset>/test.parquet`, or one parquet
            file in it); a `.parquet`, `.jsonl` or authored `.yaml` file; or a Hub dataset,
            `ORG/NAME[@REVISION]` or `hf://datasets/ORG/NAME[@REVISION]`. An existing local path wins.
        subset: 'full', 'spread', 'core', 'mini', another subset folder of the source, or 'largest'. A single
            file is one subset, so there is nothing to choose in it.
        asked_as: what the user calls the source: the option that messages about it begin with.

    Returns:
        The ladder, its rows in file order.

    Raises:
        InputError: the source or the subset does not exist, or the rows break a rule; the message
            names the file, the row and the column.

    Example:
        >>> ladder = load_ladder(subset="mini")
        >>> len(ladder.prompts), ladder.rung("identical")[0].edit
        (9, 'identical')
        >>> load_ladder(subset="minni")
        Traceback (most recent call last):
            ...
        lm_eval_sensitivity.errors.InputError: `subset` is 'minni'; ... Did you mean 'mini'?...
    """
    path, name = _locate(source, subset, asked_as)
    files = _files(path)
    chosen = _choose_subset(subset, files, path)
    return _from_file(files[chosen], name, chosen)


def load_subsets(source: str | Path | None = None, *, asked_as: str = "`source`") -> tuple[Ladder, ...]:
    """Load and validate every subset of a ladder.

    Args:
        source: as for `load_ladder`.
        asked_as: likewise.

    Returns:
        The subsets, largest first.

    Raises:
        InputError: as `load_ladder`, for any of the subsets.

    Example:
        >>> [ladder.subset for ladder in load_subsets()][-1]
        'mini'
    """
    path, name = _locate(source, LARGEST, asked_as)
    return tuple(_from_file(file, name, subset) for subset, file in _files(path).items())


def _locate(source: str | Path | None, subset: str, asked_as: str) -> tuple[Path, str]:
    """The folder or file of a source, fetched where it is on the Hub, and the ladder's name."""
    if source is None:
        return packaged_folder(), LADDER_NAME
    path, kind = _look_up(source, asked_as)
    if kind != "neither":
        return path, path.resolve().name if kind == "folder" else path.name
    on_hub = hub.parse_hub_source(str(source), asked_as)
    if on_hub is None:
        raise InputError(
            f"{asked_as} is {str(source)!r}: there is no such folder or file. {_ACCEPTED_SOURCES}"
        )
    _check_subset_name(subset, SUBSETS)
    return hub.download(on_hub, SUBSETS if subset == LARGEST else (subset,), asked_as), on_hub.name


def _look_up(source: str | Path, asked_as: str) -> tuple[Path, Literal["folder", "file", "neither"]]:
    """The source as a local path, and what stands there."""
    if not isinstance(source, (str, Path)) or not str(source).strip():
        raise InputError(f"{asked_as} is {source!r}, which is neither a path nor a name. {_ACCEPTED_SOURCES}")
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return path, "folder"
        # A missing file is a file by its suffix: nobody who types it means a Hub dataset.
        return path, "file" if path.suffix.lower() in _FILE_SUFFIXES or path.exists() else "neither"
    except (OSError, RuntimeError, ValueError) as error:
        # Too long a name, no permission, an unknown home folder (`~nobody`), a NUL character.
        raise InputError(
            f"{asked_as} is {str(source)[:200]!r}, which cannot be looked up: {error.args[-1]}. {_ACCEPTED_SOURCES}"
        ) from None


def packaged_folder() -> Path:
    """The folder of the packaged ladder: inside the installed package, else in the source checkout.

    Returns:
        An existing folder with `<subset>/test.parquet` for every subset.

    Raises:
        InputError: neither exists, so the installation is incomplete.
    """
    here = Path(__file__).resolve()
    candidates = (here.parent / "data", here.parents[2] / "datasets" / LADDER_NAME)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise InputError(
        f"The packaged ladder is missing: no folder `{candidates[0]}`. Install the package again."
    )


def packaged_hash(subset: str = LARGEST) -> str | None:
    """The content hash that a subset of the packaged ladder states; `load_ladder` checks it against the rows.

    Args:
        subset: as for `load_ladder`.

    Returns:
        The hash, quickly; None of a damaged file.

    Raises:
        InputError: there is no such subset.

    Example:
        >>> packaged_hash("mini") == load_ladder(subset="mini").content_hash
        True
    """
    folder = packaged_folder()
    files = subset_files(folder)
    return stated_hash(files[_choose_subset(subset, files, folder)])


def subset_files(folder: Path) -> dict[str, Path]:
    """The parquet file of every subset of a folder, largest subset first.

    A folder holds `<subset>/test.parquet` for every subset, or a single subset: the one parquet file in it, whose
    name without its suffix names the subset. Where subsets stand, files beside them are no ladder.

    Returns:
        Subset name to parquet file.

    Raises:
        InputError: it has none, has several parquet files without subsets, or cannot be read.

    Example:
        >>> [file.parent.name for file in subset_files(packaged_folder()).values()][0]
        'full'
    """
    try:
        found = {path.parent.name: path for path in sorted(folder.glob(f"*/{SUBSET_FILE}"))}
        single = sorted(folder.glob("*.parquet"))
    except OSError as error:
        raise InputError(
            f"The folder `{folder}` cannot be read: {error.strerror}. Check its permissions."
        ) from None
    if not found and len(single) == 1:
        return {single[0].stem: single[0]}
    if not found:
        raise InputError(
            f"The folder `{folder}` holds no ladder: accepted is one parquet file, or "
            f"`<subset>/{SUBSET_FILE}` with a subset such as {', '.join(map(repr, SUBSETS))}. Check the path."
        )
    order = [name for name in SUBSETS if name in found]
    return {name: found[name] for name in [*order, *(name for name in found if name not in order)]}


def _files(path: Path) -> dict[str, Path]:
    return subset_files(path) if path.is_dir() else {path.stem: path}


def _choose_subset(subset: str, files: Mapping[str, Path], path: Path) -> str:
    _check_subset_name(subset, [*SUBSETS, *files])
    largest, file = next(iter(files.items()))
    if subset == LARGEST or file in (path, path / file.name):
        return largest  # a single file is one subset: a task of another one takes it as well
    if subset not in files:
        runnable = [group_of_subset(name) for name in reversed(SUBSETS) if name in files]
        tasks = f" A run takes it by the name of its tasks: `--tasks {runnable[0]}`." if runnable else ""
        raise InputError(
            f"`subset` is {subset!r}, which `{path}` does not have; available: "
            f"{', '.join(map(repr, files))} and {LARGEST!r}. Choose one of them.{tasks}"
        )
    return subset


def _check_subset_name(subset: str, accepted: Sequence[str]) -> None:
    names = list(dict.fromkeys([LARGEST, *accepted]))
    if subset not in names:
        raise unknown_name("`subset`", subset, names)


def _from_file(path: Path, name: str, subset: str) -> Ladder:
    suffix = path.suffix.lower()
    stored: dict[str, str] | None = None
    if suffix == ".parquet":
        rows, stored = read_parquet(path)
    elif suffix == ".jsonl":
        rows = read_jsonl(path)
    elif suffix in _FILE_SUFFIXES:
        # Through the same checks as any other rows: an authored variant can equal its base.
        rows = rows_from_pairs(build_pairs(read_source(path)))
    else:
        raise InputError(
            f"The file `{path}` is no ladder; accepted are files ending in {', '.join(_FILE_SUFFIXES)}. Give another."
        )
    pairs = pairs_from_rows(rows, str(path))
    design: Design = "spread" if stored and stored.get("design") == "spread" else "full"
    ladder = Ladder(name, subset, pairs[0].ladder_version, content_hash(pairs), pairs, path, design)
    if stored is not None:
        _check_stored(ladder, stored)
    return ladder


def _check_stored(ladder: Ladder, metadata: dict[str, str]) -> None:
    """Compare the rows with the version and hashes that the file itself carries."""
    path = ladder.file
    if "content_hash" not in metadata or "ladder_version" not in metadata:
        raise InputError(
            f"`{path}` carries no content hash in its metadata, so nobody can tell whether it is complete. "
            "Build it with this package."
        )
    if metadata["ladder_version"] != ladder.version:
        raise InputError(
            f"`{path}`: the metadata says ladder version {metadata['ladder_version']!r}, but "
            f"`ladder_version` in the rows is {ladder.version!r}. Download or build the file again."
        )
    if metadata["content_hash"] != ladder.content_hash:
        raise InputError(
            f"`{path}`: the rows do not have the content hash that the metadata "
            f"states{_difference(ladder.pairs, metadata)}. The file was changed after it was built. Download or "
            "build it again."
        )


def _difference(pairs: tuple[Pair, ...], metadata: dict[str, str]) -> str:
    """Which columns differ from their stored hashes, as the end of a clause; empty when it cannot be told."""
    try:
        stored = json.loads(metadata.get("column_hashes", ""))
        changed = [column for column, digest in column_hashes(pairs).items() if stored[column] != digest]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not changed:
        return " (every column still has its own stored hash, so the stated hash itself was changed)"
    return f" (changed: {', '.join(f'`{column}`' for column in changed)})"
