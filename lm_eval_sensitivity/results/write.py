"""Write a results folder: everything computed, into a temporary folder that is renamed when it is complete."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.parquet import write_parquet as write_ladder
from lm_eval_sensitivity.probes.files import codec, kept_results
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.records.answers import TaskAnswers
from lm_eval_sensitivity.records.limits import LONGEST_ID, LONGEST_NAME, MAX_SYSTEMS
from lm_eval_sensitivity.report.documents.parts import what_and_why
from lm_eval_sensitivity.results import manifest as kinds
from lm_eval_sensitivity.results import statements as stored
from lm_eval_sensitivity.results.answers import asked_pairs, records_of
from lm_eval_sensitivity.results.details import read_details
from lm_eval_sensitivity.results.files import FileRecord
from lm_eval_sensitivity.results.findings import compute
from lm_eval_sensitivity.results.manifest import (
    FORMAT,
    LADDER,
    MANIFEST,
    STATEMENTS,
    Manifest,
    SystemRecord,
    alphabetical,
    answers_name,
    details_name,
    pairs_name,
    probe_name,
)
from lm_eval_sensitivity.results.output_folder import FOLDERS, check_target, move_results
from lm_eval_sensitivity.results.read import open_results
from lm_eval_sensitivity.results.redact_paths import places_of, without_folders
from lm_eval_sensitivity.results.system_files import CODEC as DETAIL
from lm_eval_sensitivity.results.systems import facts, found_series, without_path
from lm_eval_sensitivity.results.tables import ANSWERS, DETAILS, PAIRS, PAIRS_OF_ANSWERS, write_parquet
from lm_eval_sensitivity.runs import Runs, System
from lm_eval_sensitivity.runs.beside import read_answers
from lm_eval_sensitivity.statements import Signature
from lm_eval_sensitivity.text.escape import one_line, shown, shown_path
from lm_eval_sensitivity.types import RUNGS, Note, Pair


@dataclass(frozen=True)
class Request:
    """What is to be exported."""

    pairs: Runs
    reference: System | None
    """One of the systems of `pairs`."""
    series: Mapping[str, Sequence[System]] | None
    """Levels by name of the series; None looks for series."""
    signature: Signature
    alpha: float
    """Family-wise error of a table of clusters."""
    embedder: str | None = None
    """Of the runs, where drift is recomputed and it is not the default one."""
    folders: tuple[Path, ...] = ()
    """Run folders as given; sentences name only their last part."""


def export_results(request: Request, folder: Path, *, overwrite: bool = False) -> Manifest:
    """Compute everything and write it as a folder that appears only when it is complete.

    Args:
        request: what is to be exported.
        folder: where.
        overwrite: replace results of an earlier export.

    Returns:
        The manifest of the folder.

    Raises:
        InputError: the folder may not be written, or samples have changed since they were loaded.

    Example:
        See `tests/unit/results/test_round_trip.py`; results take runs.
    """
    check_target(folder, overwrite=overwrite)
    if len(request.pairs.systems) > MAX_SYSTEMS:
        raise InputError(
            f"{len(request.pairs.systems)} systems are too many for one results folder; at most {MAX_SYSTEMS} fit."
        )
    check_names(request.pairs.table, request.series or ())
    target = folder.absolute()
    unfinished = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    try:
        unfinished.mkdir()
        try:
            manifest = _write(request, unfinished)
            try:  # what is written must be accepted by whoever opens it
                open_results(unfinished, everything=True)
            except InputError as error:
                raise InputError(
                    f"these runs do not fit the limits of a results folder: {one_line(error)}"
                ) from None
            move_results(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"`--output {shown_path(folder)}` cannot be written ({error.strerror or error}). Choose another folder."
        ) from None
    return manifest


def check_names(table: pa.Table, series: Iterable[str]) -> None:
    """Refuse names and ids that no results folder holds, before anything long is done: they are never cut.

    Args:
        table: from `load_runs`.
        series: names of series, as given.

    Raises:
        InputError: one is too long.
    """
    for name in series:
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"`--series` names a series {shown(name)}, of {len(name)} characters; accepted are at most "
                f"{LONGEST_NAME}. Give it a shorter name."
            )
    for column in ("name", "pair_id", "prompt_id", "edit"):
        is_name = column == "name"
        longest = max(table[column].unique().to_pylist(), key=len, default="")
        most = LONGEST_NAME if is_name else LONGEST_ID
        if len(longest) > most:
            of_ladder = "Build the ladder with shorter ids"
            of_system = "Export this system from a model folder or with model arguments that are shorter"
            raise InputError(
                f"These runs have the `{column}` {shown(longest)}, of {len(longest)} characters; a results folder "
                f"holds at most {most}. {of_system if is_name else of_ladder}, and run it again."
            )


# ---- its files


def _write(request: Request, folder: Path) -> Manifest:
    systems = sorted(request.pairs.systems, key=lambda system: alphabetical(system.name))
    read, pairs = read_answers(request.pairs)
    request = replace(request, pairs=pairs)
    answers = {system.name: [each for each in read if each.system == system.name] for system in systems}
    statements, left_out = compute(
        request.pairs, request.reference, request.alpha, request.signature, request.embedder, read
    )
    for name in FOLDERS:
        (folder / name).mkdir()
    asked = _write_systems(systems, request.pairs.table, answers, folder)
    in_order = sorted(asked.values(), key=lambda pair: (RUNGS.index(pair.rung), pair.edit, pair.prompt_id))
    write_ladder(in_order, folder / LADDER)
    names = {system.name for system in systems}
    places = places_of(request.pairs, request.folders, request.embedder)

    def clean(text: str) -> str:
        """Without the folders of this machine; a name of a system is never changed."""
        return text if os.sep not in text or text in names else without_folders(text, places)

    (folder / STATEMENTS).write_bytes(stored.CODEC.dump(statements, clean))
    rows = {STATEMENTS: sum(1 for _ in stored.each_statement(statements)), LADDER: len(asked)}
    rows |= dict.fromkeys(_write_probes(systems, folder, clean), 1)
    for index, system in enumerate(systems):
        rows[pairs_name(index)] = 2 * system.n_pairs
        if not request.signature.is_of_answers:
            rows[details_name(index)] = system.n_pairs
        if own := answers[system.name]:
            rows[answers_name(index)] = sum(len(each.rows) for each in own)
    files = {}
    for name, n_rows in rows.items():
        content = (folder / name).read_bytes()
        files[name] = FileRecord(hashlib.sha256(content).hexdigest(), len(content), n_rows)
    manifest = _manifest(request, systems, asked, left_out, files)
    (folder / MANIFEST).write_bytes(kinds.CODEC.dump(manifest, clean, indent=1))
    return manifest


def _write_systems(
    systems: Sequence[System], table: pa.Table, answers: Mapping[str, Sequence[TaskAnswers]], folder: Path
) -> dict[str, Pair]:
    """Pairs of every system, and what stands behind them; returns the pairs of the ladder by id."""
    asked: dict[str, Pair] = {}
    spec = PAIRS_OF_ANSWERS if set(PAIRS_OF_ANSWERS.schema.names) <= set(table.column_names) else PAIRS
    for index, system in enumerate(progress("Writing systems", len(systems), "system", iterable=systems)):
        own = table.filter(pc.equal(table["name"], system.name)).select(spec.schema.names)
        write_parquet(own.combine_chunks().cast(spec.schema), folder / pairs_name(index), spec)
        answered = answers[system.name]
        if answered:
            write_parquet(records_of(answered), folder / answers_name(index), ANSWERS)
        if spec is PAIRS_OF_ANSWERS:
            pairs = [*asked_pairs(answered[0], system.ladder.version)]
        else:
            pairs = _write_details(system, folder / details_name(index))
        for pair in pairs:
            if asked.setdefault(pair.pair_id, pair) != pair:
                raise InputError(
                    f"{shown_path(system.rungs[0].samples)}: the pair {pair.pair_id!r} is another one than in the "
                    "other runs. Give the ladder that was run with `--ladder`."
                )
    return asked


def _write_details(system: System, path: Path) -> list[Pair]:
    details, pairs = read_details(system)
    records = [DETAIL.dump(each).decode() for each in details.values()]
    stored = pa.table(
        [pa.array([*details], pa.string()), pa.array(records, pa.string())], schema=DETAILS.schema
    )
    write_parquet(stored, path, DETAILS)
    return pairs


def _write_probes(systems: Sequence[System], folder: Path, clean: Callable[[str], str]) -> list[str]:
    """What probes found of the systems; returns the names of the files."""
    names = []
    for index, system in enumerate(systems):
        for probe, result in kept_results(system).items():
            names.append(probe_name(index, probe))
            (folder / names[-1]).write_bytes(codec(probe).dump(result, clean))
    return names


# ---- the manifest


def _manifest(
    request: Request,
    systems: Sequence[System],
    asked: Mapping[str, Pair],
    left_out: Sequence[Note],
    files: Mapping[str, FileRecord],
) -> Manifest:
    pairs, embedder = request.pairs, request.signature.embedder
    series = request.series
    limit, until = embedder.get("max_tokens"), request.signature.decoding.get("until")
    return Manifest(
        kind="lm_eval_sensitivity results",
        format=FORMAT,
        signature=replace(
            request.signature,
            decoding={
                "max_gen_toks": request.signature.decoding["max_gen_toks"],
                "until": [str(each) for each in until] if isinstance(until, list) else [],
                "greedy": request.signature.decoding["greedy"],
            },
            embedder={
                "name": without_path(embedder["name"]) or "not named",
                "weights_sha256": embedder["weights_sha256"],
                "max_tokens": limit if type(limit) is int and limit > 0 else None,
            },
        ),
        alpha=request.alpha,
        ladder=systems[0].ladder.name,
        n_prompts=len({pair.prompt_id for pair in asked.values()}),
        n_pairs=len(asked),
        reference=None if request.reference is None else systems.index(request.reference),
        systems=tuple(
            SystemRecord(index, each.name, each.fingerprint, tuple(facts(each)))
            for index, each in enumerate(systems)
        ),
        series=found_series(systems)
        if series is None
        else {name: tuple(map(systems.index, members)) for name, members in series.items()},
        remarks=tuple(sorted(map(str, pairs.remarks))),
        left_out=tuple(sorted(pairs.left_out, key=what_and_why)),
        selections_left_out=tuple(left_out),
        files=dict(sorted(files.items())),
    )
