"""Does a folder hold everything that was asked of lm_eval? It ends with status 0 where it could not save."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.codec import decode
from lm_eval_sensitivity.records.run_metadata import sensitivity_tasks, wrapped_tasks
from lm_eval_sensitivity.runs.find import RunFiles, read_results, read_samples, scan_folder
from lm_eval_sensitivity.runs.ladder_lookup import LadderLookup
from lm_eval_sensitivity.runs.select_runs import choose_rungs
from lm_eval_sensitivity.text.escape import inert, shown_path


def read_back(folder: Path, tasks: Sequence[str]) -> None:
    """Hold what lm_eval wrote against what it was asked.

    Args:
        folder: `--output_path` of one run.
        tasks: that were asked.

    Raises:
        InputError: no results, a results file that is cut, a task or its samples missing, rows missing under one
            filter, or rows that contradict the results.
    """
    runs, _ = scan_folder(folder)
    if not runs:
        raise InputError(
            f"{shown_path(folder)} holds no results. lm_eval could not save them, or was stopped."
        )
    run = runs[-1]
    results = read_results(run)
    place = shown_path(run.results)
    for task in _asked(results, tasks, place):
        _check_rows(run, results, task, place)
    if sensitivity_tasks(results, place) or wrapped_tasks(results, place):
        # Rows against results and ladder, as whoever reads the run will hold them.
        choose_rungs(folder, LadderLookup(None), None)


def _asked(results: Mapping[str, Any], tasks: Sequence[str], place: str) -> Iterator[str]:
    """The tasks behind names, patterns, groups and tags, those inside groups among them."""
    groups = decode(dict[str, list[str]], results.get("group_subtasks", {}), place, "group_subtasks")
    configs = decode(dict[str, dict[str, Any]], results.get("configs"), place, "configs")
    tags = {tag for config in configs.values() for tag in _tags(config)}
    known = {*configs, *groups, *tags}
    for asked in tasks:
        # A file of a task has the name that stands in it.
        if not Path(asked).suffix and not any(fnmatchcase(name, asked) for name in known):
            raise InputError(f"{place}: the task {asked!r} is missing from `configs`.")
    inside = {task for members in groups.values() for task in members if task not in groups}
    for task in sorted(inside - set(configs)):
        raise InputError(
            f"{place}: the task `{inert(task)}`, which a group holds, is missing from `configs`."
        )
    yield from configs


def _tags(config: Mapping[str, Any]) -> list[str]:
    tag = config.get("tag") or []
    return [tag] if isinstance(tag, str) else [each for each in tag if isinstance(each, str)]


def _check_rows(run: RunFiles, results: Mapping[str, Any], task: str, place: str) -> None:
    """As many rows under every filter as lm_eval says it has."""
    counts = decode(dict[str, dict[str, Any]], results.get("n-samples"), place, "n-samples")
    expected = counts.get(task, {}).get("effective", 0)
    if task not in run.samples:
        raise InputError(f"{place}: the samples file of `{inert(task)}` is missing.")
    found: defaultdict[str, set[Any]] = defaultdict(set)
    for row in read_samples(run.samples[task]):
        found[str(row.get("filter"))].add(row.get("doc_id"))
    if task not in results.get("results", {}) and not found:
        return  # a rung that the ladder lacks
    short = {name: len(rows) for name, rows in found.items() if len(rows) != expected}
    if short or not found:
        counted = ", ".join(f"{n_rows} under `{inert(name)}`" for name, n_rows in short.items()) or "0"
        raise InputError(f"{shown_path(run.samples[task])}: {expected} documents were run, rows: {counted}.")
