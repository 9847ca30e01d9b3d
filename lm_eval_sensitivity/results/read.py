"""Open a results folder: strangers' data, checked before anything of it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import RLock
from typing import Protocol, TypeVar

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.parquet import read_parquet
from lm_eval_sensitivity.ladder.schema import pairs_from_rows
from lm_eval_sensitivity.records.answers import AnswerRow
from lm_eval_sensitivity.records.limits import (
    LONGEST_ID,
    MAX_DETAILS_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_TABLE_BYTES,
)
from lm_eval_sensitivity.results.answers import Of, document_id, open_answers, rows_of
from lm_eval_sensitivity.results.files import open_checked, read_file, refuse
from lm_eval_sensitivity.results.manifest import (
    LADDER,
    MANIFEST,
    Manifest,
    SystemRecord,
    answers_name,
    parse_manifest,
)
from lm_eval_sensitivity.results.probes import Probes, read_probes
from lm_eval_sensitivity.results.sandbox import EVERYTHING, STATEMENTS, try_to_read
from lm_eval_sensitivity.results.statements import NOTHING, Statements, read_statements
from lm_eval_sensitivity.results.system_files import PairDetail, RecordFile, open_details, read_pairs
from lm_eval_sensitivity.statements.answers import AnswersStatement
from lm_eval_sensitivity.statements.records import ProfilePoint
from lm_eval_sensitivity.text.escape import one_line, shown, shown_path
from lm_eval_sensitivity.types import Pair


class _Named(Protocol):
    @property
    def system(self) -> str: ...


OfASystem = TypeVar("OfASystem", bound=_Named)


@dataclass(frozen=True)
class HubOrigin:
    """Where a folder was fetched from."""

    dataset: str
    """`ORG/NAME` on the Hugging Face Hub."""
    revision: str
    """That was asked for: a commit, or a name such as a tag, which can be moved to another commit."""
    commit: str
    """That the name stood for when the files were fetched, 40 hexadecimal digits."""


def open_results(folder: Path, origin: HubOrigin | None = None, *, everything: bool = False) -> Results:
    """Open and check a results folder.

    The manifest, the statements and the ladder are read and compared with their checksums now; pairs and details of a
    system when they are first asked for. A child process reads them before this one does.

    Args:
        folder: written by `lm-eval-sensitivity export`, by whoever.
        origin: where it was fetched from, for a page to say so; None for a folder of this machine.
        everything: have every row and every array of every file read now.

    Returns:
        The folder, to be asked for its records and, system by system, for tables.

    Raises:
        InputError: missing, damaged, hostile or of another format; one sentence names file and field.

    Example:
        >>> try:
        ...     open_results(Path("no_such_results"))
        ... except ValueError as error:
        ...     print(error)
        Results folder `no_such_results` does not exist. Give a folder that `lm-eval-sensitivity export` wrote.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(
            f"Results folder `{shown_path(folder)}` {problem}. Give a folder that `lm-eval-sensitivity export` wrote."
        )
    try:
        sha256 = hashlib.sha256(read_file(folder, MANIFEST, MAX_MANIFEST_BYTES)).hexdigest()
        try_to_read(folder, EVERYTHING if everything else STATEMENTS, sha256)
        results = read_results(folder, sha256, origin, before=partial(try_to_read, folder, sha256=sha256))
        if everything:  # a folder may have changed since a child read all of it
            for name, declared in results.manifest.files.items():
                with open_checked(folder, name, MAX_DETAILS_BYTES, declared):
                    pass
        return results
    except InputError as error:
        raise InputError(one_line(error)) from None


def read_results(
    folder: Path,
    sha256: str | None = None,
    origin: HubOrigin | None = None,
    before: Callable[[str], object] = str,
    *,
    of_systems_only: bool = False,
) -> Results:
    """Read manifest, statements and ladder in this process; `open_results` has a child process do so first.

    Args:
        folder: the results folder.
        sha256: that its manifest must have; None takes any.
        origin: as for `open_results`.
        before: is called with the index of a system before its files are read.
        of_systems_only: leave out the statements.

    Returns:
        The folder, as `open_results` returns it; without statements where only systems are asked for.

    Raises:
        InputError: as `open_results`, or another manifest than `sha256`.
    """
    place = shown_path(folder / MANIFEST)
    content = read_file(folder, MANIFEST, MAX_MANIFEST_BYTES)
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        refuse(place, "has changed since it was checked")
    manifest = parse_manifest(content, place)
    ladder = _read_ladder(folder, manifest)
    statements = NOTHING if of_systems_only else read_statements(folder, manifest, ladder)
    probes = {} if of_systems_only else read_probes(folder, manifest)
    return Results(folder, manifest, statements, ladder, origin, before, probes)


