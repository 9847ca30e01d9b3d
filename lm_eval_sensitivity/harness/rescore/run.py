"""A new run folder from an old one, whose samples are scored again."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.recorded import check_rule
from lm_eval_sensitivity.harness.rescore.results import renew_results
from lm_eval_sensitivity.harness.rescore.rows import Row, Settings, rescored_rows
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.runs.answers import refuse_answers
from lm_eval_sensitivity.runs.find import RunFiles, read_results
from lm_eval_sensitivity.runs.ladder_lookup import LadderLookup
from lm_eval_sensitivity.runs.reference import check_reference
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.runs.select_runs import choose_rungs
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.types import Note


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
        >>> from lm_eval_sensitivity.embedder import TextDistances
        >>> try:
        ...     rescore_run(Path("runs/x"), Path("."), Settings(TextDistances(lambda: None)))
        ... except ValueError as error:
        ...     print(error)
        `--output .` exists already, and no run is ever overwritten. Give a folder that does not exist.
    """
    check_rule(settings.rule)
    check_new_folder(folder, target)
    rungs, left_out = choose_rungs(folder, LadderLookup(ladder), subset)
    refuse_answers(rungs, "Rescored are outputs")
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
    by_results: dict[Path, list[RungSamples]] = defaultdict(list)
    for rung in rungs:
        by_results[rung.results].append(rung)
    done: list[tuple[RungSamples, dict[str, str]]] = []
    total = sum(rung.n_pairs for rung in rungs)
    with progress("Rescoring", total, "pair") as bar:
        for path, group in by_results.items():
            results = read_results(RunFiles(path, group[0].date, {}))
            measured: list[tuple[RungSamples, list[Row]]] = []
            for rung in group:
                rows = rescored_rows(rung, settings)
                file = target / rung.samples.relative_to(folder)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(b"".join(_as_json(row) + b"\n" for row in rows))
                measured.append((rung, rows))
                bar.update(rung.n_pairs)
            done += zip(group, renew_results(results, measured, settings, shown_path(path)), strict=True)
            (target / path.relative_to(folder)).write_bytes(_as_json(results, indent=2))
    return done


def _as_json(value: Any, indent: int | None = None) -> bytes:
    """As lm_eval writes it; escaped where a text holds half a character and has no UTF-8 form."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent).encode("ascii")
