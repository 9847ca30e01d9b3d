"""What a user should know when a run is over, in a few sentences: coverage, noise, collapse, where to go next.

lm_eval's table has a row for every number and none for what could fake it. These lines say it once,
after the last task of a run is measured.
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from lm_eval_sensitivity.harness.close.finished_run import (
    OTHER_EMBEDDER,
    Cells,
    FinishedRun,
    PairCells,
)
from lm_eval_sensitivity.harness.close.table_rows import (
    NO_STABILITY,
    kind_of,
    scored_in_words,
    silence_in_words,
    unreadable_in_words,
)
from lm_eval_sensitivity.report.wording import FLAGS_IN_WORDS
from lm_eval_sensitivity.report.wording.drift import beside_in_words
from lm_eval_sensitivity.statements.noise import may_be_noise, noise_sentence, repetitions_in_words
from lm_eval_sensitivity.statements.prompt_ends import ENDS_AGREE, parts_later
from lm_eval_sensitivity.statements.responsiveness import CONTROL, PRESERVING, no_further_in_words
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, PRIMARY_METRIC
from lm_eval_sensitivity.statements.windows import SCAFFOLD_DOMINATES, WHERE_IT_DOMINATES, window_in_words
from lm_eval_sensitivity.stats import ReducedVerdict, Verdict
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.text.format import in_print

MANY = 0.1
"""Share of outputs, or of pairs, from which something is worth a sentence."""


def pairs_once(pairs: Sequence[PairCells]) -> list[PairCells]:
    """A pair that two subsets of a ladder have, and so two tasks of a run, counts once.

    Returns:
        The pairs in order of first appearance.
    """
    return list({pair.raw["pair_id"]: pair for pair in pairs}.values())


def closing_words(run: FinishedRun, folder: Path | None) -> list[str]:
    """Sentences on a whole run; none where nothing was measured.

    Args:
        run: the pairs of all rungs that were run.
        folder: that lm_eval writes to, if it does.

    Returns:
        [sentence] in reading order.
    """
    if not run.pairs:
        return []
    raw, answers = run.rows("raw"), run.rows("answer")
    words = [
        _coverage(answers),
        *_unreadable(answers),
        *_distances(run),
        *_noise(run),
        *_verdict(*run.judged("answer")),
        *_silence(answers),
        *_flags(raw),
        *_windows(run),
        *_parting(raw),
    ]
    if folder is None:
        words.append(
            "Nothing of this is kept: give --output_path FOLDER --log_samples to have intervals, comparisons and drift."
        )
    else:
        words.append(
            f"Next: `lm-eval-sensitivity clusters {shlex.quote(str(folder))}` gives intervals; `compare` and "
            "`drift` set it beside other runs (with --log_samples)."
        )
    return words


def _missing(cells: Cells) -> str | None:
    """Kind of the reason why a pair has no distance, or None."""
    return kind_of(cells[f"missing_{PRIMARY_METRIC}"])


def _coverage(answers: Sequence[Cells]) -> str:
    n_prompts = len({cells["prompt_id"] for cells in answers})
    scored, *lost = scored_in_words(list(map(_missing, answers)), f"pairs of {n_prompts} prompts")
    words = f"{scored}; {', '.join(lost)}" if lost else scored
    given = Counter(cells["edit"] for cells in answers)
    erased = Counter(cells["edit"] for cells in answers if _missing(cells) == "erased")
    if erased:
        edits = ", ".join(f"{edit} {n} of {given[edit]}" for edit, n in sorted(erased.items()))
        words += f". Erased pairs ({edits}) never reached the model and say nothing about it"
    return f"{words}."


def _unreadable(answers: Sequence[Cells]) -> Iterator[str]:
    for words in unreadable_in_words(map(_missing, answers), "pairs"):
        yield words
        yield (
            "`lm-eval-sensitivity rescore` has `--embedder` for a run that is there. `--metric text_edit_distance` "
            "compares characters, of every script."
        )


def _distances(run: FinishedRun) -> list[str]:
    """The three numbers that make sense of each other; one that was not measured is not there."""
    count = run.repetitions
    each = "" if count is None else f", {repetitions_in_words(count)} each"
    rung_sets = {
        "harmless edits": PRESERVING,
        f"identical prompts (noise floor{each})": NOISE_RUNG,
        "the positive control": CONTROL,
    }
    means = {name: run.mean("answer", rung_set)[0] for name, rung_set in rung_sets.items()}
    found = [f"{name} {in_print(mean)}" for name, mean in means.items() if not math.isnan(mean)]
    words = [f"Mean distance of answers over prompts: {', '.join(found)}."] if found else []
    return words if run.reference is None else [*words, *_drift(run)]


def _drift(run: FinishedRun) -> Iterator[str]:
    """The number that stands in lm_eval's row `baseline_drift`, and what is behind it."""
    drift = run.drift("answer")
    if not math.isnan(drift.mean):
        changed, n = drift.answers
        yield (
            f"Drift from the reference {in_print(drift.mean)} over {drift.counts.n_pairs} texts; {changed} of {n} "
            "answers to the base prompts differ from the reference's."
        )


