"""One rung of one system: a samples file read, checked against its results file and against the ladder."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder
from lm_eval_sensitivity.ladder.schema import row_hash, rows_from_pairs
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.codec import contradiction, decode, refused
from lm_eval_sensitivity.records.columns import DRIFT, FILTERS
from lm_eval_sensitivity.records.run_metadata import RunMetadata, summary_name
from lm_eval_sensitivity.records.sample import SampleRow, decode_row
from lm_eval_sensitivity.runs.checked_rows import CheckedRow, check_row, row_digest
from lm_eval_sensitivity.runs.find import read_samples
from lm_eval_sensitivity.runs.table import table_of
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.types import Note, Pair


@dataclass(frozen=True)
class RungSamples:
    """One rung of one system, read and checked."""

    metadata: RunMetadata
    results: Path
    samples: Path
    date: str
    n_pairs: int
    n_expected: int
    """Pairs of the rung in the ladder."""
    against_ladder: bool
    """Every row was compared with the ladder itself. Otherwise the pairs were only counted."""
    table: pa.Table
    """Rows by pair, `raw` before `answer`; columns of `ROW_SCHEMA`."""
    content: str
    """Digest of what all rows say; equal digests, equal rows."""
    pairs: tuple[Pair, ...]
    """The ladder's rows as the samples file holds them, where they were not compared with the ladder."""
    remarks: tuple[Note, ...]
    """Sentences about what was left out of the rows."""

    @property
    def complete(self) -> bool:
        """Whether every pair of the rung is there, or every document of a wrapped task."""
        return self.n_pairs == self.n_expected and not (self.metadata.wrapped and self.metadata.limited_by)

    @property
    def extent(self) -> str:
        """How much there is of how much, as in `5 of 74 pairs`."""
        if self.metadata.wrapped is not None:
            return f"{self.metadata.n_effective} of {self.metadata.n_original} documents"
        return f"{self.n_pairs} of {self.n_expected} pairs"


def sample_rows(
    path: Path, *, advance: Callable[[int], object] = lambda n_bytes: None
) -> Iterator[tuple[SampleRow, dict[str, Any], str]]:
    """The rows of a samples file, one by one.

    Args:
        path: a samples file of a prompt_sensitivity task.
        advance: called with the bytes of every line, for a progress bar.

    Returns:
        Of each line the record, what was parsed, and its place.

    Raises:
        InputError: naming file, line and field.
    """
    where = shown_path(path)
    for number, line in enumerate(read_samples(path, advance=advance), start=1):
        place = f"{where}, line {number}"
        yield decode_row(line, place), line, place


def read_rung(
    results: Mapping[str, Any],
    metadata: RunMetadata,
    paths: tuple[Path, Path],
    date: str,
    ladder: Ladder | None,
    *,
    advance: Callable[[int], object] = lambda n_bytes: None,
) -> RungSamples:
    """Read the samples of one task.

    Args:
        results: the parsed results file.
        metadata: what it says about the task.
        paths: results file and samples file.
        date: the run's time stamp.
        ladder: the ladder that was asked, where it is at hand.
        advance: called with the bytes of every line.

    Returns:
        The rung's rows as a table, with counts and digests.

    Raises:
        InputError: a line breaks a rule, or the rows contradict the results file or the ladder; one
            sentence names file, line and field.
    """
    where = shown_path(paths[1])
    rows: dict[tuple[int, str], CheckedRow] = {}
    digests = []
    for sample, line, place in sample_rows(paths[1], advance=advance):
        row = check_row(sample, line, place, metadata)
        known = rows.setdefault((row.doc_id, row.filter_name), row)
        if known is not row:
            other = f"filter {row.filter_name!r} has it already in {known.place.rsplit(', ', 1)[1]}"
            raise contradiction(place, "doc_id", row.doc_id, other)
        digests.append(row_digest(line))
    if not rows:
        raise InputError(f"{where} is empty: no `doc` of task {metadata.task!r} is in it. Repeat the run.")
    _check_filters(rows)
    of_results = _OfResults(results, metadata, shown_path(paths[0]))
    of_results.check_counts(rows.values(), where)
    expected = None if ladder is None else ladder.rung(metadata.rung)
    if expected is not None:
        of_results.check_size(len(expected))
        _check_against_ladder(rows.values(), expected)
    of_results.check_means(rows.values())
    raw = [rows[key] for key in sorted(rows) if key[1] == "raw"]
    return RungSamples(
        metadata=metadata,
        results=paths[0],
        samples=paths[1],
        date=date,
        n_pairs=len(raw),
        n_expected=metadata.n_original if expected is None else len(expected),
        against_ladder=expected is not None,
        table=table_of((row.cells, rows[row.doc_id, "answer"].cells) for row in raw),
        content=content_of(digests),
        pairs=() if expected is not None else tuple(row.pair for row in raw),
        remarks=_unknown_scores(rows.values(), where),
    )


