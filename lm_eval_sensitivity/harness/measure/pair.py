"""Measure one pair under one filter: every number, and for every number that is missing the reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.harness.generate.generation import (
    NO_TRACE,
    WINDOWS,
    FilteredText,
    Generation,
    TokenIds,
    View,
)
from lm_eval_sensitivity.harness.measure.records import (
    generation_record,
    margins_record,
    prompt_end_hidden_distance,
    view_record,
)
from lm_eval_sensitivity.metrics import (
    edit_distance_curve,
    first_divergence,
    hidden_distance,
    token_edit_distance,
)
from lm_eval_sensitivity.records.packing import pack
from lm_eval_sensitivity.runs.reference import ReferenceRun, missing_drift
from lm_eval_sensitivity.text.format import to_json

VIEW_METRICS = (
    "cosine_distance",
    *(f"cosine_distance_{window}" for window in WINDOWS),
    "token_edit_distance",
)
"""Metrics of both filters: they read the text or the ids of a view."""

RAW_METRICS = (*VIEW_METRICS, "js_divergence", "hidden_distance")
"""Metrics of filter `raw`: prompt ends and hidden states belong to the whole output."""


def metric_names(filter_name: str, *, max_gen_toks: int, with_reference: bool) -> tuple[str, ...]:
    """Names of the numbers that stand in lm_eval's table under a filter.

    A window longer than the token limit equals the whole output; it is in the samples and would only
    lengthen the table.
    """
    names = RAW_METRICS if filter_name == "raw" else VIEW_METRICS
    longer = {f"cosine_distance_{window}" for window in WINDOWS if window > max_gen_toks}
    return (*(n for n in names if n not in longer), *(("baseline_drift",) if with_reference else ()))


@dataclass
class Scores:
    """Numbers by name; a number that cannot be computed is NaN and has a reason."""

    values: dict[str, float]
    missing: dict[str, str]

    def put(self, name: str, value: Callable[[], float], reason: str | None, undefined: str) -> None:
        """Compute a number unless a reason speaks against it.

        Args:
            reason: why it must not be computed, or None.
            undefined: the reason recorded when the computation itself gives NaN.
        """
        number = math.nan if reason is not None else float(value())
        self.values[name] = number
        if math.isnan(number):
            self.missing[name] = reason if reason is not None else undefined


@dataclass(frozen=True)
class Measured:
    """What is known about one pair under one filter."""

    metrics: Mapping[str, float]
    record: Mapping[str, Any]
    """Everything a later analysis needs, ready for JSON."""


def measure_pair(
    prompt_id: str,
    base: FilteredText,
    variant: FilteredText,
    distances: TextDistances,
    reference: ReferenceRun | None,
) -> Measured:
    """Measure a pair of filtered generations.

    Args:
        prompt_id: names the base prompt in the reference run.
        base: the base's generation under a filter.
        variant: the variant's generation under the same filter.
        distances: embedding distances.
        reference: a run to take `baseline_drift` against, or None.
    """
    scores = Scores({}, {})
    blocked = _blocked(base.generation, variant.generation)
    _text_scores(scores, base, variant, distances, blocked)
    _token_scores(scores, base, variant, blocked)
    if base.filter_name == "raw":
        _state_scores(scores, base.generation, variant.generation, blocked)
    if reference is not None:
        _drift(scores, prompt_id, base, distances, reference)
    record = pair_record(base, variant, scores.missing)
    return Measured(scores.values, {**record, "scores": to_json(scores.values)})


def text_scores(
    prompt_id: str,
    base: FilteredText,
    variant: FilteredText,
    distances: TextDistances,
    reference: ReferenceRun | None,
) -> Scores:
    """The numbers of `measure_pair` that need an embedder: what a finished run can be rescored in.

    Args:
        prompt_id: names the base prompt in the reference run.
        base: the base's generation under a filter.
        variant: the variant's generation under the same filter.
        distances: embedding distances.
        reference: a run to take `baseline_drift` against, or None.
    """
    scores = Scores({}, {})
    _text_scores(scores, base, variant, distances, _blocked(base.generation, variant.generation))
    if reference is not None:
        _drift(scores, prompt_id, base, distances, reference)
    return scores


def pair_record(base: FilteredText, variant: FilteredText, missing: Mapping[str, str]) -> dict[str, Any]:
    """The pair as it is kept in the samples file. What both filters share stands in the `raw` row only."""
    record: dict[str, Any] = {
        "schema_version": 1,
        "audit": asdict(variant.generation.audit),
        "missing": dict(missing),
        "token_path": _token_path(base, variant),
    }
    for side, filtered in (("base", base), ("variant", variant)):
        trace = filtered.generation.trace
        record[side] = {"view": view_record(filtered), "finite": trace is None or trace.finite}
        if filtered.filter_name == "raw":
            record[side] |= generation_record(filtered.generation)
    if base.filter_name == "raw":
        prompt_end = variant.generation.prompt_end
        record["prompt_end"] = None if prompt_end is None else asdict(prompt_end)
        record["margins"] = margins_record(base.generation, variant.generation)
        record["prompt_end_hidden_distance"] = prompt_end_hidden_distance(base.generation, variant.generation)
    return dict(to_json(record))


def _blocked(base: Generation, variant: Generation) -> str | None:
    """Why nothing about this pair may be scored, or None."""
    if variant.audit.status == "erased":
        return "erased: the edit does not reach the token ids"
    for side, generation in (("base", base), ("variant", variant)):
        if generation.trace is not None and not generation.trace.finite:
            return f"not finite: NaN or infinite logits while generating the {side}"
    return None


def _text_scores(
    scores: Scores,
    base: FilteredText,
    variant: FilteredText,
    distances: TextDistances,
    blocked: str | None,
) -> None:
    reason = blocked or _unanswered(base, variant)
    empty = "empty: one of the texts has nothing to embed"
    first, second = base.view, variant.view
    scores.put(
        "cosine_distance", lambda: distances.distance(_text(first), _text(second)), reason, undefined=empty
    )
    for window in WINDOWS:
        windowed = reason or (NO_TRACE if not (_ends(first) and _ends(second)) else None)

        def value(window: int = window) -> float:
            assert first is not None and second is not None  # a reason stands where a view is missing
            return distances.distance(first.window(window), second.window(window))

        scores.put(f"cosine_distance_{window}", value, windowed, undefined=empty)


def _token_scores(scores: Scores, base: FilteredText, variant: FilteredText, blocked: str | None) -> None:
    reason = blocked or _unanswered(base, variant)
    first, second = _ids(base.view), _ids(variant.view)
    if reason is None and (first is None or second is None):
        reason = NO_TRACE

    def value() -> float:
        assert first is not None and second is not None  # a reason stands where ids are missing
        return token_edit_distance(first, second)

    scores.put("token_edit_distance", value, reason, undefined="empty: no tokens were generated")


def _state_scores(scores: Scores, base: Generation, variant: Generation, blocked: str | None) -> None:
    reason = blocked or (NO_TRACE if base.trace is None or variant.trace is None else None)
    prompt_end = variant.prompt_end

    def divergence() -> float:
        # The identical rung compares two runs of one prompt; equal items have no comparison.
        return math.nan if prompt_end is None else prompt_end.js_divergence

    scores.put(
        "js_divergence", divergence, reason, undefined="the prompt-end distributions were not compared"
    )

    def hidden() -> float:
        assert base.trace is not None and variant.trace is not None  # a reason stands otherwise
        return hidden_distance(base.trace.hidden_mean, variant.trace.hidden_mean)

    scores.put("hidden_distance", hidden, reason, undefined="the model shows no final hidden states")


def _drift(
    scores: Scores,
    prompt_id: str,
    base: FilteredText,
    distances: TextDistances,
    reference: ReferenceRun,
) -> None:
    theirs = reference.outputs.get((prompt_id, base.filter_name))
    reason = missing_drift(theirs, _no_drift(base, reference))
    ours = _text(base.view)
    scores.put(
        "baseline_drift",
        lambda: distances.distance(ours, (theirs.text if theirs is not None else None) or ""),
        reason,
        undefined="empty: one of the texts has nothing to embed",
    )


def _no_drift(base: FilteredText, reference: ReferenceRun) -> str | None:
    """Why this side has nothing to compare with the reference's output, or None."""
    trace, facts = base.generation.trace, base.generation.facts
    if trace is not None and not trace.finite:
        return "not finite: NaN or infinite logits while generating the base"
    if base.view is None:
        return _status(base, "base")
    decoding = None if facts is None else facts.identity.get("decoding")
    ours, limit = (
        d.get("max_gen_toks") if isinstance(d, Mapping) else None for d in (decoding, reference.decoding)
    )
    if ours is not None and ours != limit:
        return f"other limit: {ours} tokens in effect here, {limit} in the reference run"
    return None


