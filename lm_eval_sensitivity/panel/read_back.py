"""Does a folder hold everything that was asked of lm_eval? It ends with status 0 where it could not save."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.codec import decode
from lm_eval_sensitivity.records.run_metadata import sensitivity_tasks, wrapped_tasks
from lm_eval_sensitivity.runs.find import RunFiles, read_results, read_samples, scan_folder
from lm_eval_sensitivity.runs.ladder_lookup import LadderLookup
from lm_eval_sensitivity.runs.select_runs import choose_rungs
from lm_eval_sensitivity.text.escape import inert, shown, shown_path


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


def _asked(results: Mapping[str, Any], tasks: Sequence[str], place: str) -> Iterable[str]:
    """The tasks of a results file, once all that were asked are among them."""
    groups = decode(dict[str, list[str]], results.get("group_subtasks", {}), place, "group_subtasks")
    configs = decode(dict[str, dict[str, Any]], results.get("configs"), place, "configs")
    named = {asked: [name for name in {*configs, *groups} if fnmatchcase(name, asked)] for asked in tasks}
    expected = {leaf for names in named.values() for name in names for leaf in _leaves(name, groups)}
    missing = sorted(expected - set(configs))
    # The name of a tag, or of a file, stands nowhere in it: the tasks behind it are those that no other name explains.
    missing += [asked for asked, names in named.items() if not names and expected >= set(configs)]
    if missing:
        raise InputError(f"{place}: the task {shown(missing[0])} is missing from `configs`.")
    return configs


def _leaves(name: str, groups: Mapping[str, Sequence[str]], above: tuple[str, ...] = ()) -> Iterator[str]:
    """The tasks of a group, those of groups inside it among them; a task is its own."""
    if name not in groups:
        yield name
    elif name not in above:
        for inside in groups[name]:
            yield from _leaves(inside, groups, (*above, name))


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
