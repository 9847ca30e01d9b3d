"""One rung of one system: a samples file read, checked against its results file and against the ladder."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder
from lm_eval_sensitivity.ladder.schema import row_hash, rows_from_pairs
from lm_eval_sensitivity.metrics.catalogue import belongs_to_prompt
from lm_eval_sensitivity.records.columns import FILTERS, FLAGS, ROW_SCHEMA, SIDES
from lm_eval_sensitivity.records.fields import Field
from lm_eval_sensitivity.records.run_metadata import Stamp
from lm_eval_sensitivity.runs.find import read_samples
from lm_eval_sensitivity.runs.rows import SampleRow, read_row, row_digest
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.types import Pair

_SCORED = re.compile(r"(\d+) of (\d+) pairs scored\b")
_WHOLE_OUTPUT_CELLS = tuple(
    f"{side}_{column}"
    for side in SIDES
    for column in (*FLAGS, "scaffold_status", "scaffold", "finish_reason")
)
_ANSWER_CELLS = tuple(f"{side}_answer_start" for side in SIDES)


@dataclass(frozen=True)
class RungRun:
    """One rung of one system, read and checked."""

    stamp: Stamp
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
    remarks: tuple[str, ...]
    """Sentences about what was left out of the rows."""

    @property
    def complete(self) -> bool:
        """Whether every pair of the rung is there."""
        return self.n_pairs == self.n_expected


def read_rung(
    results: Field,
    stamp: Stamp,
    paths: tuple[Path, Path],
    date: str,
    ladder: Ladder | None,
    *,
    advance: Callable[[int], object] = lambda n_bytes: None,
) -> RungRun:
    """Read the samples of one task.

    Args:
        results: the results file.
        stamp: what it says about the task.
        paths: results file and samples file.
        date: the run's time stamp.
        ladder: the ladder that was asked, where it is at hand.
        advance: called with the bytes of every line.

    Raises:
        InputError: a line breaks a rule, or the rows contradict the results file or the ladder; one
            sentence names file, line and field.
    """
    where = shown_path(paths[1])
    rows: dict[tuple[int, str], SampleRow] = {}
    digests = []
    for number, line in enumerate(read_samples(paths[1], advance=advance), start=1):
        row = read_row(Field(line, f"{where}, line {number}"), stamp)
        known = rows.setdefault((row.doc_id, row.filter_name), row)
        if known is not row:
            row.line["doc_id"].contradict(
                f"filter {row.filter_name!r} has it already in {known.line.place.rsplit(', ', 1)[1]}"
            )
        digests.append(row_digest(line))
    if not rows:
        raise InputError(f"{where} is empty: no `doc` of task {stamp.task!r} is in it. Repeat the run.")
    _check_filters(rows)
    _check_counts(rows, stamp, results, where)
    expected = None if ladder is None else ladder.rung(stamp.rung)
    if expected is not None and len(expected) != stamp.n_original:
        results["n-samples"][stamp.task]["original"].contradict(
            f"the ladder of that content hash has {len(expected)} pairs on the rung {stamp.rung!r}"
        )
    if expected is not None:
        _check_against_ladder(rows.values(), expected)
    _check_results(rows.values(), stamp, results)
    raw = [rows[key] for key in sorted(rows) if key[1] == "raw"]
    return RungRun(
        stamp=stamp,
        results=paths[0],
        samples=paths[1],
        date=date,
        n_pairs=len(raw),
        n_expected=stamp.n_original if expected is None else len(expected),
        against_ladder=expected is not None,
        table=_table(rows, [row.doc_id for row in raw]),
        content=hashlib.sha256("".join(sorted(digests)).encode()).hexdigest(),
        pairs=() if expected is not None else tuple(row.pair for row in raw),
        remarks=_unknown_scores(rows.values(), where),
    )


def _check_filters(rows: Mapping[tuple[int, str], SampleRow]) -> None:
    """Every pair stands under both filters, with the same document and the same outputs."""
    pair_ids: dict[str, int] = {}
    for (doc_id, filter_name), row in rows.items():
        other_name = FILTERS[1 - FILTERS.index(filter_name)]
        other = rows.get((doc_id, other_name))
        if other is None:
            row.line["filter"].contradict(f"document {doc_id} has no row of filter {other_name!r}")
        if row.row_hash != other.row_hash:
            row.line["doc"]["row_hash"].contradict(f"document {doc_id} has another one in {other.line.place}")
        if row.texts != other.texts:
            row.line["resps"].contradict(f"document {doc_id} has other outputs in {other.line.place}")
        if row.cells["audit_status"] != other.cells["audit_status"]:
            row.line["pair"]["audit"]["status"].contradict(
                f"document {doc_id} has another one in {other.line.place}"
            )
        if pair_ids.setdefault(row.pair.pair_id, doc_id) != doc_id:
            row.line["doc"]["pair_id"].contradict(f"`doc_id` {pair_ids[row.pair.pair_id]} has it, too")


def _check_counts(
    rows: Mapping[tuple[int, str], SampleRow], stamp: Stamp, results: Field, where: str
) -> None:
    n_pairs = len(rows) // len(FILTERS)
    counts = results["n-samples"][stamp.task]
    if n_pairs != stamp.n_effective:
        counts["effective"].contradict(f"{where} has {n_pairs} pairs; it may be incomplete")
    audited = Counter(row.cells["audit_status"] for row in rows.values() if row.filter_name == "raw")
    # With several processes lm_eval keeps the counts of the first; they are never more than the rows'.
    if any(count > audited[status] for status, count in stamp.audit.items()):
        found = ", ".join(f"{count} {status}" for status, count in sorted(audited.items()))
        summary = results["configs"][stamp.task]["metadata"]["sensitivity"]
        summary["audit"].contradict(f"the rows of {where} give {found}")


def _check_against_ladder(rows: Iterable[SampleRow], expected: Sequence[Pair]) -> None:
    """Every document is that of the ladder, and at its place in it."""
    by_id = {pair.pair_id: (index, pair) for index, pair in enumerate(expected)}
    hashes = {row["pair_id"]: row_hash(row) for row in rows_from_pairs(expected)}
    for row in rows:
        doc = row.line["doc"]
        if row.pair.pair_id not in by_id:
            doc["pair_id"].contradict("the ladder of that content hash has no such pair on this rung")
        if row.row_hash != hashes[row.pair.pair_id]:
            doc["row_hash"].contradict(
                f"the ladder of that content hash has {hashes[row.pair.pair_id]!r}: the row was changed"
            )
        if row.doc_id != by_id[row.pair.pair_id][0]:
            row.line["doc_id"].contradict(
                f"the pair {row.pair.pair_id!r} is document {by_id[row.pair.pair_id][0]} of its rung"
            )


def _check_results(rows: Iterable[SampleRow], stamp: Stamp, results: Field) -> None:
    """The means and the pairs in words of the results file are those of the rows."""
    table = results["results"][stamp.task]
    for filter_name in FILTERS:
        chosen = [row for row in rows if row.filter_name == filter_name]
        for row in chosen:
            if row.reported.keys() != chosen[0].reported.keys():
                row.line["doc_id"].contradict(f"{chosen[0].line.place} has other metrics")
        for name in chosen[0].reported:
            mean = _mean(chosen, name)
            field = table[f"{name},{filter_name}"]
            stated = field.value if isinstance(field.value, float) else field.number()
            if not (math.isnan(mean) and math.isnan(stated)) and not math.isclose(
                mean, stated, rel_tol=1e-9, abs_tol=1e-12
            ):
                field.contradict(f"the mean of the rows is {mean:.12g}")
        scored = sum(not math.isnan(row.reported["cosine_distance"]) for row in chosen)
        words = table[f"pair,{filter_name}"]
        match = _SCORED.match(words.text())
        if match is None or (int(match[1]), int(match[2])) != (scored, len(chosen)):
            words.contradict(f"the rows say {scored} of {len(chosen)} pairs scored")


def _mean(rows: Iterable[SampleRow], name: str) -> float:
    """The mean of what was scored; what belongs to a prompt counts once for each."""
    values = {
        row.pair.prompt_id if belongs_to_prompt(name) else row.pair.pair_id: row.reported[name]
        for row in rows
        if not math.isnan(row.reported[name])
    }
    return math.fsum(values.values()) / len(values) if values else math.nan


def _table(rows: Mapping[tuple[int, str], SampleRow], doc_ids: Sequence[int]) -> pa.Table:
    cells = []
    for doc_id in doc_ids:
        raw = rows[doc_id, "raw"].cells
        # Each row says nothing about what belongs to the other filter, and the table has it in both.
        shared = {column: raw[column] for column in _WHOLE_OUTPUT_CELLS}
        answer = rows[doc_id, "answer"].cells
        starts = {column: answer[column] for column in _ANSWER_CELLS}
        cells += [{**raw, **starts}, {**answer, **shared}]
    return pa.table(
        {
            name: pa.array([row[name] for row in cells], ROW_SCHEMA.field(name).type)
            for name in ROW_SCHEMA.names
        },
        schema=ROW_SCHEMA,
    )


def _unknown_scores(rows: Iterable[SampleRow], where: str) -> tuple[str, ...]:
    names = sorted({name for row in rows for name in row.unknown})
    if not names:
        return ()
    shown = ", ".join(repr(name[:60]) for name in names[:5])
    return (
        f"{where}: `pair.scores` holds {len(names)} numbers that this version does not know, which are left out: "
        f"{shown}.",
    )
