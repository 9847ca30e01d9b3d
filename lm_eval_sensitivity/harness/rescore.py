"""Score the samples of a finished run again: with another embedder, or with answers cut out by another rule.

Nothing is generated. Everything that does not depend on the embedder stays as it was recorded: token
metrics, distances of states and distributions, margins, audit. What cannot be recomputed from samples:

- hidden and JS distances, which are made from hidden states and whole distributions that no file holds;
- tokens and windows of an answer that a named scaffold cuts out in another place than the run did, because
  where tokens end in a text is known to the model's tokenizer alone; they are missing with that reason. Such
  an answer is the visible text, in which special tokens of the model may stand;
- texts of repetitions after the first: text metrics of the identical rung are those of one repetition;
- a preamble that unrelated prompts share: a rule looks for its scaffold and for nothing else;
- `baseline_drift` without the outputs of the reference run: give that run, or it is missing with a reason.
"""

from __future__ import annotations

import json
import math
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lm_eval.api.metrics import aggregate_subtask_metrics

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.close.finished_run import windows_below
from lm_eval_sensitivity.harness.close.table_rows import (
    OfPair,
    mean_drift,
    mean_of_scored,
    pairs_in_words,
    window_item,
    windows_in_words,
)
from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, given
from lm_eval_sensitivity.harness.measure.pair import (
    Scores,
    measure_pair,
    output_spreads,
    reference_texts,
    texts_to_embed,
)
from lm_eval_sensitivity.harness.measure.records import make_record
from lm_eval_sensitivity.harness.recorded import RecordedPair, check_rule, prompt_tails
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.columns import DRIFT, DRIFTS, FILTERS
from lm_eval_sensitivity.records.run_metadata import (
    ReferenceOfRun,
    RunMetadata,
    sampling_tasks,
    sensitivity_tasks,
)
from lm_eval_sensitivity.records.sample import (
    PairRecord,
    SampleRow,
    WholePairRecord,
    WholeRow,
    WholeSideRecord,
)
from lm_eval_sensitivity.runs.find import RunFiles, read_results
from lm_eval_sensitivity.runs.ladder_lookup import LadderLookup
from lm_eval_sensitivity.runs.reference import ReferenceRun, check_reference
from lm_eval_sensitivity.runs.rung_samples import RungSamples, sample_rows
from lm_eval_sensitivity.runs.select_runs import choose_rungs
from lm_eval_sensitivity.statements.drift_distance import Drift, DriftRow, texts_of
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.types import Missing, Note

NOT_RESCORED = "not rescored: drift was measured with another embedder, and the reference run was not given"
RESCORED = "not judged: rescored"
"""In place of words about a whole run, whose other tasks may not have been scored again."""
NO_BOUNDARIES = "no tokens: where they end in this answer is known to the model's tokenizer alone"

Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """With what a run is scored again."""

    distances: TextDistances
    rule: str | None = None
    """Of `recorded.RULES`; None keeps the answers of the run."""
    reference: ReferenceRun | None = None


@dataclass(frozen=True)
class RescoredRun:
    """A new run folder."""

    folder: Path
    embedder: Mapping[str, Any]
    rungs: tuple[tuple[RungSamples, Mapping[str, str]], ...]
    """What was read, and its pairs in words by filter."""
    left_out: tuple[Note, ...]
    """What stands in the old folder and was not scored again."""


