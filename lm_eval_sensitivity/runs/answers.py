"""Wrapped tasks of finished runs: the answers of every document, under every filter of the task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, Wrapped, decode_answers
from lm_eval_sensitivity.records.codec import contradiction, encode
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.records.run_metadata import RunMetadata, read_wrapped, wrapped_tasks
from lm_eval_sensitivity.runs.answers_table import answers_table, edits_by_rung
from lm_eval_sensitivity.runs.find import RunFiles, read_results, read_samples, scan_folder
from lm_eval_sensitivity.runs.names import display_names
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.runs.system import System
from lm_eval_sensitivity.text.escape import inert, shown, shown_path
from lm_eval_sensitivity.types import Note


@dataclass(frozen=True)
class TaskAnswers:
    """One wrapped task of one system under one of its filters."""

    system: str
    """Display name."""
    fingerprint: str
    task: str
    """lm_eval's name of the wrapped task."""
    filter_name: str
    wrapped: Wrapped
    rows: tuple[AnswerRow, ...]
    """By document."""
    about: str
    """Results file and task, as a note names them."""

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Metric -> edit -> value, without what is no number."""
        found = self.wrapped.scores.get(self.filter_name, {})
        whole = {
            metric: {edit: value for edit, value in values.items() if value is not None}
            for metric, values in found.items()
        }
        return {metric: values for metric, values in whole.items() if AGAIN in values}


def answer_rungs(metadata: RunMetadata, files: tuple[Path, Path], date: str) -> list[RungSamples]:
    """A wrapped task as rungs of pairs: a document and an edit are a pair, the document is the prompt.

    Args:
        metadata: what the results file says of the task.
        files: results file and samples file.
        date: the run's time stamp.

    Returns:
        The rungs of its edits, and `identical`, where the prompts were asked again. Of several filters of the task the
        first.

    Raises:
        InputError: a line breaks a rule.
    """
    by_filter = read_answer_rows(metadata, files[1])
    if not by_filter or metadata.wrapped is None:
        raise InputError(
            f"{shown_path(files[1])} is empty: no document of {metadata.task!r} is in it. Repeat the run."
        )
    filter_name, rows = next(iter(by_filter.items()))
    found = []
    for rung, names in edits_by_rung(metadata.wrapped.edits).items():
        table = answers_table(metadata.wrapped.task, rows, rung, names)
        if table.num_rows:
            found.append(
                RungSamples(
                    metadata=replace(metadata, rung=rung),
                    results=files[0],
                    samples=files[1],
                    date=date,
                    n_pairs=table.num_rows // len(FILTERS),
                    n_expected=table.num_rows // len(FILTERS),
                    against_ladder=False,
                    table=table,
                    content=_content(rows, names),
                    pairs=(),
                    remarks=_remarks(metadata, filter_name, by_filter) if rung == "identical" else (),
                )
            )
    return found


def _content(rows: Sequence[AnswerRow], names: Sequence[str]) -> str:
    said = [
        [row.doc_id, encode(row.unedited), [encode(row.edits[name]) for name in names if name in row.edits]]
        for row in rows
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _remarks(metadata: RunMetadata, filter_name: str, filters: Mapping[str, object]) -> tuple[Note, ...]:
    said = []
    if metadata.limited_by:
        said.append(
            f"{metadata.task} was run on {metadata.n_effective} of {metadata.n_original} documents "
            f"({metadata.limited_by})."
        )
    if len(filters) > 1:
        others = ", ".join(inert(name) for name in filters if name != filter_name)
        said.append(
            f"{metadata.task}: answers are those of its filter {inert(filter_name)}; `flips` has the others ({others})."
        )
    return tuple(Note("remark", each, (metadata.task,)) for each in said)


def load_answers(folders: Sequence[Path]) -> list[TaskAnswers]:
    """The wrapped tasks in some run folders, the newest of each system and task.

    Args:
        folders: each an `--output_path`.

    Returns:
        By folder, task and filter.

    Raises:
        InputError: there are none, or a file breaks a rule.
    """
    found: dict[tuple[str, str], tuple[RunMetadata, RunFiles]] = {}
    for folder in folders:
        runs, _ = scan_folder(folder)
        for run in runs:
            for metadata in _tasks(run):
                found.pop((metadata.system, metadata.task), None)
                found[metadata.system, metadata.task] = metadata, run
    if not found:
        names = ", ".join(f"`{shown_path(folder)}`" for folder in folders)
        raise InputError(
            f"No wrapped task with samples is in {names}. Run one, as in `lm_eval --tasks sensitivity_arc_easy "
            "--output_path ... --log_samples`; see `lm-eval-sensitivity wrap --help`."
        )
    systems = {metadata.system: metadata for metadata, _ in found.values()}
    names_of = dict(zip(systems, display_names(list(systems.values())), strict=True))
    return [
        each
        for metadata, run in found.values()
        for each in _answers(metadata, run, names_of[metadata.system])
    ]


def answers_of(systems: Sequence[System]) -> list[TaskAnswers]:
    """The same of systems that were loaded: of the task that they were loaded with, or of all that they ran beside
    the ladder.

    Args:
        systems: from `load_runs`.

    Returns:
        By system, task and filter; of a task the newest run.

    Raises:
        InputError: a file breaks a rule, or has changed since it was loaded.
    """
    return [each for system in systems for each in _of_system(system)]


def _of_system(system: System) -> list[TaskAnswers]:
    first = system.rungs[0]
    if first.metadata.wrapped is None:
        tasks = _beside_the_ladder(system)
        return [each for metadata, run in tasks for each in _answers(metadata, run, system.name)]
    files = RunFiles(first.results, first.date, {first.metadata.task: first.samples})
    found = _answers(first.metadata, files, system.name)
    names = edits_by_rung(first.metadata.wrapped.edits)
    if any(_content(found[0].rows, names[rung.metadata.rung]) != rung.content for rung in system.rungs):
        raise InputError(f"{shown_path(first.samples)} has changed since it was loaded. Repeat the command.")
    return found


def _beside_the_ladder(system: System) -> list[tuple[RunMetadata, RunFiles]]:
    """Wrapped tasks of the model in the folders of its runs; each task decodes in a way of its own."""
    found: dict[str, tuple[RunMetadata, RunFiles]] = {}
    for folder in dict.fromkeys(rung.results.parent for rung in system.rungs):
        for run in scan_folder(folder)[0]:
            for metadata in _tasks(run):
                if _without_decoding(metadata.identity) == _without_decoding(system.identity):
                    found[metadata.task] = metadata, run
    return list(found.values())


def _without_decoding(identity: Mapping[str, object]) -> dict[str, object]:
    return {name: each for name, each in identity.items() if name != "decoding"}


def refuse_answers(rungs: Iterable[RungSamples], what: str) -> None:
    """Refuse runs of wrapped tasks where outputs are needed.

    Args:
        rungs: that were read.
        what: needs them; the subject of the sentence.

    Raises:
        InputError: one is of a wrapped task.
    """
    for rung in rungs:
        if rung.metadata.wrapped is not None:
            raise InputError(
                f"{what} of runs of the ladder, and {shown_path(rung.samples)} is of the wrapped task "
                f"{inert(rung.metadata.task)}. Use `flips`, `report`, `clusters`, `compare`, `drift` or `heatmap`."
            )


def _tasks(run: RunFiles) -> list[RunMetadata]:
    results, place = read_results(run), shown_path(run.results)
    names = [name for name in wrapped_tasks(results, place) if name in run.samples]
    return [read_wrapped(results, name, place) for name in names]


def _answers(metadata: RunMetadata, run: RunFiles, name: str) -> list[TaskAnswers]:
    assert metadata.wrapped is not None
    task = metadata.task
    return [
        TaskAnswers(
            *(name, metadata.system, task, filter_name, metadata.wrapped, tuple(rows)),
            about_task(run.results, task),
        )
        for filter_name, rows in read_answer_rows(metadata, run.samples[task]).items()
    ]


def about_task(results: Path, task: str) -> str:
    """What a note about a task of a run is about."""
    return f"{shown_path(results)}, {shown(task)}"


def read_answer_rows(metadata: RunMetadata, samples: Path) -> Mapping[str, Sequence[AnswerRow]]:
    """The rows of a samples file by filter, each by document.

    Args:
        metadata: what the results file says of the task.
        samples: the file.

    Raises:
        InputError: naming file, line and field.
    """
    where = shown_path(samples)
    rows: dict[str, dict[int, AnswerRow]] = {}
    known = {edit.name for edit in metadata.wrapped.edits} | {AGAIN} if metadata.wrapped else set()
    for number, line in enumerate(read_samples(samples), start=1):
        place = f"{where}, line {number}"
        row = decode_answers(line, place)
        if row.doc_id in rows.setdefault(row.filter, {}):
            raise contradiction(place, "doc_id", row.doc_id, f"filter {inert(row.filter)!r} has it already")
        if strange := row.edits.keys() - known:
            raise contradiction(place, "edits", min(strange), "the results file names no such edit")
        rows[row.filter][row.doc_id] = row
    for filter_name, found in rows.items():
        if len(found) != metadata.n_effective:
            other = f"the results file counts {metadata.n_effective}; it may be incomplete"
            raise contradiction(where, f"documents of filter {filter_name}", len(found), other)
    return {name: [found[doc_id] for doc_id in sorted(found)] for name, found in rows.items()}