def content_of(digests: Iterable[str]) -> str:
    """A digest of what all rows say, whatever their order."""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def _check_filters(rows: Mapping[tuple[int, str], CheckedRow]) -> None:
    """Every pair stands under both filters, with the same document and the same outputs."""
    pair_ids: dict[str, int] = {}
    for (doc_id, filter_name), row in rows.items():
        other_name = FILTERS[1 - FILTERS.index(filter_name)]
        other = rows.get((doc_id, other_name))
        if other is None:
            what = f"document {doc_id} has no row of filter {other_name!r}"
            raise contradiction(row.place, "filter", filter_name, what)
        for name, ours, theirs, what in (
            ("doc.row_hash", row.row_hash, other.row_hash, "another one"),
            ("resps", row.texts, other.texts, "other outputs"),
            ("pair.audit.status", row.cells["audit_status"], other.cells["audit_status"], "another one"),
        ):
            if ours != theirs:
                raise contradiction(row.place, name, ours, f"document {doc_id} has {what} in {other.place}")
        if pair_ids.setdefault(row.pair.pair_id, doc_id) != doc_id:
            what = f"`doc_id` {pair_ids[row.pair.pair_id]} has it, too"
            raise contradiction(row.place, "doc.pair_id", row.pair.pair_id, what)


def _check_against_ladder(rows: Iterable[CheckedRow], expected: Sequence[Pair]) -> None:
    """Every document is that of the ladder, and at its place in it."""
    by_id = {pair.pair_id: index for index, pair in enumerate(expected)}
    hashes = {row["pair_id"]: row_hash(row) for row in rows_from_pairs(expected)}
    whose = "the ladder of that content hash has"
    for row in rows:
        pair_id = row.pair.pair_id
        if pair_id not in by_id:
            raise contradiction(row.place, "doc.pair_id", pair_id, f"{whose} no such pair on this rung")
        if row.row_hash != hashes[pair_id]:
            other = f"{whose} {hashes[pair_id]!r}: the row was changed"
            raise contradiction(row.place, "doc.row_hash", row.row_hash, other)
        if row.doc_id != by_id[pair_id]:
            other = f"the pair {pair_id!r} is document {by_id[pair_id]} of its rung"
            raise contradiction(row.place, "doc_id", row.doc_id, other)