def _unanswered(base: FilteredText, variant: FilteredText) -> str | None:
    for side, filtered in (("base", base), ("variant", variant)):
        if filtered.view is None:
            return _status(filtered, side)
    return None


def _status(filtered: FilteredText, side: str) -> str:
    answer = filtered.generation.answer
    reasons = {
        "unclosed": f"unclosed: the scaffold of the {side} never ends, there is no answer",
        "empty_answer": f"empty answer: the scaffold of the {side} ends and nothing follows",
    }
    return reasons.get(
        "none" if answer is None else answer.span.status, f"no answer: none was found in the {side}"
    )


def _token_path(base: FilteredText, variant: FilteredText) -> dict[str, Any] | None:
    ids, other_ids = _ids(base.view), _ids(variant.view)
    if ids is None or other_ids is None:
        return None
    # Each side by itself: a cut answer that is the beginning of a longer one is censored, not diverged.
    traces = (base.generation.trace, variant.generation.trace)
    cuts = tuple(trace is not None and trace.cut for trace in traces)
    divergence = first_divergence(ids, other_ids, cut=(cuts[0], cuts[1]))
    curve = edit_distance_curve(ids, other_ids)
    return {
        "first_divergence": divergence.step,
        "censored": divergence.censored,
        "curve": pack(curve, "<i4"),
    }


def _text(view: View | None) -> str:
    return "" if view is None else view.text


def _ids(view: View | None) -> TokenIds | None:
    return None if view is None else view.token_ids


def _ends(view: View | None) -> bool:
    return view is not None and bool(view.window_ends)


def texts_to_embed(filtered: Iterable[FilteredText]) -> list[str]:
    """Every text and window that `measure_pair` may ask for, to embed them in one go."""
    texts: list[str] = []
    for one in filtered:
        if one.view is not None:
            texts.append(one.view.text)
            texts += [one.view.window(window) for window in one.view.window_ends]
    return texts
