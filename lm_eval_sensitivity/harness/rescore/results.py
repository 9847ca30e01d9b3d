"""The results file of a run whose samples were scored again: means, words, groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.metrics import aggregate_subtask_metrics, unweighted_mean_stderr

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.harness.close.table_errors import STDERR, RungError, error_of_scored
from lm_eval_sensitivity.harness.close.table_rows import (
    OfPair,
    mean_drift,
    mean_of_scored,
    pairs_in_words,
    windows_in_words,
)
from lm_eval_sensitivity.harness.rescore.rows import NOT_RESCORED, Row, Settings, is_in_every_table, put
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.columns import DRIFT, DRIFTS, FILTERS
from lm_eval_sensitivity.records.run_metadata import (
    ReferenceOfRun,
    RunMetadata,
    sampling_tasks,
    sensitivity_tasks,
)
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.statements.drift_distance import Drift, DriftRow, texts_of

RESCORED = "not judged: rescored"
"""In place of words about a whole run, whose other tasks may not have been scored again."""


def renew_results(
    results: dict[str, Any],
    measured: Sequence[tuple[RungSamples, Sequence[Row]]],
    settings: Settings,
    place: str,
) -> list[dict[str, str]]:
    """Bring a results file to the new scores of its tasks.

    Args:
        results: changed in place.
        measured: every rung that was scored again, with its new lines.
        settings: with what.
        place: of the file, for messages.

    Returns:
        [rung] its pairs in words, by filter.
    """
    old = {task: dict(each) for task, each in results["results"].items() if isinstance(each, dict)}
    words = [_renew_task(results, rung, rows, settings) for rung, rows in measured]
    by_task = {rung.metadata.task: rows for rung, rows in measured}
    _renew_drift(results, by_task)
    _drop_tasks(results, {*by_task}, place)
    _renew_groups(results, {*by_task}, old)
    return words


def _renew_task(
    results: dict[str, Any], rung: RungSamples, rows: Sequence[Row], settings: Settings
) -> dict[str, str]:
    """The new means of one task and what they were made from; its pairs in words, by filter."""
    task, words = rung.metadata.task, {}
    metadata = results["configs"][task]["metadata"]
    table = results["results"][task]
    # What lm_eval's table left out stands in the summary of the task.
    others = metadata["sensitivity"].get("rows")
    for filter_name in FILTERS:
        chosen, pair = [row for row in rows if row["filter"] == filter_name], f"pair,{filter_name}"
        for name in (each for each in _numbers_of(chosen[0]) if _is_rescored(each, filter_name)):
            items = [OfPair(row[name], row["doc"]["prompt_id"], filter_name) for row in chosen]
            key = f"{name},{filter_name}"
            home = table if others is None or key in table else others
            if key not in home and METRICS[name].window is not None:
                continue  # no output of the run fills it
            put(home, f"{name},{filter_name}", mean_of_scored(items), before=pair)
            put(home, f"{name}{STDERR},{filter_name}", error_of_scored(items), before=pair)
        left = table if others is None else others
        # The words of a whole run go: the commands that read runs judge the new numbers.
        left |= {key: RESCORED for name in ("noise", "verdict") if (key := f"{name},{filter_name}") in left}
        if f"window,{filter_name}" in left and settings.rule is not None:
            left[f"window,{filter_name}"] = windows_in_words([row.get("window") for row in chosen])
        words[filter_name] = left[pair] = pairs_in_words([row["pair"] for row in chosen])
    directions = results.get("higher_is_better")
    if isinstance(directions, dict) and task in directions:
        for name in filter(is_in_every_table, _numbers_of(rows[0])):
            put(directions[task], name, None, before="pair")
    metadata["sensitivity"] = _summary(metadata["sensitivity"], rung.metadata, settings)
    return words


def _renew_drift(results: dict[str, Any], measured: Mapping[str, Sequence[Row]]) -> None:
    """The drift of the whole run, which stands in the row of every task."""
    for filter_name in FILTERS:
        chosen = [row for rows in measured.values() for row in rows if row["filter"] == filter_name]
        drift = mean_drift(Drift("", texts_of(map(_drifts_of, chosen)), ""))
        for task in measured:
            others = results["configs"][task]["metadata"]["sensitivity"].get("rows") or {}
            for rows in (results["results"][task], others):
                if (key := f"{DRIFT},{filter_name}") in rows:
                    rows[key] = drift


def _drifts_of(row: Row) -> DriftRow:
    doc, pair = row["doc"], row["pair"]
    numbers = [(pair["scores"].get(name), pair["missing"].get(name, NOT_RESCORED)) for name in DRIFTS]
    base, variant = ((None if each != each else each, reason) for each, reason in numbers)
    return doc["prompt_id"], doc["edit"], doc["rung"], *base, *variant


def _numbers_of(row: Row) -> list[str]:
    return [name for name in row["pair"]["scores"] if name in row]


def _is_rescored(name: str, filter_name: str) -> bool:
    """Whether a mean may have changed; the others keep what lm_eval wrote."""
    return METRICS[name].family == "text" or (METRICS[name].family == "tokens" and filter_name == "answer")


def _summary(old: Mapping[str, Any], metadata: RunMetadata, settings: Settings) -> dict[str, Any]:
    theirs = settings.reference
    new = {
        **{name: value for name, value in old.items() if name != "summary"},
        "embedder": settings.distances.identity(),
        "reference": encode(theirs and ReferenceOfRun(theirs.folder.resolve().name, theirs.system)),
        "rescored_by": __version__,
        "rescored_from": {
            "system": metadata.system,
            "package_version": metadata.package_version,
            "embedder": dict(metadata.embedder),
            "answer_rule": metadata.answer_rule,
            "reference": metadata.reference_system,
            **{name: old[name] for name in ("rescored_from",) if name in old},
        },
    }
    return new if settings.rule is None else {**new, "answer_rule": settings.rule}


def _drop_tasks(results: dict[str, Any], taken: set[str], place: str) -> None:
    """Our tasks that were not scored again go."""
    lost = {*sensitivity_tasks(results, place), *sampling_tasks(results, place)} - taken
    for name in _BY_TASK:
        if isinstance(part := results.get(name), dict):
            for task in lost:
                part.pop(task, None)


_BY_TASK = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes")


def _renew_groups(results: dict[str, Any], taken: set[str], old: Mapping[str, Mapping[str, Any]]) -> None:
    """The means of groups.

    Args:
        results: changed in place.
        taken: tasks that were scored again.
        old: task -> its numbers before.
    """
    groups, subtasks = results.get("groups"), results.get("group_subtasks")
    if not isinstance(groups, dict) or not isinstance(subtasks, dict):
        return
    for group, numbers in groups.items():
        leaves = _leaves(group, subtasks)
        if not isinstance(numbers, dict) or taken.isdisjoint(leaves):
            continue
        for key, value in numbers.items():
            found = [task for task in leaves if key in old.get(task, {})]
            if not found or not isinstance(value, float):
                continue
            new = [results["results"].get(task, {}).get(key) for task in found]
            numbers[key] = (
                _group_error(new)
                if f"{STDERR}," in key
                else _group_mean(
                    value,
                    [old[task][key] for task in found],
                    new,
                    [old[task].get("sample_len") for task in found],
                    ours=group.startswith("prompt_sensitivity"),
                )
            )
            if isinstance(results["results"].get(group), dict):
                results["results"][group][key] = numbers[key]


def _group_error(errors: list[Any]) -> float | str:
    """Standard error of the mean over rungs; `N/A`, as lm_eval has it, where a task is lost."""
    known = all(isinstance(error, RungError) for error in errors)
    return float(unweighted_mean_stderr(errors)) if known else "N/A"


def _group_mean(stated: float, old: list[Any], new: list[Any], sizes: list[Any], *, ours: bool) -> float:
    """A mean of means, weighted as the old one was; NaN where that cannot be seen or a task is lost.

    Args:
        stated: the old mean of the group.
        old: [task] means before.
        new: [task] means now; None where a task is lost.
        sizes: [task] numbers of documents.
        ours: the group is one of this package: a mean over prompts, some of which may lack a rung.
    """
    if not all(isinstance(value, float) for value in (*old, *new)):
        return math.nan
    if new == old:
        return stated
    for weighted in (False, True):
        if weighted and not all(type(size) is int and size > 0 for size in sizes):
            break
        before = aggregate_subtask_metrics(old, sizes, weighted)
        if before == stated or (math.isnan(before) and math.isnan(stated)):
            return float(aggregate_subtask_metrics(new, sizes, weighted))
    return float(aggregate_subtask_metrics(new, sizes, False)) if ours else math.nan


def _leaves(group: str, subtasks: Mapping[str, Any]) -> list[str]:
    """The tasks of a group and of its groups, in order; a stranger's groups may hold each other."""
    leaves: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [group]
    while waiting:
        name = waiting.pop()
        below = subtasks.get(name)
        if not isinstance(below, list) or not below:
            leaves.setdefault(name)
        elif name not in seen:
            seen.add(name)
            waiting += [each for each in reversed(below) if isinstance(each, str)]
    return list(leaves)
