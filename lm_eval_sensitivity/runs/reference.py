"""A reference run, for drift: what another system answered to the same base and variant prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.run_metadata import DETECTED, RunMetadata
from lm_eval_sensitivity.records.sample import SideRecord
from lm_eval_sensitivity.runs.ladder_lookup import LadderLookup
from lm_eval_sensitivity.runs.rung_samples import RungSamples, sample_rows
from lm_eval_sensitivity.runs.select_runs import choose_rungs
from lm_eval_sensitivity.text.escape import inert, shown_path
from lm_eval_sensitivity.types import RUNGS, Note

_WHOSE = "the reference run"


class OutputKey(NamedTuple):
    """Which output of a run: that to a base prompt, or to the variant of a pair, in one view."""

    id: str
    """Of the prompt, or of the pair."""
    side: str
    """`base` or `variant`."""
    filter: str


@dataclass(frozen=True)
class ReferenceOutput:
    """The reference's output to one prompt, in one view."""

    text: str | None
    """None where there is nothing to compare with."""
    reason: str
    """Why not; empty where there is a text."""
    window_ends: Mapping[str, int] = field(default_factory=dict)
    """Window in tokens -> character of `text` where it ends; empty where the engine gave no tokens."""

    def window(self, n_tokens: int) -> str | None:
        """The text of the first tokens; None where it is not known where they end."""
        end = self.window_ends.get(str(n_tokens))
        return self.text[:end] if self.text is not None and end is not None else None


@dataclass(frozen=True, eq=False)
class ReferenceRun:
    """A loaded run that others are compared with."""

    folder: Path
    metadata: RunMetadata
    """Of its newest rung; what they must share, they share."""
    rungs: tuple[RungSamples, ...]
    """The rows that `clusters` and `drift` take from the same folder."""
    outputs: Mapping[OutputKey, ReferenceOutput] = field(repr=False)
    left_out: tuple[Note, ...] = ()

    @property
    def system(self) -> str:
        """Fingerprint of the reference system."""
        return self.metadata.system

    @property
    def dates(self) -> tuple[str, ...]:
        """Time stamps of the runs that its rungs were taken from, oldest first."""
        return tuple(sorted({rung.date for rung in self.rungs}))

    def in_words(self) -> list[str]:
        """Which runs of its folder were taken, and what was left out."""
        rungs = ", ".join(
            rung.metadata.rung + ("" if rung.complete else f" ({rung.extent})")
            for rung in sorted(self.rungs, key=lambda rung: RUNGS.index(rung.metadata.rung))
        )
        taken = f"Reference {shown_path(self.folder)}: {rungs}, of the run of {' and '.join(self.dates)}."
        return [taken, *(f"Left out of the reference: {e.about[0]}: {e.text}" for e in self.left_out)]

    @property
    def table(self) -> pa.Table:
        """Its rows by rung, pair and filter; columns of `ROW_SCHEMA`."""
        return pa.concat_tables([rung.table for rung in self.rungs])

    def measured_like(self, embedder: Mapping[str, Any]) -> bool:
        """Whether its distances are in the scale of this embedder."""
        return all(self.metadata.embedder.get(name) == embedder.get(name) for name in _SCALE)


_SCALE = ("weights_sha256", "max_tokens")
"""What distances depend on, of all that is said of an embedder."""


def load_reference(folder: Path, ladder: str | None = None) -> ReferenceRun:
    """Read a folder as a reference: of each rung the run that every command takes, the newest complete one.

    Args:
        folder: an `--output_path` of lm_eval with logged samples, of one system.
        ladder: the ladder that was run, if it is not the packaged one.

    Returns:
        The run; `left_out` names what else stands in the folder.

    Raises:
        InputError: no run there, runs of several systems or settings, or rows that are not ours.
    """
    try:
        rungs, left_out = choose_rungs(folder, LadderLookup(ladder), None)
    except InputError as error:
        raise InputError(f"`reference`: {error}") from None
    _check_one_system(folder, rungs)
    newest = max(rungs, key=lambda rung: (rung.date, rung.metadata.task))
    outputs = read_outputs(rung.samples for rung in rungs)
    return ReferenceRun(folder, newest.metadata, tuple(rungs), outputs, tuple(left_out))


def _check_one_system(folder: Path, rungs: Iterable[RungSamples]) -> None:
    systems = {rung.metadata.system: rung.results.name for rung in rungs}
    if len(systems) > 1:
        found = ", ".join(f"{inert(name)} ({system})" for system, name in systems.items())
        raise InputError(
            f"`reference`: {shown_path(folder)} holds runs of {len(systems)} different systems: {found}. Give a folder "
            "with one system; one `--output_path` per system keeps them apart."
        )


def read_outputs(samples: Iterable[Path], *, whose: str = _WHOSE) -> dict[OutputKey, ReferenceOutput]:
    """What a run answered to its base prompts, the first row of each, and to their variants.

    Args:
        samples: samples files of one system.
        whose: that system, in the reason of a missing output.

    Returns:
        A text, or why there is none.

    Raises:
        InputError: rows that are not ours.
    """
    found: dict[OutputKey, ReferenceOutput] = {}
    for path in samples:
        for row, _, _ in sample_rows(path):
            for name, side, shown in zip(
                ("prompt_id", "pair_id"), (row.pair.base, row.pair.variant), row.filtered_resps, strict=True
            ):
                key = OutputKey(str(row.doc[name]), "base" if name == "prompt_id" else "variant", row.filter)
                found.setdefault(key, _output(side, shown, whose))
    return found


def _output(side: SideRecord, shown: str, whose: str) -> ReferenceOutput:
    if not side.finite:
        return ReferenceOutput(None, f"not finite: NaN or infinite logits in {whose}")
    if side.view is None:
        return ReferenceOutput(None, f"no answer: {whose} has none for this prompt")
    return ReferenceOutput(shown, "", side.view.window_ends)


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
        "ladder version": reference.metadata.ladder.version,
        "ladder hash": reference.metadata.ladder.hash,
        "decoding settings": dict(reference.metadata.decoding_requested),
        "answer rule": reference.metadata.answer_rule,
    }
    for name, value in ours.items():
        if theirs[name] != value:
            raise InputError(
                f"`reference`: the run in {reference.folder} has {name} {theirs[name]}, this run has {value}. "
                "Drift compares answers to the same prompts under the same decoding: repeat one of the runs."
            )
