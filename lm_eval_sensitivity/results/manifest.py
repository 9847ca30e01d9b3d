"""manifest.json: what a results folder holds, and what its numbers were computed from.

A system is called by its name in statements and by its place in the alphabet in file names: names are
strangers' texts, to be shown and never to be used as a path, an id or markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic_core import from_json
from typing_extensions import TypedDict

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.catalogue import NAMES
from lm_eval_sensitivity.records.codec import decode
from lm_eval_sensitivity.records.file_codec import ADVICE, Codec
from lm_eval_sensitivity.records.limits import (
    LONGEST_NAME,
    LONGEST_SENTENCE,
    MAX_MANIFEST_BYTES,
    MAX_SYSTEMS,
)
from lm_eval_sensitivity.results.files import FileRecord, Sha256, read_file, refuse
from lm_eval_sensitivity.statements.signature import Signature
from lm_eval_sensitivity.stats.intervals import FEWEST_RESAMPLES, MOST_RESAMPLES
from lm_eval_sensitivity.text.escape import shown, shown_path
from lm_eval_sensitivity.types import Note

MANIFEST, STATEMENTS, LADDER = "manifest.json", "statements.json", "ladder.parquet"
FORMAT: Final = 3

Text = Annotated[str, StringConstraints(max_length=2_000, pattern=r"\S")]
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=r"\S")]
Sentence = Annotated[str, StringConstraints(max_length=LONGEST_SENTENCE, pattern=r"\S")]
Index = Annotated[int, Field(ge=0, lt=MAX_SYSTEMS)]
AtLeastOne = Annotated[int, Field(ge=1)]


class _Decoding(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    max_gen_toks: AtLeastOne
    until: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=2_000)]], Field(max_length=100)
    ]
    greedy: bool


class _Embedder(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    name: Text
    weights_sha256: Text
    max_tokens: AtLeastOne | None


_DRAWN = Annotated[int, Field(ge=FEWEST_RESAMPLES, le=MOST_RESAMPLES)]  # a page computes with them
_SIGNED: dict[str, Any] = {
    "package_version": Annotated[str, StringConstraints(pattern=r"^[0-9][0-9A-Za-z.+!_-]{0,59}$")],
    "ladder_hash": Sha256,
    "decoding": _Decoding,
    "embedder": _Embedder,
    "resamples": _DRAWN,
    "draws": _DRAWN,
}
"""What a signature of a stranger may hold, beside the types of the record."""


@dataclass(frozen=True)
class SystemRecord:
    """One system."""

    index: Index
    """In the alphabetical list of names; file `pairs/<index>.parquet`."""
    name: Name
    """Display name."""
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    """Equal fingerprints, equal systems."""
    facts: Annotated[tuple[tuple[Name, Name], ...], Field(max_length=50)]
    """(label, value): model, revision, precision, engine, ..."""


@dataclass(frozen=True)
class Manifest:
    """What the folder holds, and what its numbers were computed from."""

    kind: Literal["lm_eval_sensitivity results"]
    """So that no other JSON file is taken for one."""
    format: Literal[3]
    signature: Signature
    """What the numbers were computed from."""
    alpha: Annotated[float, Field(ge=0, le=1)]
    """Family-wise error of one table of clusters."""
    ladder: Text
    """Its name."""
    n_prompts: AtLeastOne
    """Base prompts that any system was run on."""
    n_pairs: AtLeastOne
    """Pairs that any system was run on."""
    reference: Index | None
    """Of the system that drift is measured from; None where none was given."""
    systems: Annotated[tuple[SystemRecord, ...], Field(min_length=1, max_length=MAX_SYSTEMS)]
    """In alphabetical order, as `alphabetical` has it."""
    series: Annotated[
        Mapping[Name, Annotated[tuple[Index, ...], Field(min_length=2)]], Field(max_length=MAX_SYSTEMS)
    ]
    """Levels of one model by name of the series, such as quantizations, that may be joined by a line in their order;
    each system in one series at most."""
    remarks: tuple[Sentence, ...]
    """Sentences that a reader of the runs should know."""
    left_out: tuple[Note, ...]
    """Files, tasks and systems that were not taken: `about` one, folders by their names only, and why."""
    selections_left_out: tuple[Note, ...]
    """Selections that were asked for and have no data, likewise."""
    files: Mapping[str, FileRecord]
    """By name; all files but the manifest."""

    @property
    def is_of_answers(self) -> bool:
        """Whether its pairs are documents and edits of a wrapped task."""
        return self.signature.is_of_answers

    @property
    def series_of(self) -> dict[int, str]:
        """Name of the series of each system that is in one."""
        return {index: name for name, members in self.series.items() for index in members}


CODEC = Codec(Manifest)


def alphabetical(name: str) -> tuple[str, str]:
    """Sort key of names: the order that a reader expects, in which capitals stand among small letters.

    Returns:
        (the name without regard to capitals, the name), to be compared.

    Example:
        >>> sorted(["Qwen", "gemma", "Llama"], key=alphabetical)
        ['gemma', 'Llama', 'Qwen']
    """
    return name.casefold(), name


def pairs_name(system: int) -> str:
    """File of one system's pairs.

    Args:
        system: its index.

    Returns:
        Path inside the folder, with `/`.

    Example:
        >>> pairs_name(3), details_name(3)
        ('pairs/003.parquet', 'details/003.parquet')
    """
    return f"pairs/{system:03d}.parquet"


def details_name(system: int) -> str:
    """File of the details of one system's pairs."""
    return f"details/{system:03d}.parquet"