def _noise(run: FinishedRun) -> Iterator[str]:
    floor, _ = run.mean("answer", NOISE_RUNG)
    if floor > 0:
        yield (
            f"Identical prompts already differ by {in_print(floor)}: a distance up to that is noise, not sensitivity."
        )
    found = run.beside_the_floor("answer", PRESERVING)
    if may_be_noise(found):
        yield f"{noise_sentence(found, 'What harmless edits move')}."


def _verdict(found: Verdict | ReducedVerdict | None, reason: str) -> Iterator[str]:
    if isinstance(found, Verdict):
        words = f"Verdict beside the reference: {beside_in_words(found)}"
        if found.label == "COLLAPSED":
            words += f" {NO_STABILITY}"
        yield words
        return
    if reason == OTHER_EMBEDDER:
        yield "No verdict beside the reference: its distances were measured with another embedder."
    if found is not None and found.label == LIFELESS:
        yield (
            f"{no_further_in_words(found, 'the answers')}: {LIFELESS}, whatever the distances say. {NO_STABILITY}"
        )


def _silence(answers: Sequence[Cells]) -> Iterator[str]:
    return silence_in_words(map(_missing, answers), "of the pairs that reached it")


def _flags(raw: Sequence[Cells]) -> Iterator[str]:
    for flag, words in FLAGS_IN_WORDS.items():
        count = sum(cells[f"variant_{flag}"] is True for cells in raw)
        if count >= MANY * len(raw):
            yield f"{count} of {len(raw)} outputs to an edited prompt {words}."
    preambles = sum(cells["variant_scaffold"] == "shared_preamble" for cells in raw)
    if preambles:
        yield (
            f"{preambles} of {len(raw)} outputs open with a preamble that unrelated prompts share: the filter raw "
            "measures it as well, the filter answer does not."
        )


def _windows(run: FinishedRun) -> Iterator[str]:
    found = run.dominated_windows()
    if found:
        yield (
            f"The {SCAFFOLD_DOMINATES} under the filter raw: {', '.join(map(window_in_words, found))}. "
            f"{WHERE_IT_DOMINATES.capitalize()}; the filter answer leaves them out."
        )


def _parting(raw: Sequence[Cells]) -> Iterator[str]:
    """Confident and yet unstable: nothing to see at the end of the prompt, and outputs that part."""
    edited = [cells for cells in raw if cells["rung"] != NOISE_RUNG and _missing(cells) is None]
    parted = [cells for cells in edited if parts_later(cells["js_divergence"], cells["first_divergence"])]
    if not parted or len(parted) < MANY * len(edited):
        return
    margins = [cells["margin_at_divergence"] for cells in parted if cells["margin_at_divergence"] is not None]
    margin = f", with a median margin of {in_print(median(margins))} nats there" if margins else ""
    yield (
        f"In {len(parted)} of {len(edited)} edited pairs the next-token distributions agree at the end of the prompt "
        f"({ENDS_AGREE}), and yet the outputs part later, at step "
        f"{median(cells['first_divergence'] for cells in parted):g} by the median{margin}: prompt-end metrics do not "
        "see this."
    )
