"""What a user should know when a run is over, in a few sentences: coverage, noise, collapse, where to go next.

lm_eval's table has a row for every number and none for what could fake it. These lines say it once,
after the last task of a run is measured.
"""

from __future__ import annotations

import math
import shlex
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lm_eval_sensitivity.analysis.numbers import in_print
from lm_eval_sensitivity.stats import Constants, judge_without_reference, partition_by_prompt
from lm_eval_sensitivity.stats.verdicts import LIFELESS, percent
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

MANY = 0.1
"""Share of outputs from which a flag is worth a sentence."""


@dataclass(frozen=True)
class PairNote:
    """One measured pair, as far as the closing words need it."""

    prompt_id: str
    edit: str
    rung: str
    distance: float
    """`cosine_distance` of the answers; NaN where it is missing."""
    missing: str | None
    """Kind of the reason, as in `erased`."""
    flags: tuple[str, ...]
    """What is wrong with the output to the variant: of `empty`, `loop`, `cut`, `unclosed`."""
    shared_preamble: bool
    """The answer begins after a preamble that unrelated prompts share."""


@dataclass
class _Entry:
    """A task of a run."""

    task: weakref.ref[object]
    notes: list[PairNote] | None = None
    """None until it has finished."""


class RunLog:
    """The tasks of the run that is going on: lm_eval tells a task nothing about the others.

    A task is entered when its requests are built and leaves its notes when its results are collected;
    with the last one the run is over, and the log is empty for the next. A run that fails in between never
    comes to its last task; its entries must not keep later runs from speaking.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}

    def started(self, task: object) -> None:
        """Enter a task. All tasks of a run start before the first of them finishes."""
        if any(entry.notes is not None for entry in self._entries.values()):
            self._entries.clear()
        self._forget_the_gone()
        self._entries[id(task)] = _Entry(weakref.ref(task))

    def finished(self, task: object, notes: Sequence[PairNote]) -> list[PairNote] | None:
        """The notes of all tasks when this was the last one; None before, and for a task not entered."""
        self._forget_the_gone()
        entry = self._entries.get(id(task))
        if entry is None:
            return None
        entry.notes = list(notes)
        if any(each.notes is None for each in self._entries.values()):
            return None
        every = [note for each in self._entries.values() for note in each.notes or ()]
        self._entries.clear()
        return every

    def _forget_the_gone(self) -> None:
        """A task that is gone without having finished belongs to a run that failed."""
        gone = [key for key, each in self._entries.items() if each.notes is None and each.task() is None]
        for key in gone:
            del self._entries[key]


RUN_LOG = RunLog()
"""Of this process, as lm_eval's evaluator runs one evaluation at a time."""


def pair_note(
    doc: Mapping[str, Any], variant: Mapping[str, Any], answer: Mapping[str, Any], distance: float
) -> PairNote:
    """A note of one pair.

    Args:
        doc: the row of the ladder.
        variant: the record of the output to the variant, from the filter `raw`.
        answer: the record of the pair under the filter `answer`.
        distance: `cosine_distance` of the answers.
    """
    reason = answer["missing"].get("cosine_distance")
    span = variant.get("answer") or {}
    return PairNote(
        prompt_id=doc["prompt_id"],
        edit=doc["edit"],
        rung=doc["rung"],
        distance=distance,
        missing=None if reason is None else str(reason).split(":", 1)[0],
        flags=tuple(name for name, raised in variant["collapse"].items() if raised is True),
        shared_preamble=span.get("scaffold") == "shared_preamble",
    )


