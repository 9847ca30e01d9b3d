"""Measure one pair under one filter: every number, and for every number that is missing the reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.harness.generate.generation import (
    FilteredText,
    Generation,
    View,
    given,
)
from lm_eval_sensitivity.metrics import METRICS, measured_under, output_spread
from lm_eval_sensitivity.metrics.catalogue import FAMILIES, Family, scores_of
from lm_eval_sensitivity.metrics.inputs import PairInputs, PromptEnd, Side
from lm_eval_sensitivity.records.columns import DRIFT, FILTERS, VARIANT_DRIFT
from lm_eval_sensitivity.runs.reference import OutputKey, ReferenceRun, missing_drift
from lm_eval_sensitivity.scaffold.split import why_no_answer
from lm_eval_sensitivity.types import Missing

ERASED = "erased: the edit does not reach the token ids"
TOO_FEW = "too few: no other prompt of the task has an output to compare with"


def metric_names(filter_name: str, *, max_gen_toks: int, with_reference: bool) -> tuple[str, ...]:
    """Names of the numbers that stand in lm_eval's table under a filter.

    A window longer than the token limit equals the whole output; it is in the samples and would only
    lengthen the table.

    Args:
        filter_name: `raw` or `answer`.
        max_gen_toks: token limit of the outputs.
        with_reference: whether drift is measured.

    Returns:
        Names in the order of the catalogue.

    Example:
        >>> "cosine_distance" in metric_names("raw", max_gen_toks=64, with_reference=False)
        True
    """
    return tuple(
        card.name
        for card in measured_under(filter_name)
        if card.in_table
        and (card.window is None or card.window <= max_gen_toks)
        and (card.name != DRIFT or with_reference)
    )


@dataclass
class Scores:
    """Numbers by name; a number that cannot be computed is NaN and has a reason."""

    values: dict[str, float]
    missing: dict[str, str]

    @classmethod
    def of(cls, numbers: Mapping[str, float | Missing]) -> Scores:
        """Numbers and reasons apart, as a sample row keeps them.

        Returns:
            Values with NaN for what is missing, and the reasons of those.

        Example:
            >>> Scores.of({"a": 0.5, "b": Missing("empty", "no text")})
            Scores(values={'a': 0.5, 'b': nan}, missing={'b': 'empty: no text'})
        """
        return cls(
            {name: math.nan if isinstance(each, Missing) else each for name, each in numbers.items()},
            {name: str(each) for name, each in numbers.items() if isinstance(each, Missing)},
        )

    @classmethod
    def mean(cls, repetitions: Sequence[Scores]) -> Scores:
        """The means over the repetitions of a prompt that have a number.

        Returns:
            A number is missing where every repetition lacks it, for the reason of the first.

        Example:
            >>> missing = {"a": "empty: no text"}
            >>> Scores.mean([Scores({"a": math.nan}, missing), Scores({"a": 0.5}, {}), Scores({"a": 0.25}, {})])
            Scores(values={'a': 0.375}, missing={})
            >>> Scores.mean([Scores({"a": math.nan}, missing)] * 3).missing == missing
            True
        """
        first = repetitions[0]
        values = {}
        for name in first.values:
            there = [each.values[name] for each in repetitions if not math.isnan(each.values[name])]
            values[name] = math.fsum(there) / len(there) if there else math.nan
        reasons = {name: reason for name, reason in first.missing.items() if math.isnan(values[name])}
        return cls(values, reasons)


def measure_pair(
    doc: Mapping[str, Any],
    base: FilteredText,
    variant: FilteredText,
    distances: TextDistances,
    reference: ReferenceRun | None,
    spread: float | Missing,
    families: Sequence[Family] = FAMILIES,
) -> Scores:
    """Measure a pair of filtered generations.

    Args:
        doc: row of the ladder; its ids name both prompts in the reference run.
        base: the base's generation under a filter.
        variant: the variant's generation under the same filter.
        distances: embedding distances.
        reference: a run to measure drift from, or None.
        spread: of the base prompt, from `output_spreads`.
        families: of metrics; those of family `text` can be measured again in a finished run.

    Returns:
        Every metric that stands under the filter, a number or NaN with a reason.
    """
    numbers = scores_of(pair_inputs(base, variant, distances), base.filter_name, families)
    if reference is not None:
        theirs = _reference_keys(doc, base.filter_name)
        numbers[DRIFT] = _drift(theirs[0], base, distances, reference)
        numbers[VARIANT_DRIFT] = _drift(theirs[1], variant, distances, reference)
    return Scores.of({**numbers, "output_spread": spread})


def output_spreads(
    bases: Mapping[str, FilteredText],
    distances: TextDistances,
    gather: Callable[[dict[str, str | Missing]], list[dict[str, str | Missing]]] = lambda own: [own],
) -> dict[str, float | Missing]:
    """How far each base prompt's output is from those of the others, by prompt.

    Args:
        bases: prompt id -> the base's generation under a filter.
        distances: embedding distances.
        gather: from the outputs of this process to those of each process of the run, or why they cannot be used.

    Returns:
        Prompt id -> mean cosine distance in [0, 2], or why there is none.
    """
    unreadable = distances.unreadable(str(base) for base in bases.values())
    own: dict[str, str | Missing] = {}
    for prompt_id, base in bases.items():
        reason = _unusable(base) or _in_words(unreadable.get(str(base)))
        own[prompt_id] = str(base) if reason is None else Missing.from_text(reason)
    every = {prompt_id: text for part in reversed(gather(own)) for prompt_id, text in part.items()}
    there = {prompt_id: text for prompt_id, text in every.items() if isinstance(text, str)}
    lacking = TOO_FEW if len(there) < 2 else METRICS["output_spread"].undefined
    spreads: dict[str, float | Missing] = {
        prompt_id: Missing.from_text(lacking) if isinstance(text, str) else text
        for prompt_id, text in every.items()
    }
    if len(there) < 2:
        return spreads
    numbers = output_spread(distances.embedder.encode(list(there.values())))
    found = zip(there, numbers.tolist(), strict=True)
    return spreads | {prompt_id: number for prompt_id, number in found if not math.isnan(number)}


def pair_inputs(base: FilteredText, variant: FilteredText, distances: TextDistances) -> PairInputs:
    """What the metrics of a pair are made from.

    Args:
        base: of the pair, under one filter.
        variant: likewise.
        distances: of the embedder.

    Returns:
        Every channel of both sides, or the reason why it is not there; all share one reason where the pair cannot be
        scored at all.
    """
    reason = _blocked(base.generation, variant.generation) or _unanswered(base, variant)
    if reason is not None:
        return PairInputs.without(Missing.from_text(reason))
    sides = _side(base), _side(variant)
    compared: PromptEnd | Missing | None = variant.generation.prompt_end
    if compared is None and not any(isinstance(side.prompt_end_top, Missing) for side in sides):
        # The identical rung compares two runs of one prompt; equal items have no comparison.
        compared = Missing.from_text(METRICS["js_divergence"].undefined)
    return PairInputs(*sides, given(compared, "prompt-end distribution"), distances.distance)


def _side(filtered: FilteredText) -> Side:
    view, trace, answer = filtered.view, filtered.generation.trace, filtered.generation.answer
    assert view is not None  # a reason stands where a view is missing
    margins = None
    if trace is not None and trace.margins is not None and view.token_ids is not None:
        first = answer.token_start or 0 if answer is not None and filtered.filter_name == "answer" else 0
        margins = trace.margins[first : first + len(view.token_ids)]
    # A server that answers nothing may have failed: without tokens an empty text is no answer that could differ.
    nothing = trace is None and not view.text.strip()
    return Side(
        text=Missing.from_text(METRICS["cosine_distance"].undefined) if nothing else view.text,
        windows=given({window: view.window(window) for window in view.window_ends} or None, "token ids"),
        token_ids=given(view.token_ids, "token ids"),
        margins=given(margins, "step log-probabilities"),
        prompt_end_top=given(None if trace is None else trace.prompt_end_top, "prompt-end log-probabilities"),
        hidden_mean=given(None if trace is None else trace.hidden_mean, "hidden states"),
    )


def _blocked(base: Generation, variant: Generation) -> str | None:
    """Why nothing about this pair may be scored, or None."""
    obstacle = base.obstacle or variant.obstacle
    if obstacle is not None:
        return str(obstacle)
    if variant.audit.status == "erased":
        return ERASED
    for side, generation in (("base", base), ("variant", variant)):
        if generation.trace is not None and not generation.trace.finite:
            return f"not finite: NaN or infinite logits while generating the {side}"
    return None


def _reference_keys(doc: Mapping[str, Any], filter_name: str) -> tuple[OutputKey, OutputKey]:
    """Where a reference holds its outputs to the two prompts of a pair."""
    return (
        OutputKey(str(doc["prompt_id"]), "base", filter_name),
        OutputKey(str(doc["pair_id"]), "variant", filter_name),
    )


def reference_texts(docs: Iterable[Mapping[str, Any]], reference: ReferenceRun) -> list[str]:
    """The outputs of a reference that the drifts of pairs are measured from, to embed them in one go.

    Args:
        docs: rows of the ladder.
        reference: the run.

    Returns:
        Texts of both filters, not deduplicated.
    """
    keys = (key for doc in docs for name in FILTERS for key in _reference_keys(doc, name))
    outputs = (reference.outputs.get(key) for key in keys)
    return [output.text for output in outputs if output is not None and output.text is not None]


def _drift(
    key: OutputKey, own: FilteredText, distances: TextDistances, reference: ReferenceRun
) -> float | Missing:
    theirs = reference.outputs.get(key)
    reason = missing_drift(theirs, _no_drift(own, key.side, reference))
    if reason is not None:
        return Missing.from_text(reason)
    return distances.distance(_text(own.view), (theirs.text if theirs is not None else None) or "")


def _no_drift(own: FilteredText, side: str, reference: ReferenceRun) -> str | None:
    """Why this side has nothing to compare with the reference's output, or None."""
    reason, facts = _unusable(own, side), own.generation.facts
    if reason is not None:
        return reason
    ours = None if facts is None else facts.decoding.get("max_gen_toks")
    limit = reference.metadata.decoding.get("max_gen_toks")
    if ours is not None and ours != limit:
        return f"other limit: {ours} tokens in effect here, {limit} in the reference run"
    return None


