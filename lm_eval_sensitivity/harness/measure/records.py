"""A measured pair as a sample record: compact, complete, and readable without the model or this package.

A run folder alone is enough to recompute every number except those made from whole distributions and hidden
states, which are stored as numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from numpy.typing import NDArray

from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, TokenIds
from lm_eval_sensitivity.harness.measure.pair import Scores, repetitions_of
from lm_eval_sensitivity.metrics import (
    collapse_flags,
    edit_distance_curve,
    first_divergence,
    hidden_distance,
    margin_at_divergence,
    margin_statistics,
)
from lm_eval_sensitivity.records.columns import SIDES
from lm_eval_sensitivity.records.sample import (
    SCHEMA_VERSION,
    BothMargins,
    FinishReason,
    MarginsOfSide,
    MarginsRecord,
    Packed,
    PairRecord,
    PromptEndRecord,
    SideRecord,
    TokenPath,
    ViewRecord,
    WholePairRecord,
    WholeSideRecord,
)
from lm_eval_sensitivity.runs.table import recorded_distances


def make_record(
    base: FilteredText,
    variant: FilteredText,
    scores: Mapping[str, float] | None,
    missing: Mapping[str, str],
    *,
    system: str | None,
    ladder: str,
) -> PairRecord:
    """The pair as it is kept in the samples file. What both filters share stands in the `raw` row only.

    Args:
        base: the base's generation under a filter.
        variant: the variant's generation under the same filter.
        scores: by metric; NaN where missing; None where nothing was measured.
        missing: by metric, why there is no score.
        system: fingerprint.
        ladder: shortened content hash.

    Returns:
        A `WholePairRecord` under the filter raw.
    """
    shared: dict[str, Any] = {
        "system": system,
        "ladder": ladder,
        "schema_version": SCHEMA_VERSION,
        "audit": variant.generation.audit,
        "missing": dict(missing),
        "token_path": _token_path(base, variant),
        "scores": None if scores is None else dict(scores),
    }
    if base.filter_name != "raw":
        return PairRecord(base=SideRecord(*_side(base)), variant=SideRecord(*_side(variant)), **shared)
    end = variant.generation.prompt_end
    return WholePairRecord(
        base=_whole_side(base),
        variant=_whole_side(variant),
        prompt_end=None if end is None else PromptEndRecord(**asdict(end)),
        margins=_margins(base.generation, variant.generation),
        prompt_end_hidden_distance=prompt_end_hidden_distance(base.generation, variant.generation),
        **shared,
    )


def scores_of_repetitions(
    base: FilteredText, variant: FilteredText, scores: Sequence[Scores]
) -> tuple[dict[str, float | None], ...]:
    """Every number of each repetition, among them the distances that a record holds beside its scores.

    Args:
        base: the base's generation under a filter.
        variant: the first repetition.
        scores: [repetition] as measured.

    Returns:
        [repetition] metric to number, None where missing; empty where there is one repetition only.
    """
    if len(scores) == 1:
        return ()
    found = []
    for one, numbers in zip(repetitions_of(variant), scores, strict=True):
        record = make_record(base, one, numbers.values, numbers.missing, system=None, ladder="")
        found.append({**numbers.values, **recorded_distances(record)})
    return tuple(found)


def _side(filtered: FilteredText) -> tuple[ViewRecord | None, bool]:
    trace = filtered.generation.trace
    return _view(filtered), trace is None or trace.finite


def _view(filtered: FilteredText) -> ViewRecord | None:
    view, answer = filtered.view, filtered.generation.answer
    if view is None:
        return None
    ends = {str(window): end for window, end in view.window_ends.items()}
    if filtered.filter_name != "answer" or answer is None:
        return ViewRecord(ends)
    return ViewRecord(ends, answer.token_start, answer.token_end)


def _whole_side(filtered: FilteredText) -> WholeSideRecord:
    """Everything recorded about one output."""
    generation, trace = filtered.generation, filtered.generation.trace
    answer, ends = generation.answer, generation.token_ends
    collapse = collapse_flags(
        generation.split() if trace is None else trace.content_ids.tolist(),
        cut=trace is not None and trace.cut,
        unclosed=answer is not None and answer.span.status == "unclosed",
    )
    view, finite = _side(filtered)
    span = None if answer is None else answer.span
    if trace is None:
        return WholeSideRecord(view, finite, span, collapse)
    return WholeSideRecord(
        view,
        finite,
        span,
        collapse,
        finish_reason=cast(FinishReason, trace.finish_reason),
        n_tokens=len(trace.token_ids),
        visible_text=None if trace.visible_text == str(generation) else trace.visible_text,
        prompt_token_ids=_packed(trace.prompt_token_ids, "<i4"),
        token_ids=Packed.of(trace.token_ids, "<i4"),
        token_ends=_packed(ends, "<i4"),
        margins=_packed(trace.margins, "<f4"),
        top1_log_probabilities=_packed(trace.top1_log_probabilities, "<f4"),
        entropies=_packed(trace.entropies, "<f4"),
        prompt_end_top_ids=_packed(trace.prompt_end_top_ids, "<i4"),
        prompt_end_top_log_probabilities=_packed(trace.prompt_end_top_log_probabilities, "<f4"),
    )


def _packed(values: NDArray[Any] | None, dtype: str) -> Packed | None:
    return None if values is None else Packed.of(values, dtype)


def _token_path(base: FilteredText, variant: FilteredText) -> TokenPath | None:
    ids, other_ids = _ids(base), _ids(variant)
    if ids is None or other_ids is None:
        return None
    # Each side by itself: a cut answer that is the beginning of a longer one is censored, not diverged.
    traces = (base.generation.trace, variant.generation.trace)
    cuts = tuple(trace is not None and trace.cut for trace in traces)
    divergence = first_divergence(ids, other_ids, cut=(cuts[0], cuts[1]))
    return TokenPath(
        divergence.step, divergence.censored, Packed.of(edit_distance_curve(ids, other_ids), "<i4")
    )


def _ids(filtered: FilteredText) -> TokenIds | None:
    return None if filtered.view is None else filtered.view.token_ids


def _margins(base: Generation, variant: Generation) -> MarginsRecord | None:
    """Margin statistics of both sides, and both margins at the step where the paths part."""
    traces = [each.trace for each in (base, variant) if each.trace is not None]
    margins = [trace.margins for trace in traces if trace.margins is not None]
    if len(margins) < len(SIDES):
        return None
    step = first_divergence(traces[0].content_ids, traces[1].content_ids).step
    of_base, of_variant = (MarginsOfSide(**asdict(margin_statistics(each))) for each in margins)
    at_divergence = (margin_at_divergence(each, step) for each in margins)
    return MarginsRecord(of_base, of_variant, BothMargins(*at_divergence))


def prompt_end_hidden_distance(base: Generation, variant: Generation) -> float:
    """Cosine distance of the final hidden states at the prompt end.

    Returns:
        0 for equal directions to 2 for opposite ones; NaN where an engine shows none.
    """
    if base.trace is None or variant.trace is None:
        return math.nan
    return hidden_distance(base.trace.prompt_end_hidden, variant.trace.prompt_end_hidden)
