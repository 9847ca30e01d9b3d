"""Wrapped tasks of finished runs: the answers of every document, under every filter of the task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, TaskAnswers, Wrapped, decode_answers
from lm_eval_sensitivity.records.codec import contradiction, decode, encode
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.records.run_metadata import RunMetadata, read_wrapped, wrapped_tasks
from lm_eval_sensitivity.runs.answer_groups import groups_of
from lm_eval_sensitivity.runs.answers_table import answers_table
from lm_eval_sensitivity.runs.find import RunFiles, read_results, read_samples, scan_folder
from lm_eval_sensitivity.runs.names import display_names
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.runs.system import System
from lm_eval_sensitivity.text.escape import inert, shown_path
from lm_eval_sensitivity.types import Note, Rung


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
    edits: dict[Rung, list[str]] = {"identical": [AGAIN]}
    for edit in metadata.wrapped.edits:
        edits.setdefault(edit.rung, []).append(edit.name)
    found = []
    for rung, names in edits.items():
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
    found: dict[tuple[str, str], tuple[RunMetadata, Path]] = {}
    groups: dict[str, dict[str, list[str]]] = {}
    for folder in folders:
        runs, _ = scan_folder(folder)
        for run in runs:
            for metadata, samples, of_run in _tasks(run):
                key = metadata.system, metadata.task
                if metadata.limited_by and key in found and not found[key][0].limited_by:
                    continue
                found.pop(key, None)
                found[key] = metadata, samples
                groups.setdefault(metadata.system, {}).update(of_run)
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
            for metadata, samples in found.values()
            if metadata.system == system
            for each in _answers(metadata, samples, name, wanted)
        ]
        read += [*groups_of(own, groups[system]), *own]
    return read


def answers_of(systems: Sequence[System]) -> list[TaskAnswers]:
    """The same of systems that were loaded; none of those that ran the ladder."""
    return [
        each
        for system in systems
        for rung in system.rungs[:1]
        if rung.metadata.wrapped is not None
        for each in _answers(rung.metadata, rung.samples, system.name, rung.metadata.answer_rule)
    ]


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


def _tasks(run: RunFiles) -> Iterator[tuple[RunMetadata, Path, dict[str, list[str]]]]:
    """Its wrapped tasks with samples, beside the groups of the run."""
    results, place = read_results(run), shown_path(run.results)
    groups = decode(dict[str, list[str]], results.get("group_subtasks", {}), place, "group_subtasks")
    for name in wrapped_tasks(results, place):
        if name in run.samples:
            yield read_wrapped(results, name, place), run.samples[name], groups


def _answers(metadata: RunMetadata, samples: Path, name: str, wanted: str | None) -> list[TaskAnswers]:
    assert metadata.wrapped is not None
    by_filter, wrapped = read_answer_rows(metadata, samples), metadata.wrapped
    rows = [(wrapped.metric, each) for each in by_filter]
    if wanted is not None:
        rows = [_chosen(_table_rows(wrapped, list(by_filter)), wanted, metadata.task)[1]]
    return [
        TaskAnswers(
            system=name,
            task=metadata.task,
            wrapped=wrapped,
            filter_name=filter_name,
            metric=metric,
            rows=tuple(row.under(metric) for row in by_filter[filter_name]),
            n_there=metadata.n_original,
        )
        for metric, filter_name in rows
    ]


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