def rescore_run(
    folder: Path,
    target: Path,
    settings: Settings,
    *,
    ladder: str | None = None,
    subset: str | None = None,
) -> RescoredRun:
    """Write a new run folder with the samples of another one, scored again.

    Of several runs in the folder the newest complete one of each system and rung is taken. Its files keep
    their names; the results file says in `metadata.sensitivity.rescored_from` what they were made from.

    Args:
        folder: an `--output_path` of lm_eval with logged samples; it is only read.
        target: the new folder, which must not exist.
        settings: embedder, rule for answers, reference.
        ladder: the ladder that was run, if it is not the packaged one.
        subset: take only tasks of this subset.

    Returns:
        The new folder, what stands in it, and what was left out.

    Raises:
        InputError: the target exists or cannot be written, there is nothing to rescore, a file breaks a
            rule, or the reference cannot be compared.

    Example:
        >>> try:
        ...     rescore_run(Path("runs/x"), Path("."), Settings(TextDistances(lambda: None)))
        ... except ValueError as error:
        ...     print(error)
        `--output .` exists already, and no run is ever overwritten. Give a folder that does not exist.
    """
    check_rule(settings.rule)
    check_new_folder(folder, target)
    rungs, left_out = choose_rungs(folder, LadderLookup(ladder), subset)
    for rung in rungs:
        _check_reference(rung, settings)
    embedder = settings.distances.identity()  # loads it, before anything is written
    try:
        target.mkdir(parents=True)
        try:
            done = _write_run(folder, target, rungs, settings)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)  # half a run would be taken for a whole one
            raise
    except OSError as error:
        raise InputError(f"`--output {shown_path(target)}` cannot be written ({error.strerror}).") from None
    except RecursionError:
        raise InputError(f"{shown_path(folder)}: a value is nested too deeply to be written again.") from None
    return RescoredRun(target, embedder, tuple(done), tuple(left_out))


def check_new_folder(folder: Path, target: Path) -> None:
    """Refuse a target that exists, or that lies inside the run.

    Raises:
        InputError: which of the two.
    """
    if target.exists() or target.is_symlink():
        raise InputError(
            f"`--output {shown_path(target)}` exists already, and no run is ever overwritten. Give a folder that "
            "does not exist."
        )
    if folder.resolve() in target.resolve().parents:
        raise InputError(
            f"`--output {shown_path(target)}` lies inside the run {shown_path(folder)}, where both would be taken for "
            "one. Give a folder beside it."
        )


def _check_reference(rung: RungSamples, settings: Settings) -> None:
    if settings.reference is None:
        return
    metadata = rung.metadata
    rule = settings.rule or metadata.answer_rule
    theirs = settings.reference.metadata.answer_rule
    if theirs != rule:
        raise InputError(
            f"`--reference`: its answers were cut out by the rule {theirs[:40]!r}, those of this run by {rule[:40]!r}. "
            "Rescore the reference first, with the same `--scaffold`."
        )
    check_reference(
        settings.reference,
        ladder_version=metadata.ladder.version,
        ladder_hash=metadata.ladder.hash,
        decoding=metadata.decoding_requested,
        answer_rule=rule,
    )


def _write_run(
    folder: Path, target: Path, rungs: Sequence[RungSamples], settings: Settings
) -> list[tuple[RungSamples, dict[str, str]]]:
    """Samples first: a folder without its results file is not taken for a run."""
    from tqdm import tqdm

    by_results: dict[Path, list[RungSamples]] = defaultdict(list)
    for rung in rungs:
        by_results[rung.results].append(rung)
    done: list[tuple[RungSamples, dict[str, str]]] = []
    total = sum(rung.n_pairs for rung in rungs)
    with tqdm(total=total, desc="Rescoring", unit="pair", delay=2, disable=None) as progress:
        for path, group in by_results.items():
            results = read_results(RunFiles(path, group[0].date, {}))
            old = {task: dict(each) for task, each in results["results"].items() if isinstance(each, dict)}
            measured: dict[str, list[Row]] = {}
            for rung in group:
                rows = measured[rung.metadata.task] = rescored_rows(rung, settings)
                file = target / rung.samples.relative_to(folder)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(b"".join(_as_json(row) + b"\n" for row in rows))
                done.append((rung, _renew_task(results, rung, rows, settings)))
                progress.update(rung.n_pairs)
            _renew_drift(results, measured)
            taken = {*measured}
            _drop_tasks(results, taken, shown_path(path))
            _renew_groups(results, taken, old)
            (target / path.relative_to(folder)).write_bytes(_as_json(results, indent=2))
    return done


