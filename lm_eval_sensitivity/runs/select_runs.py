"""Which runs are taken: per system and rung the newest complete one; everything else is named with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.records.run_metadata import (
    RunMetadata,
    read_metadata,
    read_wrapped,
    sampling_tasks,
    sensitivity_tasks,
    summary_name,
    wrapped_tasks,
)
from lm_eval_sensitivity.runs.answers import about_task, answer_rungs
from lm_eval_sensitivity.runs.find import RunFiles, empty_folders, read_results, scan_folder
from lm_eval_sensitivity.runs.ladder_lookup import LadderLookup
from lm_eval_sensitivity.runs.rung_samples import RungSamples, read_rung
from lm_eval_sensitivity.text.escape import inert, one_line, shown, shown_path
from lm_eval_sensitivity.types import Note

_SAMPLED = (
    "tasks whose pairs are sets of sampled outputs, which have no single distance to compare with that of two greedy "
    "outputs; their numbers stand in this file and in their samples"
)


def omitted(what: str, reason: str) -> Note:
    """What stands in a folder and is not in the table.

    Args:
        what: file, task or system.
        reason: why, with or without its period.

    Returns:
        A sentence about it.

    Example:
        >>> omitted("runs/x", "given twice")
        Note(kind='left_out', text='given twice.', about=('runs/x',))
    """
    return Note("left_out", f"{reason.rstrip('.')}.", (what,))


@dataclass(frozen=True)
class _Candidate:
    """One task of one run, not read yet."""

    run: RunFiles
    results: Mapping[str, Any]
    metadata: RunMetadata
    known: LadderLookup
    rung: RungSamples | None = None
    """Of a wrapped task, whose file holds several and is read at once."""

    @property
    def samples(self) -> Path:
        return self.run.samples[self.metadata.task]

    def read(self) -> RungSamples:
        """Read the samples, with a progress bar for long ones."""
        if self.rung is not None:
            return self.rung
        ladder = self.known.find(self.metadata.ladder, shown_path(self.run.results))
        total = self.samples.stat().st_size
        with progress("Reading samples", total, "B", unit_scale=True) as bar:
            paths = (self.run.results, self.samples)
            return read_rung(self.results, self.metadata, paths, self.run.date, ladder, advance=bar.update)


def choose_rungs(
    folder: Path, known: LadderLookup, subset: str | None, row: str | None = None
) -> tuple[list[RungSamples], list[Note]]:
    """The rungs that a folder gives, one run of each per system, and what is left out.

    Args:
        folder: an `--output_path`.
        known: ladders to compare rows with.
        subset: take only tasks of this subset.
        row: of a wrapped task's own table, whose answers are read; see `answer_rungs`.

    Returns:
        [rung] newest complete runs, and a note for everything else that stands there.

    Raises:
        InputError: the folder gives no rung; the reason of the first thing left out, or of the newest
            broken file.
    """
    runs, orphans = scan_folder(folder)
    left_out = [
        omitted(shown_path(path), "the results file of its run is missing, so its system is not known")
        for path in orphans
    ]
    left_out += [
        omitted(shown_path(path), "the folder is empty: its run is not finished, or was stopped")
        for path in empty_folders(folder)
    ]
    problems: list[InputError] = []
    groups: dict[tuple[str, str], list[_Candidate]] = {}
    of_ladder = _hold_the_ladder(runs)
    for run in reversed(runs):
        try:
            candidates, others = _candidates(run, known, subset, row, of_ladder=of_ladder)
        except InputError as error:
            problems.append(error)
            left_out.append(omitted(shown_path(run.results), one_line(error)))
            continue
        left_out += others
        for each in candidates:
            groups.setdefault((each.metadata.system, each.metadata.rung), []).append(each)
    rungs = []
    for group in groups.values():
        rung, others = _newest_complete(group)
        rungs.append(rung)
        left_out += others
    if not rungs:
        raise problems[0] if problems else _nothing(folder, left_out)
    return rungs, left_out


def _hold_the_ladder(runs: Sequence[RunFiles]) -> bool:
    """Whether any of the runs is of the ladder; wrapped tasks stand beside it, then, in whichever run."""
    for run in runs:
        with suppress(InputError):  # which is told when the run is read
            if sensitivity_tasks(read_results(run), shown_path(run.results)):
                return True
    return False


def _candidates(
    run: RunFiles, known: LadderLookup, subset: str | None, row: str | None, *, of_ladder: bool
) -> tuple[list[_Candidate], list[Note]]:
    """The tasks of one run that may be taken; `of_ladder`: its folder has tasks of the ladder."""
    name = shown_path(run.results)
    results = read_results(run)
    ours, sampled = sensitivity_tasks(results, name), sampling_tasks(results, name)
    wrapped = wrapped_tasks(results, name)
    left_out = []
    if sampled:
        tasks = ", ".join(shown(task) for task in sampled)
        left_out.append(omitted(name, f"{_SAMPLED}: {tasks}"))
    elif not ours and not wrapped:
        tasks = ", ".join(shown(task) for task in list(results["configs"])[:5])
        left_out.append(omitted(name, f"`configs` holds no prompt_sensitivity task: {tasks or 'none'}"))
    found = []
    for task in ours:
        if task not in run.samples:
            reason = f"the samples of task {shown(task)} are missing: the run was made without --log_samples, or killed"
            left_out.append(omitted(name, reason))
            continue
        metadata = read_metadata(results, task, name)
        if subset is not None and metadata.ladder.subset != subset:
            reason = f"its `ladder.subset` is {shown(metadata.ladder.subset)}, and {subset!r} was asked for"
            left_out.append(omitted(shown_path(run.samples[task]), reason))
            continue
        found.append(_Candidate(run, results, metadata, known))
    own, others = _wrapped_tasks(run, results, subset, beside_others=of_ladder)
    left_out += others
    for metadata in own:
        rungs = answer_rungs(metadata, (run.results, run.samples[metadata.task]), run.date, row)
        found += [_Candidate(run, results, rung.metadata, known, rung) for rung in rungs]
    _check_one_task_per_rung(found)
    foreign = [
        omitted(shown_path(path), f"its task {shown(task)} is no prompt_sensitivity task of {name}")
        for task, path in run.samples.items()
        # The file of a task whose rung the ladder lacks is empty.
        if task not in (*ours, *sampled, *wrapped) and path.stat().st_size
    ]
    return found, [*left_out, *foreign]


def _wrapped_tasks(
    run: RunFiles, results: Mapping[str, Any], subset: str | None, *, beside_others: bool
) -> tuple[list[RunMetadata], list[Note]]:
    """Wrapped tasks with samples; beside tasks of the ladder only the one that was asked for."""
    name = shown_path(run.results)
    found, left_out = [], []
    for task in wrapped_tasks(results, name):
        metadata = read_wrapped(results, task, name)
        own = metadata.ladder.subset
        if own != subset and (beside_others or subset is not None):
            reason = f"its answers are read by `flips`, and here with `--subset {inert(own)}`"
            left_out.append(omitted(about_task(run.results, task), reason))
        elif task not in run.samples:
            left_out.append(
                omitted(name, f"the samples of task {shown(task)} are missing: add --log_samples")
            )
        else:
            found.append(metadata)
    return found, left_out


def _check_one_task_per_rung(candidates: Sequence[_Candidate]) -> None:
    first: dict[tuple[str, str], RunMetadata] = {}
    for each in candidates:
        metadata = each.metadata
        known = first.setdefault((metadata.system, metadata.rung), metadata)
        if known is not metadata:
            place = shown_path(each.run.results)
            raise InputError(
                f"{place}: `configs` holds two tasks of the rung {metadata.rung!r}, {shown(known.task)} "
                f"(`ladder.subset` {shown(known.ladder.subset)}) and {shown(metadata.task)} (`ladder.subset` "
                f"{shown(metadata.ladder.subset)}). One table holds one ladder: choose with `--subset`."
            )


def _newest_complete(group: Sequence[_Candidate]) -> tuple[RungSamples, list[Note]]:
    """The newest complete run of a rung, else the newest partial one.

    Args:
        group: runs of one rung of one system, newest first.

    Raises:
        InputError: none can be read; the sentence is about the newest.
    """
    partial: list[RungSamples] = []
    problems: list[tuple[_Candidate, InputError]] = []
    for index, candidate in enumerate(group):
        try:
            rung = _read(candidate)
        except InputError as error:
            problems.append((candidate, error))
            continue
        if rung.complete:
            older = [
                (each.samples, "another run of the same system and rung, which is not newer")
                for each in group[index + 1 :]
            ]
            others = [(each.samples, f"a partial run ({each.extent})") for each in partial]
            return rung, _left_out(problems, [*others, *older], rung)
        partial.append(rung)
    if not partial:
        raise problems[0][1]
    rest = [(each.samples, "an older partial run of the same system and rung") for each in partial[1:]]
    return partial[0], _left_out(problems, rest, partial[0])


def _read(candidate: _Candidate) -> RungSamples:
    try:
        return candidate.read()
    except RecursionError:
        raise InputError(f"{shown_path(candidate.samples)}: a `pair` is nested too deeply.") from None
    except OSError as error:
        raise InputError(f"{shown_path(candidate.samples)} cannot be read ({error.strerror}).") from None


def _left_out(
    problems: Sequence[tuple[_Candidate, InputError]], others: Sequence[tuple[Path, str]], taken: RungSamples
) -> list[Note]:
    broken = [omitted(shown_path(candidate.samples), one_line(error)) for candidate, error in problems]
    return broken + [
        omitted(shown_path(path), f"{reason}; {shown_path(taken.samples)} was taken")
        for path, reason in others
    ]


def _nothing(folder: Path, left_out: Sequence[Note]) -> InputError:
    name = shown_path(folder)
    if not left_out and (folder / "manifest.json").is_file():
        return InputError(
            f"`{name}` holds exported results and no run. `lm-eval-sensitivity space {name}` shows them; other "
            "commands take the folder that was `--output_path`."
        )
    if not left_out:
        return InputError(
            f"Run folder `{name}` holds no results file of lm_eval (`results_<date>.json`). Give the folder that was "
            "`--output_path`."
        )
    first = left_out[0]
    more = f" ({len(left_out) - 1} more were left out.)" if len(left_out) > 1 else ""
    return InputError(
        f"Run folder `{name}` holds nothing to load. {first.about[0]}: {first.text}{more} Run lm_eval with "
        "`--tasks prompt_sensitivity --output_path ... --log_samples`."
    )


def merge_folders(rungs: Sequence[RungSamples]) -> tuple[list[RungSamples], list[Note]]:
    """Rungs of all folders, each system and rung once.

    Raises:
        InputError: a system and rung stands in two folders with different rows, or one fingerprint stands
            for two identities.
    """
    kept: dict[tuple[str, str], RungSamples] = {}
    identities: dict[str, RungSamples] = {}
    left_out = []
    for rung in rungs:
        metadata = rung.metadata
        named = identities.setdefault(metadata.system, rung)
        if named.metadata.identity != metadata.identity:
            raise InputError(
                f"{shown_path(rung.results)}: `{inert(summary_name(metadata.task))}.identity` is another one "
                f"than that of {inert(named.metadata.task)} in {shown_path(named.results)}, but both have the "
                f"fingerprint {metadata.system!r}. One of them was changed: take the files as lm_eval wrote them."
            )
        first = kept.setdefault((metadata.system, metadata.rung), rung)
        if first is rung:
            continue
        if first.metadata.ladder.hash != metadata.ladder.hash:
            raise InputError(
                f"{shown_path(rung.samples)}: the system {metadata.system!r} has its rung {metadata.rung!r} in two "
                f"subsets, {shown(metadata.ladder.subset)} here and {shown(first.metadata.ladder.subset)} in "
                f"{shown_path(first.samples)}. Choose one with `--subset`, or give one of the two folders."
            )
        if first.content != rung.content:
            raise InputError(
                f"{shown_path(rung.samples)}: the system {metadata.system!r} has its rung {metadata.rung!r} also in "
                f"{shown_path(first.samples)}, with other `resps` or scores. One system with other outputs is "
                "noise (of another batch size, say), which its identical rung measures. Give one of the two folders."
            )
        left_out.append(
            omitted(
                shown_path(rung.samples),
                f"the same system and rung, with the same rows as {shown_path(first.samples)}",
            )
        )
    return list(kept.values()), left_out