def _unusable(own: FilteredText, side: str = "base") -> str | None:
    """Why an output cannot be compared with another prompt's or system's, or None."""
    trace = own.generation.trace
    if own.generation.obstacle is not None:
        return str(own.generation.obstacle)
    if trace is not None and not trace.finite:
        return f"not finite: NaN or infinite logits while generating the {side}"
    return _status(own, side) if own.view is None else None


def _unanswered(base: FilteredText, variant: FilteredText) -> str | None:
    for side, filtered in (("base", base), ("variant", variant)):
        if filtered.view is None:
            return _status(filtered, side)
    return None


def _status(filtered: FilteredText, side: str) -> str:
    answer = filtered.generation.answer
    reason = None if answer is None else why_no_answer(answer.span, side)
    return f"no answer: none was found in the {side}" if reason is None else str(reason)


def repetitions_of(variant: FilteredText) -> list[FilteredText]:
    """The variant, and on the identical rung its further repetitions, under the same filter."""
    return [variant, *(FilteredText(each, variant.filter_name) for each in variant.generation.further)]


def _in_words(reason: Missing | None) -> str | None:
    return None if reason is None else str(reason)


def _text(view: View | None) -> str:
    return "" if view is None else view.text


def texts_to_embed(filtered: Iterable[FilteredText]) -> list[str]:
    """Every text and window that `measure_pair` may ask for, to embed them in one go.

    Returns:
        Texts in order, not deduplicated; none of outputs without a view.
    """
    texts: list[str] = []
    for one in (each for variant in filtered for each in repetitions_of(variant)):
        if one.view is not None:
            texts.append(one.view.text)
            texts += [one.view.window(window) for window in one.view.window_ends]
    return texts
