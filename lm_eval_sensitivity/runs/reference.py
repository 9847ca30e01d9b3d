"""A reference run, for drift: what another system answered to the same base prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs.files import RunFiles, find_runs, read_results, read_samples


@dataclass(frozen=True)
class ReferenceOutput:
    """The reference's output to one base prompt, in one view."""

    text: str | None
    """None where there is nothing to compare with."""
    reason: str
    """Why not; empty where there is a text."""


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
            f"{run.results.name} ({s['system']})" for run, s in zip(runs, summaries, strict=True)
        )
        raise InputError(
            f"`reference`: {folder} holds runs of {len(systems)} different systems: {found}. Give a folder with "
            "one system; one `--output_path` per system keeps them apart."
        )
    run, summary = runs[-1], summaries[-1]
    outputs: dict[tuple[str, str], ReferenceOutput] = {}
    for path in run.samples.values():
        for number, row in enumerate(read_samples(path), start=1):
            try:
                key, output = _base_output(row)
            except (KeyError, TypeError, IndexError, ValueError) as error:
                raise InputError(
                    f"`reference`: {path}, line {number}: not a row of a prompt_sensitivity run ({error!r})."
                ) from None
            outputs.setdefault(key, output)
    return ReferenceRun(
        folder=folder,
        system=str(summary["system"]),
        ladder_version=str(summary["ladder"]["version"]),
        ladder_hash=str(summary["ladder"]["hash"]),
        decoding_requested=summary["decoding_requested"],
        decoding=summary["decoding"],
        outputs=outputs,
    )


def check_reference(
    reference: ReferenceRun, *, ladder_version: str, ladder_hash: str, decoding: Mapping[str, Any]
) -> None:
    """Refuse a reference that was asked other prompts or decoded in another way.

    Raises:
        InputError: which setting differs, with both values.
    """
    ours = {"ladder version": ladder_version, "ladder hash": ladder_hash, "decoding settings": dict(decoding)}
    theirs = {
        "ladder version": reference.ladder_version,
        "ladder hash": reference.ladder_hash,
        "decoding settings": dict(reference.decoding_requested),
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
    place = f"{run.results}: configs.{task}.metadata.sensitivity"
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
    for name in ("version", "hash"):
        if not isinstance(summary["ladder"].get(name), str):
            raise InputError(f"{place}.ladder.{name} is not a text. Run it again with this version.")
    return summary


def _base_output(row: Mapping[str, Any]) -> tuple[tuple[str, str], ReferenceOutput]:
    filter_name, prompt_id, text = row["filter"], row["doc"]["prompt_id"], row["filtered_resps"][0]
    base = row["pair"]["base"]
    if not all(isinstance(value, str) for value in (filter_name, prompt_id, text)):
        raise TypeError("filter, doc.prompt_id and filtered_resps[0] must be texts")
    reason = ""
    if base["finite"] is not True:
        reason = "not finite: NaN or infinite logits in the reference run"
    elif base["view"] is None:
        reason = "no answer: the reference run has none for this prompt"
    return (filter_name, prompt_id)[::-1], ReferenceOutput(None if reason else text, reason)
