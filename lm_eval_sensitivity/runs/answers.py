"""Wrapped tasks of finished runs: the answers of every document, under every filter of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, Wrapped, decode_answers
from lm_eval_sensitivity.records.codec import contradiction
from lm_eval_sensitivity.records.run_metadata import RunMetadata, read_wrapped, wrapped_tasks
from lm_eval_sensitivity.runs.find import RunFiles, read_results, read_samples, scan_folder
from lm_eval_sensitivity.runs.names import display_names
from lm_eval_sensitivity.text.escape import inert, shown_path


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

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Metric -> edit -> value, without what is no number."""
        found = self.wrapped.scores.get(self.filter_name, {})
        whole = {
            metric: {edit: value for edit, value in values.items() if value is not None}
            for metric, values in found.items()
        }
        return {metric: values for metric, values in whole.items() if AGAIN in values}


def load_answers(folders: Sequence[Path]) -> list[TaskAnswers]:
    """The wrapped tasks in some run folders, the newest of each system and task.

    Args:
        folders: each an `--output_path`.

    Returns:
        By folder, task and filter.

    Raises:
        InputError: there are none, or a file breaks a rule.
    """
    found: dict[tuple[str, str], tuple[RunMetadata, Path]] = {}
    for folder in folders:
        runs, _ = scan_folder(folder)
        for run in runs:
            for metadata, samples in _tasks(run):
                found.pop((metadata.system, metadata.task), None)
                found[metadata.system, metadata.task] = metadata, samples
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
        for metadata, samples in found.values()
        for each in _answers(metadata, samples, names_of[metadata.system])
    ]


def _tasks(run: RunFiles) -> list[tuple[RunMetadata, Path]]:
    results, place = read_results(run), shown_path(run.results)
    names = [name for name in wrapped_tasks(results, place) if name in run.samples]
    return [(read_wrapped(results, name, place), run.samples[name]) for name in names]


def _answers(metadata: RunMetadata, samples: Path, name: str) -> list[TaskAnswers]:
    assert metadata.wrapped is not None
    return [
        TaskAnswers(name, metadata.system, metadata.task, filter_name, metadata.wrapped, tuple(rows))
        for filter_name, rows in read_answer_rows(metadata, samples).items()
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