@dataclass(frozen=True)
class _OfResults:
    """What a results file says of one task, to be held against its rows."""

    results: Mapping[str, Any]
    metadata: RunMetadata
    place: str

    def check_counts(self, rows: Collection[CheckedRow], where: str) -> None:
        """As many pairs as lm_eval counted, and the audit of its summary."""
        task, n_pairs = self.metadata.task, len(rows) // len(FILTERS)
        if n_pairs != self.metadata.n_effective:
            other = f"{where} has {n_pairs} pairs; it may be incomplete"
            name = f"n-samples.{task}.effective"
            raise contradiction(self.place, name, self.metadata.n_effective, other)
        audited = Counter(row.cells["audit_status"] for row in rows if row.filter_name == "raw")
        # With several processes lm_eval keeps the counts of the first; they are never more than the rows'.
        if any(count > audited[status] for status, count in self.metadata.audit.items()):
            found = ", ".join(f"{count} {status}" for status, count in sorted(audited.items()))
            name, audit = f"{summary_name(task)}.audit", dict(self.metadata.audit)
            raise contradiction(self.place, name, audit, f"the rows of {where} give {found}")

    def check_size(self, n_expected: int) -> None:
        """As many documents as the ladder has pairs on the rung."""
        if n_expected != self.metadata.n_original:
            rung = self.metadata.rung
            other = f"the ladder of that content hash has {n_expected} pairs on the rung {rung!r}"
            name = f"n-samples.{self.metadata.task}.original"
            raise contradiction(self.place, name, self.metadata.n_original, other)

    def check_means(self, rows: Iterable[CheckedRow]) -> None:
        """The means are those of the rows; that of drift is of the whole run, of which these are a part."""
        task = self.metadata.task
        results = decode(dict[str, dict[str, Any]], self.results.get("results"), self.place, "results")
        table = {**results.get(task, {}), **_as_numbers(self.metadata.rows or {})}
        for filter_name in FILTERS:
            chosen = [row for row in rows if row.filter_name == filter_name]
            for row in chosen:
                if row.reported.keys() != chosen[0].reported.keys():
                    raise contradiction(
                        row.place, "doc_id", row.doc_id, f"{chosen[0].place} has other metrics"
                    )
            for name in chosen[0].reported:
                mean, stated = _mean(chosen, name), table.get(f"{name},{filter_name}")
                field = f"results.{task}.{name},{filter_name}"
                if stated is None and METRICS[name].window is not None:
                    continue  # a window that no output of the run fills says nothing of its own
                if not isinstance(stated, (int, float)) or math.isinf(stated):
                    raise refused(self.place, field, stated, "a number, or NaN")
                same = any(_same(each, stated) for each in (mean, _mean_of_pairs(chosen, name)))
                if name != DRIFT and not same:
                    raise contradiction(self.place, field, stated, f"the mean of the rows is {mean:.12g}")


def _as_numbers(rows: Mapping[str, Any]) -> dict[str, Any]:
    """A record has no NaN, so that a mean of nothing is None there."""
    return {name: math.nan if value is None else value for name, value in rows.items()}


def _same(mean: float, stated: float) -> bool:
    both_missing = math.isnan(mean) and math.isnan(stated)
    return both_missing or math.isclose(mean, stated, rel_tol=1e-9, abs_tol=1e-12)


def _mean(rows: Iterable[CheckedRow], name: str) -> float:
    """The mean over prompts of the mean of what was scored."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if not math.isnan(row.reported[name]):
            values.setdefault(row.pair.prompt_id, []).append(row.reported[name])
    return _mean_of(_mean_of(scored) for scored in values.values())


def _mean_of_pairs(rows: Iterable[CheckedRow], name: str) -> float:
    """As older runs have it: prompts with more pairs weigh more."""
    return _mean_of(row.reported[name] for row in rows if not math.isnan(row.reported[name]))


def _mean_of(values: Iterable[float]) -> float:
    numbers = list(values)
    return math.fsum(numbers) / len(numbers) if numbers else math.nan


def _unknown_scores(rows: Iterable[CheckedRow], where: str) -> tuple[Note, ...]:
    names = sorted({name for row in rows for name in row.unknown})
    if not names:
        return ()
    shown = ", ".join(repr(name[:60]) for name in names[:5])
    words = f"`pair.scores` holds {len(names)} numbers that this version does not know, which are left out: {shown}."
    return (Note("remark", f"{where}: {words}", (where,)),)
