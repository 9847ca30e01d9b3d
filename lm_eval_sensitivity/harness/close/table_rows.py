"""Aggregations for lm_eval's table: means over what was scored, and in words what could fake them.

lm_eval pads every row of its table to the widest, so the words are few.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval_sensitivity.harness.close.finished_run import FinishedRun
from lm_eval_sensitivity.harness.generate.generation import FilteredText
from lm_eval_sensitivity.records.columns import SIDES
from lm_eval_sensitivity.statements.drift_distance import Drift
from lm_eval_sensitivity.statements.noise import may_be_noise, noise_cell, repetitions_in_words
from lm_eval_sensitivity.statements.selection import NOISE_RUNG
from lm_eval_sensitivity.statements.windows import (
    SCAFFOLD_DOMINATES,
    OutputTokens,
    dominated_windows,
    output_tokens,
    window_in_words,
    windows_within,
)
from lm_eval_sensitivity.stats import Verdict
from lm_eval_sensitivity.stats.rules import UNDETERMINED
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Missing

SEVERAL_PROCESSES = "not judged: several processes"


class OfPair(float):
    """A number of a pair that knows its prompt, and the filter under which it was measured.

    Example:
        >>> OfPair(0.5, "p1", "raw") == 0.5, OfPair(0.5, "p1", "raw").prompt_id
        (True, 'p1')
    """

    prompt_id: str
    filter_name: str

    def __new__(cls, value: float, prompt_id: str, filter_name: str) -> OfPair:
        self = super().__new__(cls, value)
        self.prompt_id = prompt_id
        self.filter_name = filter_name
        return self

    def __reduce__(self) -> tuple[type[OfPair], tuple[float, str, str]]:
        return OfPair, (float(self), self.prompt_id, self.filter_name)


def drift_of_run(run: FinishedRun | None, filter_name: str) -> float:
    """The mean drift of a run, as `lm-eval-sensitivity drift` gives it: the same in the row of every rung.

    Args:
        run: None where a process knows only its part of it.
        filter_name: of the row.

    Returns:
        Mean over prompts of b, the mean over a prompt's texts; NaN where it is not known.
    """
    return math.nan if run is None else mean_drift(run.drift(filter_name))


def mean_drift(drift: Drift) -> RungMean:
    """The mean of a drift, as every row of it has it.

    Args:
        drift: of a whole run, under one filter.

    Returns:
        Mean over prompts that have one; NaN where none has.
    """
    there = {prompt: value for prompt, value in drift.by_prompt.items() if not math.isnan(value)}
    return RungMean(there)


class RungMean(float):
    """The mean of a rung, which knows the means of its prompts.

    lm_eval makes the row of a group as `sum(mean * 1 for each rung) / n_rungs`: it accepts a function as the group's
    `aggregation`, and never calls it. With plain numbers that would not be the estimator of every other table, whose
    unit is the prompt, where a prompt lacks a rung. So sums of these remember what they were made from, and the
    division gives the mean over prompts of the mean over their rungs.

    Example:
        >>> noop, synonym = RungMean({"p1": 0.2, "p2": 0.4}), RungMean({"p1": 0.6})
        >>> float(noop), round(sum([noop * 1, synonym * 1]) / 2, 4)
        (0.30000000000000004, 0.4)
    """

    rungs: tuple[Mapping[str, float], ...]

    def __new__(cls, *rungs: Mapping[str, float]) -> RungMean:
        self = super().__new__(cls, _mean(prompt_means(rungs)))
        self.rungs = rungs
        return self

    def __mul__(self, weight: float) -> float:
        return self if weight == 1 else float(self) * weight

    def __radd__(self, other: float) -> float:
        return self if other == 0 else other + float(self)

    def __add__(self, other: float) -> float:
        return RungMean(*self.rungs, *other.rungs) if isinstance(other, RungMean) else float(self) + other

    def __truediv__(self, n: float) -> float:
        return float(self) if n == len(self.rungs) else float(self) * len(self.rungs) / n

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)


def mean_of_scored(values: Sequence[OfPair]) -> RungMean:
    """Mean over prompts of the mean over their scored pairs, on one rung.

    lm_eval's own `nanmean` is bootstrapped 100,000 times per metric for a standard error that would treat
    the edits of one prompt as independent; `table_errors` has the one over prompts.

    Args:
        values: [pair] of one rung; NaN where a pair is not scored.

    Returns:
        The mean, in the unit of the values; NaN when all are NaN or there are none.

    Example:
        >>> pairs = [("p1", 0.0), ("p1", 0.5), ("p1", float("nan")), ("p2", 0.75)]
        >>> mean_of_scored([OfPair(value, prompt, "raw") for prompt, value in pairs])
        0.5
    """
    return RungMean(by_prompt(values))


def by_prompt(values: Sequence[OfPair]) -> dict[str, float]:
    """Prompt -> mean over its scored pairs; a prompt without one is not there."""
    found: dict[str, list[float]] = {}
    for value in values:
        if not math.isnan(value):
            found.setdefault(value.prompt_id, []).append(float(value))
    return {prompt_id: _mean(scored) for prompt_id, scored in found.items()}


def prompt_means(rungs: Sequence[Mapping[str, float]]) -> list[float]:
    """[prompt] mean over the rungs that the prompt has."""
    found: dict[str, list[float]] = {}
    for rung in rungs:
        for prompt_id, mean in rung.items():
            found.setdefault(prompt_id, []).append(mean)
    return [_mean(means) for means in found.values()]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def kind_of(reason: str | None) -> str | None:
    """The kind of a reason that a row holds as text.

    Returns:
        What stands before the colon; None where there is no reason.

    Example:
        >>> kind_of("erased: the edit does not reach the token ids")
        'erased'
    """
    return None if reason is None else Missing.from_text(reason).kind


def pairs_in_words(records: Sequence[Mapping[str, Any]]) -> str:
    """How many pairs a mean stands for, and what became of the others.

    Args:
        records: of the pairs, as the samples file holds them.

    Returns:
        Counts joined by commas.

    Example:
        >>> pairs_in_words([{"missing": {"cosine_distance": "erased: unseen"}, "scores": {}}])
        '0 of 1 pairs scored, 1 of 1 pairs erased'
    """
    if records and not any("scores" in record for record in records):
        return f"{len(records)} pairs generated, not measured"
    return ", ".join(
        scored_in_words([kind_of(record["missing"].get("cosine_distance")) for record in records])
    )


def scored_in_words(missing: Sequence[str | None], of: str = "pairs") -> list[str]:
    """How many pairs have a distance, and what became of the others.

    Args:
        missing: [pair] the kind of reason why it has no distance, or None.
        of: what they are.

    Returns:
        The scored ones, then one phrase per kind of reason.

    Example:
        >>> scored_in_words(["erased", None, "no_answer"])
        ['1 of 3 pairs scored', '1 of 3 pairs erased', '1 no answer']
    """
    n = len(missing)
    kinds = Counter(kind for kind in missing if kind is not None)
    return [
        f"{n - kinds.total()} of {n} {of} scored",
        *(
            f"{count} of {n} pairs erased" if kind == "erased" else f"{count} {kind.replace('_', ' ')}"
            for kind, count in sorted(kinds.items())
        ),
    ]


def noise_in_words(run: FinishedRun | None, rung: str, filter_name: str) -> str:
    """The noise floor of a run, and whether a rung is within it.

    Args:
        run: None where a process knows only its part of it.
        rung: of the task.
        filter_name: of the row.

    Returns:
        The row `noise`.
    """
    if run is None:
        return SEVERAL_PROCESSES
    mean, n_prompts = run.mean(filter_name, NOISE_RUNG)
    if not n_prompts:
        why = "no scored pair in it" if NOISE_RUNG in run.rungs() else "no identical rung in this run"
        return f"noise floor not measured: {why}"
    if rung != NOISE_RUNG:
        found = run.beside_the_floor(filter_name, rung)
        if found.standing == "not judged":
            return f"noise floor {in_print(mean)}, not judged: {found.n} prompts"
        if may_be_noise(found):
            return noise_cell(found)
    return f"noise floor {in_print(mean)} ({n_prompts} prompts, {repetitions_in_words(run.repetitions or 1)} each)"


def verdict_in_words(run: FinishedRun | None, filter_name: str) -> str:
    """The verdict on a run in a word, or in three, as `lm-eval-sensitivity drift` gives it.

    Args:
        run: None where a process knows only its part of it.
        filter_name: of the row.

    Returns:
        The row `verdict`, or why there is none.
    """
    if run is None:
        return SEVERAL_PROCESSES
    verdict, reason = run.judged(filter_name)
    if verdict is None:
        return f"not judged: {reason}"
    is_open = isinstance(verdict, Verdict) and verdict.label == UNDETERMINED
    words = verdict.in_words if isinstance(verdict, Verdict) and is_open else verdict.label.lower()
    return f"{words} ({reason})" if reason else words


def windows_in_words(pairs: Sequence[Sequence[Sequence[int]] | None]) -> str:
    """Which windows of the whole output show the scaffold rather than the answer.

    Args:
        pairs: of both outputs, tokens before the answer and all tokens; None for a pair that does not count.

    Returns:
        The row `window`; windows longer than the longest output are nowhere.

    Example:
        >>> windows_in_words([[[60, 200], [60, 300]]])
        'scaffold dominates this window: 64 tokens'
    """
    outputs = [OutputTokens(*output) for pair in pairs if pair is not None for output in pair]
    if not outputs:
        return "not judged: no scored output with tokens"
    found = dominated_windows(outputs, windows_within(outputs))
    if not found:
        return "no scaffold dominates"
    return f"{SCAFFOLD_DOMINATES}: {', '.join(map(window_in_words, found))}"


def window_item(
    base: FilteredText, variant: FilteredText, missing: Mapping[str, str]
) -> list[list[int]] | None:
    """Of both outputs, tokens before the answer and all tokens, as a sample row keeps them.

    Args:
        base: the base's generation under the filter raw.
        variant: the variant's.
        missing: reasons of the pair under the filter raw; a pair without a distance is not counted.

    Returns:
        None for a pair that is not counted, and where an engine shows no tokens.
    """
    found = [each for each in map(_tokens_of, (base, variant)) if each is not None]
    if len(found) < len(SIDES) or "cosine_distance" in missing:
        return None
    return [[each.n_before, each.n_tokens] for each in found]


def _tokens_of(output: FilteredText) -> OutputTokens | None:
    trace, answer = output.generation.trace, output.generation.answer
    if trace is None or answer is None:
        return None
    return output_tokens(len(trace.content_ids), answer.token_start, answer.span.status)