def read_everything(folder: Path, sha256: str | None = None) -> None:
    """Read every row and every array of every file in this process.

    Args:
        folder: the results folder.
        sha256: as for `read_results`.

    Raises:
        InputError: as `open_results`.
    """
    results = read_results(folder, sha256)
    for system in results.systems:
        results.check(system.index)


def _read_ladder(folder: Path, manifest: Manifest) -> dict[str, Pair]:
    place, declared = shown_path(folder / LADDER), manifest.files[LADDER]
    with open_checked(folder, LADDER, MAX_TABLE_BYTES, declared):
        pairs = pairs_from_rows(read_parquet(folder / LADDER)[0], place)
    if len(pairs) != manifest.n_pairs or len(pairs) != declared.rows:
        refuse(place, f"has {len(pairs)} rows, and the manifest says {manifest.n_pairs}")
    for name in ("pair_id", "prompt_id", "edit"):
        if any(len(getattr(pair, name)) > LONGEST_ID for pair in pairs):
            refuse(f"{place}: `{name}`", f"is longer than {LONGEST_ID} characters in some row")
    return {pair.pair_id: pair for pair in pairs}


class Results:
    """A results folder, checked; safe to read from several threads. See `open_results`."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        statements: Statements,
        ladder: Mapping[str, Pair],
        origin: HubOrigin | None = None,
        before: Callable[[str], object] = str,
        probes: Probes | None = None,
    ) -> None:
        self.manifest = manifest
        self.statements = statements
        self.clusters = {each.selection: each for each in statements.clusters}
        """Clusters of every selection that was exported."""
        self.drift = {(each.selection.metric, each.selection.filter_name): each for each in statements.drift}
        """Two axes by metric and filter; none without a reference."""
        self.heatmaps = {(each.metric, each.filter_name): each for each in statements.heatmaps}
        """Edit by system, by metric and filter."""
        self.ladder = ladder
        """Every pair that was asked by its id; by rung (mildest first), edit and prompt."""
        self.probes: Probes = probes or {}
        """What was found inside the systems; none where nobody looked."""
        self.origin = origin
        """The dataset and the commit that the folder was fetched from; None for a folder of this machine."""
        self.places = {each.name: each.index for each in manifest.systems}
        """Index of a system by its name."""
        self._folder, self._before = folder, before
        self._pairs: dict[int, pa.Table] = {}
        self._details: dict[int, RecordFile[PairDetail]] = {}
        self._answers: dict[int, RecordFile[AnswerRow]] = {}
        self._flipped: dict[tuple[int, Of], tuple[int, ...]] = {}
        self._lock = RLock()

    @property
    def systems(self) -> tuple[SystemRecord, ...]:
        """In alphabetical order, capitals among small letters; `systems[i].index` is i."""
        return self.manifest.systems

    def in_order(self, rows: Iterable[OfASystem]) -> list[OfASystem]:
        """Records that name a system, in the alphabetical order of the manifest."""
        return sorted(rows, key=lambda row: self.places[row.system])

    @cached_property
    def windows(self) -> dict[str, list[ProfilePoint]]:
        """Means by length of the output that is read, by rung set; in each by filter, system and window."""
        found: dict[str, list[ProfilePoint]] = {}
        for each in self.statements.windows:
            found.setdefault(each.points[0].selection.rung_set, []).extend(self.in_order(each.points))
        return found

    def pairs(self, system: int) -> pa.Table:
        """The pairs table of one system; cached.

        Args:
            system: its index.

        Returns:
            Two rows per pair, raw and answer, with the columns of `records.columns.SCHEMA`; a missing number is null.

        Raises:
            InputError: no such system, or a damaged file.
        """
        record = self._system(system)
        with self._lock:
            if system not in self._pairs:
                self._before(str(system))
                self._pairs[system] = read_pairs(self._folder, self.manifest, record, self.ladder)
            return self._pairs[system]

    def detail(self, system: int, pair_id: str) -> PairDetail:
        """One pair of one system; one row group is read for it.

        Args:
            system: its index.
            pair_id: of the ladder.

        Returns:
            Outputs, spans, margins and curves.

        Raises:
            InputError: no such system or pair, or a damaged file.
        """
        with self._lock:
            found = self._details_of(system).find(pair_id)
        if found is None:
            raise InputError(f"This system has no pair {shown(pair_id)}. Choose one of its pairs.")
        return found

    def outputs(self, system: int, longest: int) -> dict[str, tuple[str, str]]:
        """Both outputs of every pair of one system; all of its details are read for it.

        Args:
            system: its index.
            longest: characters of each output that are wanted.

        Returns:
            By the id of the pair, the outputs to the prompt and to its variant.

        Raises:
            InputError: no such system, or a damaged file.
        """
        if self.manifest.is_of_answers:
            columns = ("pair_id", "base_answer", "variant_answer")
            rows = zip(*(self.pairs(system)[name].to_pylist() for name in columns), strict=True)
            return {pair: ((first or "")[:longest], (second or "")[:longest]) for pair, first, second in rows}
        with self._lock:
            return {
                pair: (each.base.text[:longest], each.variant.text[:longest])
                for pair, each in self._details_of(system).every()
            }

    def check(self, system: int) -> None:
        """Read what is otherwise read when it is first asked for; one row group of details is in memory at a time.

        Raises:
            InputError: a damaged file.
        """
        self.pairs(system)
        with self._lock:
            for _ in () if self.manifest.is_of_answers else self._details_of(system).every():
                pass
            for _ in self._answers_of(system).every() if self.has_answers(system) else ():
                pass

    def has_answers(self, system: int) -> bool:
        """Whether there are answers to wrapped tasks of a system."""
        return answers_name(system) in self.manifest.files

    def behind_the_pairs(self, system: int) -> AnswersStatement:
        """What is said of the answers that the pairs of a system are made of: of several filters the first has them."""
        name = self._system(system).name
        return next(each.statement for each in self.statements.answers if each.system == name)

    def answer(self, system: int, of: Of, doc_id: int) -> AnswerRow | None:
        """What a document of a wrapped task was answered; one row group is read for it.

        Args:
            system: its index; it has answers.
            of: task and filter.
            doc_id: of the document.

        Returns:
            None where there is no such document.

        Raises:
            InputError: no such system, or a damaged file.
        """
        with self._lock:
            return self._answers_of(system).find(document_id(of, doc_id))

    def answers(self, system: int, of: Of) -> list[AnswerRow]:
        """All documents of a wrapped task of a system that has answers, in their order; as for `answer`."""
        with self._lock:
            return rows_of(self._answers_of(system), of)

    def flipped(self, system: int, of: Of) -> tuple[int, ...]:
        """Documents of which some edit changes the answer, in their order; all are read when it is first asked for."""
        with self._lock:
            if (system, of) not in self._flipped:
                rows = self.answers(system, of)
                self._flipped[system, of] = tuple(
                    row.doc_id for row in rows if any(row.flip(edit) for edit in row.edits)
                )
            return self._flipped[system, of]

    def _details_of(self, system: int) -> RecordFile[PairDetail]:
        record = self._system(system)
        if system not in self._details:
            pair_ids = set(self.pairs(system)["pair_id"].to_pylist())
            self._details[system] = open_details(self._folder, self.manifest, record, pair_ids)
        return self._details[system]

    def _answers_of(self, system: int) -> RecordFile[AnswerRow]:
        record = self._system(system)
        if system not in self._answers:
            self.pairs(system)  # a child process has read both
            every = self.statements.answers
            said = (
                None if self.statements is NOTHING else [each for each in every if each.system == record.name]
            )
            self._answers[system] = open_answers(self._folder, self.manifest, record, said)
        return self._answers[system]

    def _system(self, system: int) -> SystemRecord:
        if not 0 <= system < len(self.systems):
            raise InputError(f"There is no system {system}; there are systems 0 to {len(self.systems) - 1}.")
        return self.systems[system]