def answers_name(system: int) -> str:
    """File of one system's answers to wrapped tasks, document by document."""
    return f"answers/{system:03d}.parquet"


def file_names(n_systems: int, *, is_of_answers: bool = False) -> tuple[str, ...]:
    """Every file of a folder with so many systems, but the manifest.

    Args:
        n_systems: of the folder.
        is_of_answers: whether its pairs are those of a wrapped task, which have no outputs.

    Returns:
        Paths inside the folder: statements, ladder, then pairs and details, or answers, of each system. Others may be
        there, of `further_names`.

    Example:
        >>> file_names(1)
        ('statements.json', 'ladder.parquet', 'pairs/000.parquet', 'details/000.parquet')
    """
    beside = answers_name if is_of_answers else details_name
    of_systems = (name(system) for system in range(n_systems) for name in (pairs_name, beside))
    return (STATEMENTS, LADDER, *of_systems)


def further_names(n_systems: int) -> set[str]:
    """Every file that a folder with so many systems may have besides: not every system was probed, or answered."""
    return {*names_of_probes(n_systems), *map(answers_name, range(n_systems))}


def probe_name(system: int, probe: str) -> str:
    """File of what a probe found of one system; not every system was probed.

    Example:
        >>> probe_name(3, "stretch")
        'probes/003_stretch.json'
    """
    return f"probes/{system:03d}_{probe}.json"


def names_of_probes(n_systems: int) -> dict[str, tuple[int, str]]:
    """Every file of a probe that a folder with so many systems may have.

    Returns:
        Path inside the folder -> (system, probe).
    """
    return {probe_name(system, name): (system, name) for system in range(n_systems) for name in NAMES}


FILES_OF_RESULTS = (MANIFEST, *file_names(MAX_SYSTEMS), *sorted(further_names(MAX_SYSTEMS)))
"""Every file that a results folder may hold: no other one is published, fetched, replaced or deleted."""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Args:
        folder: the results folder.

    Returns:
        As `parse_manifest`; no other file was looked at.

    Raises:
        InputError: missing, damaged, of another format, or with a field that is not accepted.
    """
    return parse_manifest(read_file(folder, MANIFEST, MAX_MANIFEST_BYTES), shown_path(folder / MANIFEST))


def parse_manifest(content: bytes, place: str) -> Manifest:
    """The manifest in the bytes of its file.

    Args:
        content: of the file.
        place: the file's name, for messages.

    Returns:
        A manifest that is sound in itself: systems in order, one record for each file and no
        other, a signature of the same systems.

    Raises:
        InputError: damaged, of another format, or with a field that is not accepted.

    Example:
        >>> try:
        ...     parse_manifest(b'{"format": 2}', "`manifest.json`")
        ... except ValueError as error:
        ...     print(error)
        `manifest.json`: `format` is 2, and this version of lm-eval-sensitivity reads format 3. ...
    """
    _check_format(content, place)
    manifest = CODEC.load(content, place)
    n = len(manifest.systems)
    needed = file_names(n, is_of_answers=manifest.is_of_answers)
    for name in {*manifest.files, *needed}:
        if name not in manifest.files:
            refuse(f"{place}: `files.{name}`", "is missing")
        if name not in needed and name not in further_names(n):
            refuse(f"{place}: `files`", f"has {name[:80]!r}, which is no file of a results folder")
    _check_systems(manifest, place)
    return manifest


def _check_format(content: bytes, place: str) -> None:
    """An older or newer folder gets a sentence of its own, whatever else is in it."""
    try:
        found: Any = from_json(content)
    except ValueError:
        return  # refused by the codec, with the place in the file
    if isinstance(found, dict) and ("format_version" in found or found.get("format", FORMAT) != FORMAT):
        given = shown(found.get("format", found.get("format_version")))
        raise InputError(
            f"{place}: `format` is {given}, and this version of lm-eval-sensitivity reads format {FORMAT}. Run "
            "`lm-eval-sensitivity export` on the runs again, into a new folder."
        )


def _check_systems(manifest: Manifest, place: str) -> None:
    """Systems, series, the reference and the signature agree with each other."""
    systems, n = manifest.systems, len(manifest.systems)
    for at, each in enumerate(systems):
        if each.index != at:
            refuse(f"{place}: `systems[{at}].index`", f"is {each.index}, and its place in the list is {at}")
    names = [each.name for each in systems]
    if names != sorted(set(names), key=alphabetical):
        refuse(f"{place}: `systems`", "hold a name twice, or are not in alphabetical order")
    if len({each.fingerprint for each in systems}) != n:
        refuse(f"{place}: `systems`", "hold a fingerprint twice")
    if manifest.reference is not None and manifest.reference >= n:
        refuse(f"{place}: `reference`", f"is {manifest.reference}, and there are {n} systems")
    members = [index for each in manifest.series.values() for index in each]
    if len(set(members)) != len(members) or max(members, default=0) >= n:
        refuse(f"{place}: `series`", "hold a system twice, or one that is not there")
    for name, kind in _SIGNED.items():
        decode(kind, getattr(manifest.signature, name), place, f"signature.{name}", ADVICE)
    if manifest.signature.systems != {each.name: each.fingerprint for each in systems}:
        refuse(f"{place}: `signature.systems`", "are other ones than `systems`")
