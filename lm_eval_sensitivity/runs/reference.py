"""A reference run, for drift: what another system answered to the same base prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import AUDIT_STATUSES
from lm_eval_sensitivity.records.run_metadata import DETECTED
from lm_eval_sensitivity.runs.find import RunFiles, find_runs, read_results, read_samples
from lm_eval_sensitivity.text.escape import inert, shown_path

_WHOSE = "the reference run"


@dataclass(frozen=True)
class ReferenceOutput:
    """The reference's output to one base prompt, in one view."""

    text: str | None
    """None where there is nothing to compare with."""
    reason: str
    """Why not; empty where there is a text."""
    window_ends: Mapping[str, Any] = field(default_factory=dict)
    """Window in tokens -> character of `text` where it ends; empty where the engine gave no tokens."""

    def window(self, n_tokens: int) -> str | None:
        """The text of the first tokens; None where it is not known where they end."""
        end = self.window_ends.get(str(n_tokens))
        return self.text[:end] if self.text is not None and type(end) is int and end >= 0 else None


@dataclass(frozen=True)
class PairDistance:
    """How far one pair moved the reference, under one filter."""

    cosine_distance: float | None
    """None where it is missing."""
    audit_status: str


PairKey = tuple[str, str, str, str]
"""Prompt id, edit, rung, filter."""


@dataclass(frozen=True)
class ReferenceRun:
    """The base outputs of a finished run and the settings that make them comparable."""

    folder: Path
    system: str
    """Fingerprint of the reference system."""
    ladder_version: str
    ladder_hash: str
    decoding_requested: Mapping[str, Any]
    decoding: Mapping[str, Any]
    """As it was in the end: a short context may have lowered the token limit."""
    outputs: Mapping[tuple[str, str], ReferenceOutput]
    """(prompt id, filter) -> output."""
    answer_rule: str = DETECTED
    """How its answers were cut out of its outputs."""
    distances: Mapping[PairKey, PairDistance] = field(default_factory=dict, repr=False)
    """What the verdict beside it is made of; empty where the run was not measured."""
    embedder: Mapping[str, Any] = field(default_factory=dict)
    """What its distances were measured with."""

    def measured_like(self, embedder: Mapping[str, Any]) -> bool:
        """Whether its distances are in the scale of this embedder."""
        return all(self.embedder.get(name) == embedder.get(name) for name in _SCALE)


_SCALE = ("weights_sha256", "max_tokens")
"""What distances depend on, of all that is said of an embedder."""


def load_reference(folder: Path) -> ReferenceRun:
    """Read the newest run in a folder as a reference.

    Raises:
        InputError: no run there, runs of several systems, or rows that are not ours.
    """
    runs = find_runs(folder)
    summaries = [_summary(run) for run in runs]
    systems = {str(summary["system"]) for summary in summaries}
    if len(systems) > 1:
        found = ", ".join(
            f"{inert(run.results.name)} ({s['system']})" for run, s in zip(runs, summaries, strict=True)
        )
        raise InputError(
            f"`reference`: {folder} holds runs of {len(systems)} different systems: {found}. Give a folder with "
            "one system; one `--output_path` per system keeps them apart."
        )
    run, summary = runs[-1], summaries[-1]
    outputs, distances = _collect(run.samples.values(), partial(_base_output, whose=_WHOSE), _pair_distance)
    return ReferenceRun(
        folder=folder,
        system=str(summary["system"]),
        ladder_version=str(summary["ladder"]["version"]),
        ladder_hash=str(summary["ladder"]["hash"]),
        decoding_requested=summary["decoding_requested"],
        decoding=summary["decoding"],
        outputs=outputs,
        answer_rule=str(summary.get("answer_rule", DETECTED)),
        distances=distances,
        embedder=summary.get("embedder") or {},
    )


def base_outputs(samples: Iterable[Path], *, whose: str = _WHOSE) -> dict[tuple[str, str], ReferenceOutput]:
    """What a run answered to its base prompts: (prompt id, filter) -> output, the first row of each.

    Args:
        samples: samples files of one system.
        whose: that system, in the reason of a missing output.

    Raises:
        InputError: rows that are not ours.
    """
    return _collect(samples, partial(_base_output, whose=whose))[0]


def _collect(
    samples: Iterable[Path], *readers: Callable[[Mapping[str, Any]], tuple[Any, Any] | None]
) -> tuple[dict[Any, Any], ...]:
    """What each reader finds in the rows of all files, by its key; the first row of a key counts."""
    found: tuple[dict[Any, Any], ...] = tuple({} for _ in readers)
    for path in samples:
        for number, row in enumerate(read_samples(path), start=1):
            try:
                read = [reader(row) for reader in readers]
            except (KeyError, TypeError, IndexError, ValueError) as error:
                raise InputError(
                    f"`reference`: {shown_path(path)}, line {number}: not a row of a prompt_sensitivity run "
                    f"({error!r})."
                ) from None
            for part, each in zip(found, read, strict=True):
                if each is not None:
                    part.setdefault(*each)
    return found