def closing_words(notes: Sequence[PairNote], output_path: Path | None) -> list[str]:
    """Sentences on a whole run; none where nothing was measured.

    Args:
        notes: the pairs of all rungs that were run.
        output_path: where lm_eval saves, if it does.
    """
    if not notes:
        return []
    words = [_coverage(notes), *_distances(notes), *_warnings(notes)]
    if output_path is None:
        words.append(
            "Nothing of this is kept: give --output_path FOLDER --log_samples to have intervals, comparisons and drift."
        )
    else:
        words.append(
            f"Next: `lm-eval-sensitivity clusters {shlex.quote(str(output_path))}` gives intervals; `compare` and "
            "`drift` set it beside other runs (with --log_samples)."
        )
    return words


def _coverage(notes: Sequence[PairNote]) -> str:
    kinds = Counter(note.missing for note in notes if note.missing is not None)
    n_prompts = len({note.prompt_id for note in notes})
    words = f"{len(notes) - kinds.total()} of {len(notes)} pairs of {n_prompts} prompts scored"
    if not kinds:
        return f"{words}."
    words += "; " + ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in sorted(kinds.items()))
    erased = sorted({note.edit for note in notes if note.missing == "erased"})
    if erased:
        words += f". Erased edits ({', '.join(erased)}) never reached the model and say nothing about it"
    return f"{words}."


def _distances(notes: Sequence[PairNote]) -> list[str]:
    """The three numbers that make sense of each other; one that was not measured is not there."""
    rungs = {
        "harmless edits": MEANING_PRESERVING_RUNGS,
        "identical prompts (noise floor)": ("identical",),
        "the positive control": ("positive_control",),
    }
    means = {name: _prompt_means(notes, of) for name, of in rungs.items()}
    found = {name: float(np.mean(list(values.values()))) for name, values in means.items() if values}
    if not found:
        return []
    shown = ", ".join(f"{name} {in_print(value)}" for name, value in found.items())
    return [f"Mean distance of answers over prompts: {shown}."]


def _warnings(notes: Sequence[PairNote]) -> list[str]:
    floor = _prompt_means(notes, ("identical",))
    harmless, control = (
        _prompt_means(notes, MEANING_PRESERVING_RUNGS),
        _prompt_means(notes, ("positive_control",)),
    )
    warnings = []
    noise = float(np.mean(list(floor.values()))) if floor else math.nan
    if noise > 0:
        warnings.append(
            f"Identical prompts already differ by {in_print(noise)}: a distance up to that is noise, not sensitivity."
        )
    shared = sorted(set(harmless) & set(control))
    if shared:
        verdict = judge_without_reference([control[p] for p in shared], [harmless[p] for p in shared])
        if verdict.label == LIFELESS:
            warnings.append(
                f"Another request moves the answers not {percent(Constants().k_harmless)} further than a harmless edit "
                "does: collapsed or indiscriminate, whatever the distances say. A low distance is no stability here."
            )
    counts = Counter(flag for note in notes for flag in note.flags)
    for flag, words in _FLAGS.items():
        if counts[flag] >= MANY * len(notes):
            warnings.append(f"{counts[flag]} of {len(notes)} outputs {words}.")
    preambles = sum(note.shared_preamble for note in notes)
    if preambles:
        warnings.append(
            f"{preambles} of {len(notes)} outputs open with a preamble that unrelated prompts share: the filter raw "
            "measures it as well, the filter answer does not."
        )
    return warnings


_FLAGS = {
    "loop": "are caught in a repetition",
    "empty": "are empty",
    "cut": "were cut at the token limit: what would have followed was not compared",
    "unclosed": "never close their reasoning and have no answer",
}


def _prompt_means(notes: Sequence[PairNote], rungs: Sequence[str]) -> dict[str, float]:
    """Mean per prompt over the scored pairs of some rungs, every edit with equal weight."""
    scored = [note for note in notes if note.rung in rungs and math.isfinite(note.distance)]
    if not scored:
        return {}
    table = partition_by_prompt(
        [note.prompt_id for note in scored],
        [note.edit for note in scored],
        ["run"] * len(scored),
        [note.distance for note in scored],
    )
    return dict(zip(table.prompts, table.system("run").tolist(), strict=True))
