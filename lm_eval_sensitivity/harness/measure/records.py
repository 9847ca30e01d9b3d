"""The parts of a sample row: compact, complete, and readable without the model or this package.

Arrays are packed (see `packing`); text stays text. A run folder alone is enough to recompute every
number except those made from whole distributions and hidden states, which are stored as numbers.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from numpy.typing import ArrayLike

from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, Trace
from lm_eval_sensitivity.metrics import (
    collapse_flags,
    first_divergence,
    hidden_distance,
    margin_at_divergence,
    margin_statistics,
)
from lm_eval_sensitivity.records.packing import pack


def view_record(filtered: FilteredText) -> dict[str, Any] | None:
    """Where the view of one side begins and ends; None where it has nothing to score.

    The text itself stands in `filtered_resps` of the row.
    """
    view, answer = filtered.view, filtered.generation.answer
    if view is None:
        return None
    record: dict[str, Any] = {"window_ends": {str(w): end for w, end in view.window_ends.items()}}
    if filtered.filter_name == "answer" and answer is not None:
        record |= {"token_start": answer.token_start, "token_end": answer.token_end}
    return record


def generation_record(generation: Generation) -> dict[str, Any]:
    """Everything recorded about one output."""
    trace, answer = generation.trace, generation.answer
    unclosed = answer is not None and answer.span.status == "unclosed"
    record: dict[str, Any] = {
        "answer": None if answer is None else asdict(answer.span),
        "collapse": asdict(
            collapse_flags(
                generation.split() if trace is None else trace.content_ids.tolist(),
                cut=trace is not None and trace.cut,
                unclosed=unclosed,
            )
        ),
    }
    return record if trace is None else record | _trace_record(trace, generation)


def _trace_record(trace: Trace, generation: Generation) -> dict[str, Any]:
    text, ends = str(generation), generation.token_ends
    return {
        "finish_reason": trace.finish_reason,
        "n_tokens": len(trace.token_ids),
        # Kept only where special tokens make it differ: scaffolds are found on this text.
        "visible_text": None if trace.visible_text == text else trace.visible_text,
        "prompt_token_ids": _packed(trace.prompt_token_ids, "<i4"),
        "token_ids": pack(trace.token_ids, "<i4"),
        "token_ends": _packed(ends, "<i4"),
        "margins": _packed(trace.margins, "<f4"),
        "top1_log_probabilities": _packed(trace.top1_log_probabilities, "<f4"),
        "entropies": _packed(trace.entropies, "<f4"),
        "prompt_end_top_ids": _packed(trace.prompt_end_top_ids, "<i4"),
        "prompt_end_top_log_probabilities": _packed(trace.prompt_end_top_log_probabilities, "<f4"),
    }


def _packed(values: ArrayLike | None, dtype: str) -> dict[str, Any] | None:
    return None if values is None else pack(values, dtype)


def margins_record(base: Generation, variant: Generation) -> dict[str, Any] | None:
    """Margin statistics of both sides, and both margins at the step where the paths part."""
    if base.trace is None or variant.trace is None:
        return None
    sides = {"base": base.trace.margins, "variant": variant.trace.margins}
    if any(margins is None for margins in sides.values()):
        return None
    step = first_divergence(base.trace.content_ids, variant.trace.content_ids).step
    return {
        **{
            side: asdict(margin_statistics(margins)) for side, margins in sides.items() if margins is not None
        },
        "at_divergence": {
            side: margin_at_divergence(margins, step)
            for side, margins in sides.items()
            if margins is not None
        },
    }


def prompt_end_hidden_distance(base: Generation, variant: Generation) -> float:
    """Cosine distance of the final hidden states at the prompt end; NaN where an engine shows none."""
    if base.trace is None or variant.trace is None:
        return math.nan
    return hidden_distance(base.trace.prompt_end_hidden, variant.trace.prompt_end_hidden)