def missing_drift(theirs: ReferenceOutput | None, own_reason: str | None) -> str | None:
    """Why there is no drift for a prompt, or None.

    Args:
        theirs: the reference's output, if it has one.
        own_reason: why the candidate has nothing to compare.

    Example:
        >>> missing_drift(None, None)
        'no reference: the reference run has no output for this prompt'
    """
    if theirs is None:
        return "no reference: the reference run has no output for this prompt"
    return theirs.reason or own_reason or None


def check_reference(
    reference: ReferenceRun,
    *,
    ladder_version: str,
    ladder_hash: str,
    decoding: Mapping[str, Any],
    answer_rule: str = DETECTED,
) -> None:
    """Refuse a reference that was asked other prompts, decoded in another way, or whose answers were cut
    out of its outputs by another rule.

    Raises:
        InputError: which setting differs, with both values.
    """
    ours = {
        "ladder version": ladder_version,
        "ladder hash": ladder_hash,
        "decoding settings": dict(decoding),
        "answer rule": answer_rule,
    }
    theirs = {
        "ladder version": reference.ladder_version,
        "ladder hash": reference.ladder_hash,
        "decoding settings": dict(reference.decoding_requested),
        "answer rule": reference.answer_rule,
    }
    for name, value in ours.items():
        if theirs[name] != value:
            raise InputError(
                f"`reference`: the run in {reference.folder} has {name} {theirs[name]}, this run has {value}. "
                "Drift compares answers to the same prompts under the same decoding: repeat one of the runs."
            )


_SUMMARY_FIELDS = {"system": str, "ladder": dict, "decoding": dict, "decoding_requested": dict}


def _summary(run: RunFiles) -> Mapping[str, Any]:
    task = next(iter(run.samples))
    place = f"{shown_path(run.results)}: configs.{inert(task)}.metadata.sensitivity"
    summary: Any = read_results(run)
    for name in ("configs", task, "metadata", "sensitivity"):
        summary = summary.get(name) if isinstance(summary, dict) else None
    if not isinstance(summary, dict):
        raise InputError(
            f"{place} is missing, so it is not known which system and ladder this run belongs to. "
            "Run it again with this version."
        )
    for name, kind in _SUMMARY_FIELDS.items():
        if not isinstance(summary.get(name), kind):
            found = type(summary.get(name)).__name__
            raise InputError(
                f"{place}.{name} is {found}, expected {kind.__name__}. Run it again with this version."
            )
    if not isinstance(summary.get("embedder") or {}, dict):
        raise InputError(f"{place}.embedder is no object. Run it again with this version.")
    for name in ("version", "hash"):
        if not isinstance(summary["ladder"].get(name), str):
            raise InputError(f"{place}.ladder.{name} is not a text. Run it again with this version.")
    return summary


def _base_output(row: Mapping[str, Any], whose: str) -> tuple[tuple[str, str], ReferenceOutput]:
    filter_name, prompt_id, text = row["filter"], row["doc"]["prompt_id"], row["filtered_resps"][0]
    base = row["pair"]["base"]
    if not all(isinstance(value, str) for value in (filter_name, prompt_id, text)):
        raise TypeError("filter, doc.prompt_id and filtered_resps[0] must be texts")
    reason = ""
    if base["finite"] is not True:
        reason = f"not finite: NaN or infinite logits in {whose}"
    elif base["view"] is None:
        reason = f"no answer: {whose} has none for this prompt"
    if reason:
        return (prompt_id, filter_name), ReferenceOutput(None, reason)
    ends = base["view"].get("window_ends") if isinstance(base["view"], dict) else None
    return (prompt_id, filter_name), ReferenceOutput(text, "", ends if isinstance(ends, dict) else {})


def _pair_distance(row: Mapping[str, Any]) -> tuple[PairKey, PairDistance] | None:
    """None for a pair that was generated only."""
    if "scores" not in row["pair"]:
        return None
    key = (row["doc"]["prompt_id"], row["doc"]["edit"], row["doc"]["rung"], row["filter"])
    distance, status = row["pair"]["scores"]["cosine_distance"], row["pair"]["audit"]["status"]
    if not all(isinstance(value, str) for value in key) or status not in AUDIT_STATUSES:
        raise TypeError("doc.edit, doc.rung and pair.audit.status must be texts that this version knows")
    if distance is not None and not (type(distance) in (int, float) and math.isfinite(distance)):
        raise TypeError("pair.scores.cosine_distance must be a number or null")
    return key, PairDistance(None if distance is None else float(distance), status)