def _as_json(value: Any, indent: int | None = None) -> bytes:
    """As lm_eval writes it; escaped where a text holds half a character and has no UTF-8 form."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent).encode("ascii")


# ---- samples


def rescored_rows(rung: RungSamples, settings: Settings) -> list[Row]:
    """The lines of a samples file with new scores, in their order.

    Args:
        rung: read and checked.
        settings: embedder, rule for answers, reference.

    Returns:
        [line] as lm_eval would have written it.

    Raises:
        InputError: a field that the pairs table does not need breaks a rule.
    """
    rows = list(sample_rows(rung.samples))
    answers = {row.doc_id: row for row, _, _ in rows if row.filter == "answer"}
    pairs = {
        row.doc_id: RecordedPair(row, answers[row.doc_id], prompt_tails(line), place).generations(
            rung.metadata.decoding, settings.rule
        )
        for row, line, place in rows
        if isinstance(row, WholeRow)
    }
    shown = (FilteredText(side, name) for pair in pairs.values() for name in FILTERS for side in pair)
    theirs = settings.reference
    reference = [] if theirs is None else reference_texts((row.doc for row, _, _ in rows), theirs)
    settings.distances.prepare([*texts_to_embed(shown), *reference])
    prompts = {row.doc_id: row.doc["prompt_id"] for row, _, _ in rows}
    spreads = {
        name: output_spreads(
            {prompts[doc_id]: FilteredText(base, name) for doc_id, (base, _) in pairs.items()},
            settings.distances,
        )
        for name in FILTERS
    }
    return [
        _rescored_row(line, row, pairs[row.doc_id], settings, spreads[row.filter][prompts[row.doc_id]])
        for row, line, _ in rows
    ]


def _rescored_row(
    line: Row,
    row: SampleRow,
    pair: tuple[Generation, Generation],
    settings: Settings,
    spread: float | Missing,
) -> Row:
    base, variant = (FilteredText(generation, row.filter) for generation in pair)
    record, new_line = row.pair, dict(line)
    if settings.rule is not None and row.filter == "answer":
        scores = measure_pair(row.doc, base, variant, settings.distances, settings.reference, spread)
        if all(generation.trace is not None for generation in pair):
            for metric, reason in scores.missing.items():
                unknown = reason == str(given(None, "token ids"))
                scores.missing[metric] = NO_BOUNDARIES if unknown else reason
        record = replace(
            make_record(base, variant, None, {}, system=record.system, ladder=record.ladder),
            scores=record.scores,
            missing=record.missing,
        )
        new_line["filtered_resps"] = [str(base), str(variant)]
    else:
        scores = measure_pair(
            row.doc, base, variant, settings.distances, settings.reference, spread, ("text",)
        )
        if settings.rule is not None and isinstance(record, WholePairRecord):
            record = replace(
                record, base=_with_span(record.base, pair[0]), variant=_with_span(record.variant, pair[1])
            )
    if settings.rule is not None and "window" in line:
        new_line["window"] = window_item(base, variant, scores.missing)
    for name in DRIFTS if settings.reference is None else ():
        if name in (record.scores or {}):
            scores.values[name], scores.missing[name] = math.nan, NOT_RESCORED
    record = replace(_with_scores(record, scores), repetitions=())
    # What a later version may have written beside it stays.
    new_line["pair"] = {**line["pair"], **encode(record)}
    new_line["pair"].pop("repetitions", None)
    _enter_numbers(new_line, scores)
    return new_line


def _with_span(side: WholeSideRecord, generation: Generation) -> WholeSideRecord:
    """One side with its new answer span, and the flag that follows from it."""
    if generation.answer is None:
        return side
    span = generation.answer.span
    return replace(side, answer=span, collapse=replace(side.collapse, unclosed=span.status == "unclosed"))


def _with_scores(record: PairRecord, scores: Scores) -> PairRecord:
    """New numbers and reasons in the places of the old ones; reasons in the order of the numbers."""
    numbers = {**(record.scores or {}), **scores.values}
    kept = {name: reason for name, reason in record.missing.items() if name not in scores.values}
    reasons = {**kept, **scores.missing}
    first = {name: reasons[name] for name in numbers if name in reasons}
    return replace(record, scores=numbers, missing={**first, **reasons})


def _enter_numbers(line: Row, scores: Scores) -> None:
    """The numbers at the top level, which lm_eval averaged."""
    for name, value in scores.values.items():
        if name in line:
            line[name] = value
        elif _is_in_every_table(name):
            _put(line, name, value, before="pair")
            line["metrics"] = [*(each for each in line["metrics"] if each != "pair"), name, "pair"]


def _is_in_every_table(name: str) -> bool:
    """Whether lm_eval's table has it today: an older run may lack it, and windows above its token limit stay out."""
    card = METRICS[name]
    return card.in_table and card.family == "text" and card.window is None


