"""Load run folders as systems and one pairs table, or say in one sentence why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.schema import content_hash
from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP
from lm_eval_sensitivity.records.columns import SCHEMA, TABLE_VERSION
from lm_eval_sensitivity.records.run_metadata import DETECTED
from lm_eval_sensitivity.runs.answers_table import ANSWERS_SCHEMA
from lm_eval_sensitivity.runs.comparability import common_pairs, comparable
from lm_eval_sensitivity.runs.labels import check_labels, labelled
from lm_eval_sensitivity.runs.ladder_lookup import LadderLookup
from lm_eval_sensitivity.runs.names import display_names
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.runs.select_runs import choose_rungs, merge_folders, omitted
from lm_eval_sensitivity.runs.system import LadderCheck, System
from lm_eval_sensitivity.text.escape import inert, one_line, shown, shown_path
from lm_eval_sensitivity.types import RUNGS, Note

METADATA_KEY = "lm_eval_sensitivity.pairs"


@dataclass(frozen=True)
class Runs:
    """Systems, their pairs, and everything that was not taken."""

    systems: tuple[System, ...]
    """In the order of the folders: a series of quantizations is read as it was given."""
    table: pa.Table
    """One row per system, pair and filter, by system, rung, pair and filter; see `columns.SCHEMA`."""
    left_out: tuple[Note, ...]
    """Each about a file, a folder or a system."""
    remarks: tuple[Note, ...]
    """What a reader of the table should know: partial runs, weaker checks, other versions."""


def load_runs(
    folders: str | Path | Sequence[str | Path],
    *,
    subset: str | None = None,
    ladder: str | Path | None = None,
    exclude_mismatched: bool = False,
    labels: Mapping[str | Path, str] | None = None,
    row: str | None = None,
) -> Runs:
    """Load runs of the prompt_sensitivity tasks, each made with `--output_path` and `--log_samples`.

    Args:
        folders: an output folder or several; one may hold several runs and several systems, and the rungs of one
            system may be spread over several.
        subset: take only tasks of this subset of the ladder; needed where one run holds two.
        ladder: the ladder that was run, if it is not the packaged one: folder, file or Hub id. Without it
            rows of other ladders are checked by their hashes and counts.
        exclude_mismatched: leave out what has another ladder, decoding, embedder or reference than the
            first system, instead of refusing.
        labels: names of systems by run folder; without one a system is called as its model.
        row: of a wrapped task's own table, whose answers are read: metric, filter or both, as in `acc_norm,none`;
            without it the metric that the task is judged by, under its first filter.

    Returns:
        Systems in the order of the folders, one pairs table, and notes on what was left out. Runs of different
        subsets of one ladder are cut to their common pairs, and a remark says how many there are.

    Raises:
        InputError: nothing to load, a file that breaks a rule, or systems that cannot be compared; one
            sentence names file and field.

    Example:
        >>> try:
        ...     load_runs(["runs/no_such_folder"])
        ... except ValueError as error:
        ...     print(error)
        Run folder `runs/no_such_folder` does not exist. Give the folder that was `--output_path`.
    """
    if isinstance(folders, (str, Path)):
        folders = [folders]
    if not folders:
        raise InputError("No run folder was given. Give at least one `--output_path` of lm_eval.")
    given = check_labels(
        list(map(Path, folders)), ((Path(each), name) for each, name in (labels or {}).items())
    )
    try:
        return _load(folders, LadderLookup(ladder), subset, row, given, exclude=exclude_mismatched)
    except InputError as error:
        # Some checks quote what stands in a file; what they quote must not reach a terminal as it is.
        raise InputError(one_line(error)) from None


def _load(
    folders: Sequence[str | Path],
    known: LadderLookup,
    subset: str | None,
    row: str | None,
    labels: Mapping[Path, str],
    *,
    exclude: bool,
) -> Runs:
    chosen: list[RungSamples] = []
    left_out: list[Note] = []
    seen: set[Path] = set()
    for folder in map(Path, folders):
        if folder.resolve() in seen:
            left_out.append(omitted(shown_path(folder), "given twice"))
            continue
        seen.add(folder.resolve())
        rungs, others = choose_rungs(folder, known, subset, row)
        chosen += rungs
        left_out += others
    if row is not None and all(rung.metadata.wrapped is None for rung in chosen):
        raise InputError(
            f"`--row {shown(row)}` belongs to runs of wrapped tasks, and these are none. Leave it out."
        )
    rungs, others = merge_folders(chosen)
    left_out += others
    rungs, others = comparable(rungs, exclude=exclude)
    left_out += others
    rungs, cut = common_pairs(rungs)
    systems = labelled(_systems(rungs), labels)
    # By name, so that the order of the folders does not change what is written.
    by_name = sorted(systems, key=lambda system: system.name)
    return Runs(systems, _table(by_name), tuple(left_out), (*cut, *_remarks(by_name)))


def _systems(rungs: Sequence[RungSamples]) -> tuple[System, ...]:
    by_system: dict[str, list[RungSamples]] = {}
    for rung in rungs:
        by_system.setdefault(rung.metadata.system, []).append(rung)
    for group in by_system.values():
        group.sort(key=lambda rung: RUNGS.index(rung.metadata.rung))
    names = display_names([_newest(group).metadata for group in by_system.values()])
    systems = (
        _system(fingerprint, name, group)
        for (fingerprint, group), name in zip(by_system.items(), names, strict=True)
    )
    return tuple(systems)


def _system(fingerprint: str, name: str, rungs: list[RungSamples]) -> System:
    metadata = _newest(rungs).metadata
    return System(
        fingerprint=fingerprint,
        name=name,
        identity=metadata.identity,
        notes=metadata.notes,
        ladder=metadata.ladder,
        decoding=metadata.decoding,
        embedder=metadata.embedder,
        reference=metadata.reference_system,
        package_version=metadata.package_version,
        rungs=tuple(rungs),
        ladder_check=_ladder_check(rungs),
    )


def _newest(rungs: Sequence[RungSamples]) -> RungSamples:
    return max(rungs, key=lambda rung: (rung.date, rung.metadata.task))


def _ladder_check(rungs: Sequence[RungSamples]) -> LadderCheck:
    if all(rung.against_ladder for rung in rungs):
        return "rows"
    # A whole ladder proves itself: its rows in ladder order give the hash that the run states.
    pairs = [pair for rung in rungs for pair in rung.pairs]
    return "hash" if content_hash(pairs) == rungs[0].metadata.ladder.hash else "counts"


def _table(systems: Sequence[System]) -> pa.Table:
    tables = []
    of_answers = any(ANSWER_FLIP in rung.table.column_names for system in systems for rung in system.rungs)
    schema = pa.schema([*SCHEMA, *ANSWERS_SCHEMA]) if of_answers else SCHEMA
    for system in systems:
        for rung in system.rungs:
            constants = {
                "system": system.fingerprint,
                "name": system.name,
                "ladder_version": rung.metadata.ladder.version,
                "ladder_hash": rung.metadata.ladder.hash,
                "task": rung.metadata.task,
            }
            columns = [
                pa.array([constants[name]] * rung.table.num_rows, pa.string())
                if name in constants
                else rung.table[name]
                for name in schema.names
            ]
            tables.append(pa.table(columns, schema=schema))
    description = json.dumps(_description(systems), sort_keys=True, ensure_ascii=True)
    return pa.concat_tables(tables).combine_chunks().replace_schema_metadata({METADATA_KEY: description})


def _description(systems: Sequence[System]) -> dict[str, Any]:
    """What the table says about itself in a parquet file: no paths, no dates, so that equal runs give equal bytes."""
    return {
        "table_version": TABLE_VERSION,
        "package_version": __version__,
        "ladder": asdict(systems[0].ladder),
        "systems": [
            {
                "fingerprint": system.fingerprint,
                "name": system.name,
                "identity": system.identity,
                "decoding": system.decoding,
                "embedder": system.embedder,
                "reference": system.reference,
                "package_version": system.package_version,
                "ladder_check": system.ladder_check,
                "partial": system.partial,
            }
            for system in systems
        ],
    }


def _remarks(systems: Sequence[System]) -> tuple[Note, ...]:
    every_rung = [rung.metadata.rung for system in systems for rung in system.rungs]
    remarks: list[Note] = []
    for system in systems:
        remarks += [Note("remark", words, (system.name,)) for words in _remarks_on(system, every_rung)]
        remarks += [remark for rung in system.rungs for remark in rung.remarks]
    return tuple(dict.fromkeys(remarks))  # of a task every system may say the same


def _remarks_on(system: System, every_rung: Sequence[str]) -> Iterator[str]:
    if system.partial:
        yield f"{system.name} was run in part: {'; '.join(system.partial)}."
    own = {rung.metadata.rung for rung in system.rungs}
    lacking = [rung for rung in RUNGS if rung in every_rung and rung not in own]
    if lacking:
        yield f"{system.name} lacks rungs that other systems have: {', '.join(lacking)}."
    if system.ladder_check == "counts" and _newest(system.rungs).metadata.wrapped is None:
        yield (
            f"{system.name}: its ladder {inert(system.ladder.name)!r} is not at hand, so that its pairs were "
            "counted and every row was compared with its own hash only; give it with --ladder."
        )
    if system.package_version != __version__:
        yield (
            f"{system.name} was measured with lm-eval-sensitivity {inert(system.package_version)[:40]}, which "
            f"is not this version, {__version__}."
        )
    newest = _newest(system.rungs).metadata
    rule = newest.answer_rule
    if rule != DETECTED and newest.wrapped is None:
        yield (
            f"{system.name} was rescored: its answers were cut out of its outputs by the rule "
            f"{inert(rule)[:40]!r}, not by what was detected in them."
        )
