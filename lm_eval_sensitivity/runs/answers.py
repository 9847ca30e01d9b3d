"""Wrapped tasks of finished runs: the answers of every document, under every filter of the task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, TaskAnswers, Wrapped, decode_answers
from lm_eval_sensitivity.records.codec import contradiction, decode, encode
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.records.run_metadata import RunMetadata, read_wrapped, wrapped_tasks
from lm_eval_sensitivity.runs.answer_groups import groups_of
from lm_eval_sensitivity.runs.answers_table import answers_table, edits_by_rung
from lm_eval_sensitivity.runs.find import RunFiles, read_results, read_samples, scan_folder
from lm_eval_sensitivity.runs.names import display_names
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.runs.system import System
from lm_eval_sensitivity.text.escape import inert, shown, shown_path
from lm_eval_sensitivity.types import Note


def answer_rungs(
    metadata: RunMetadata, files: tuple[Path, Path], date: str, wanted: str | None = None
) -> list[RungSamples]:
    """A wrapped task as rungs of pairs: a document and an edit are a pair, the document is the prompt.

    Args:
        metadata: what the results file says of the task.
        files: results file and samples file.
        date: the run's time stamp.
        wanted: row of the task's own table whose answers are read: metric, filter or both, as in `acc_norm,none`; None
            takes the metric that it is judged by, under its first filter.

    Returns:
        The rungs of its edits, and `identical`, where the prompts were asked again.

    Raises:
        InputError: there is no such row, or a line breaks a rule.
    """
    by_filter = read_answer_rows(metadata, files[1])
    if not by_filter or metadata.wrapped is None:
        raise InputError(
            f"{shown_path(files[1])} is empty: no document of {metadata.task!r} is in it. Repeat the run."
        )
    known = _table_rows(metadata.wrapped, list(by_filter))
    name, (metric, filter_name) = _chosen(known, wanted, metadata.task)
    rows = [row.under(metric) for row in by_filter[filter_name]]
    found = []
    for rung, names in edits_by_rung(metadata.wrapped.edits).items():
        table = answers_table(metadata.wrapped.task, rows, rung, names)
        if table.num_rows:
            found.append(
                RungSamples(
                    metadata=replace(metadata, rung=rung, answer_rule=name),
                    results=files[0],
                    samples=files[1],
                    date=date,
                    n_pairs=table.num_rows // len(FILTERS),
                    n_expected=table.num_rows // len(FILTERS),
                    against_ladder=False,
                    table=table,
                    content=_content(rows, names),
                    pairs=(),
                    remarks=_remarks(metadata, name, list(known)) if rung == "identical" else (),
                )
            )
    return found


def _table_rows(wrapped: Wrapped, filters: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Rows of the task's own table, as a results file calls them, with metric and filter; the usual one first."""
    found = [
        (metric, name)
        for name in filters
        for metric in dict.fromkeys((wrapped.metric, *wrapped.scores.get(name, ())))
    ]
    return {",".join(each): each for each in found}


def _chosen(
    known: Mapping[str, tuple[str, str]], wanted: str | None, task: str
) -> tuple[str, tuple[str, str]]:
    for name, parts in known.items():
        if wanted in (None, name, *parts):
            return name, parts
    raise unknown_name(f"`--row`: a row of {inert(task)}", str(wanted), tuple(known))


def _content(rows: Sequence[AnswerRow], names: Sequence[str]) -> str:
    said = [
        [row.doc_id, encode(row.unedited), [encode(row.edits[name]) for name in names if name in row.edits]]
        for row in rows
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _remarks(metadata: RunMetadata, name: str, known: Sequence[str]) -> tuple[Note, ...]:
    others = ", ".join(inert(each) for each in known if each != name)
    more = f"; `--row` reads another one ({others})" if others else ""
    words = f"{inert(metadata.task)}: answers are those that its row {inert(name)} judges{more}."
    return (Note("remark", words, (metadata.task,)),)


def load_answers(folders: Sequence[Path], wanted: str | None = None) -> list[TaskAnswers]:
    """The wrapped tasks in some run folders, of each system and task the newest run of the whole task, else the newest.

    Args:
        folders: each an `--output_path`.
        wanted: row of the tasks' own tables, as for `answer_rungs`; None takes the metric that each is judged by, under
            all filters.

    Returns:
        By system, its groups of tasks first, and filter.

    Raises:
        InputError: there are none, a task has no such row, or a file breaks a rule.
    """
    found: dict[tuple[str, str], tuple[RunMetadata, RunFiles]] = {}
    groups: dict[str, dict[str, list[str]]] = {}
    for folder in folders:
        for run in scan_folder(folder)[0]:
            for metadata in _tasks(run):
                key = metadata.system, metadata.task
                if metadata.limited_by and key in found and not found[key][0].limited_by:
                    continue
                found.pop(key, None)
                found[key] = metadata, run
                groups.setdefault(metadata.system, {}).update(_groups(run))
    if not found:
        names = ", ".join(f"`{shown_path(folder)}`" for folder in folders)
        raise InputError(
            f"No wrapped task with samples is in {names}. Run one, as in `lm_eval --tasks sensitivity_arc_easy "
            "--output_path ... --log_samples`; see `lm-eval-sensitivity wrap --help`."
        )
    systems = {metadata.system: metadata for metadata, _ in found.values()}
    read: list[TaskAnswers] = []
    for system, name in zip(systems, display_names(list(systems.values())), strict=True):
        own = [
            each
            for metadata, run in found.values()
            if metadata.system == system
            for each in _answers(metadata, run, name, wanted)
        ]
        read += [*groups_of(own, groups[system]), *own]
    return read


def answers_of(systems: Sequence[System]) -> list[TaskAnswers]:
    """The same of systems that were loaded: of the task that they were loaded with, or of all that they ran beside
    the ladder.

    Args:
        systems: from `load_runs`.

    Returns:
        By system, task and filter, the row that they were loaded with first; of a task the newest run.

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
    found = _answers(first.metadata, files, system.name, first.metadata.answer_rule, beside=True)
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


def _groups(run: RunFiles) -> dict[str, list[str]]:
    """Group -> names of what is in it."""
    found = read_results(run).get("group_subtasks", {})
    return decode(dict[str, list[str]], found, shown_path(run.results), "group_subtasks")


def _answers(
    metadata: RunMetadata, run: RunFiles, name: str, wanted: str | None = None, *, beside: bool = False
) -> list[TaskAnswers]:
    """Under every filter; of a wanted row under its own, and `beside` it under the others."""
    assert metadata.wrapped is not None
    wrapped, by_filter = metadata.wrapped, read_answer_rows(metadata, run.samples[metadata.task])
    metric, filters = wrapped.metric, list(by_filter)
    if wanted is not None:
        metric, own = _chosen(_table_rows(wrapped, filters), wanted, metadata.task)[1]
        filters = [own, *(each for each in filters if beside and each != own)]
    return [
        TaskAnswers(
            system=name,
            task=metadata.task,
            wrapped=wrapped,
            filter_name=filter_name,
            metric=metric,
            rows=tuple(row.under(metric) for row in by_filter[filter_name]),
            n_there=metadata.n_original,
            about=about_task(run.results, metadata.task),
        )
        for filter_name in filters
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