def _put(table: dict[str, Any], name: str, value: Any, *, before: str) -> None:
    """Set a value; a new name stands before another one."""
    after = list(table)[list(table).index(before) :] if name not in table and before in table else []
    rest = {key: table.pop(key) for key in after}
    table.update({name: value, **rest})


# ---- results


def _renew_task(
    results: dict[str, Any], rung: RungSamples, rows: Sequence[Row], settings: Settings
) -> dict[str, str]:
    """The new means of one task and what they were made from; its pairs in words, by filter."""
    task, words = rung.metadata.task, {}
    table = results["results"][task]
    for filter_name in FILTERS:
        chosen, pair = [row for row in rows if row["filter"] == filter_name], f"pair,{filter_name}"
        for name in (each for each in _numbers_of(chosen[0]) if _is_rescored(each, filter_name)):
            error = f"{name}_stderr,{filter_name}"
            items = [OfPair(row[name], row["doc"]["prompt_id"], filter_name) for row in chosen]
            _put(table, f"{name},{filter_name}", mean_of_scored(items), before=pair)
            _put(table, error, table.get(error, "N/A"), before=pair)
        # The words of a whole run go: the commands that read runs judge the new numbers.
        table |= {key: RESCORED for name in ("noise", "verdict") if (key := f"{name},{filter_name}") in table}
        if f"window,{filter_name}" in table and settings.rule is not None:
            windows = windows_below(rung.metadata.decoding_requested["max_gen_toks"])
            table[f"window,{filter_name}"] = windows_in_words([row.get("window") for row in chosen], windows)
        words[filter_name] = table[pair] = pairs_in_words([row["pair"] for row in chosen])
    directions = results.get("higher_is_better")
    if isinstance(directions, dict) and task in directions:
        for name in filter(_is_in_every_table, _numbers_of(rows[0])):
            _put(directions[task], name, None, before="pair")
    metadata = results["configs"][task]["metadata"]
    metadata["sensitivity"] = _summary(metadata["sensitivity"], rung.metadata, settings)
    return words


def _renew_drift(results: dict[str, Any], measured: Mapping[str, Sequence[Row]]) -> None:
    """The drift of the whole run, which stands in the row of every task."""
    for filter_name in FILTERS:
        chosen = [row for rows in measured.values() for row in rows if row["filter"] == filter_name]
        drift = mean_drift(Drift("", texts_of(map(_drifts_of, chosen)), ""))
        for task in measured:
            if (key := f"{DRIFT},{filter_name}") in results["results"][task]:
                results["results"][task][key] = drift


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
        **old,
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
            numbers[key] = _group_mean(
                value,
                [old[task][key] for task in found],
                [results["results"].get(task, {}).get(key) for task in found],
                [old[task].get("sample_len") for task in found],
                ours=group.startswith("prompt_sensitivity"),
            )
            if isinstance(results["results"].get(group), dict):
                results["results"][group][key] = numbers[key]


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
