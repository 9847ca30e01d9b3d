"""Outputs and traces as JSON records: the form in which the response store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lm_eval_sensitivity.harness.generate.generation import Output, Trace
from lm_eval_sensitivity.records.packing import pack, unpack

_INTEGERS = ("prompt_token_ids", "token_ids", "prompt_end_top_ids")
_FLOATS = ("margins", "top1_log_probabilities", "entropies", "prompt_end_top_log_probabilities")
_OPTIONAL_FLOATS = ("hidden_mean", "prompt_end_hidden", "prompt_end_log_probabilities")


def output_to_record(output: Output, *, with_distribution: bool) -> dict[str, Any]:
    """A record from which `output_from_record` gives the same output, to the bit.

    Args:
        output: a traced output.
        with_distribution: keep the prompt-end distribution (as large as the vocabulary): only bases need it.
    """
    trace = output.trace
    assert trace is not None  # engines without a tracer store text themselves
    record: dict[str, Any] = {
        "text": output.text,
        "visible_text": trace.visible_text,
        "finish_reason": trace.finish_reason,
    }
    record |= {name: pack(getattr(trace, name), "<i4") for name in _INTEGERS}
    record |= {name: pack(getattr(trace, name), "<f4") for name in _FLOATS}
    for name in _OPTIONAL_FLOATS:
        values = getattr(trace, name)
        if values is not None and (with_distribution or name != "prompt_end_log_probabilities"):
            record[name] = pack(values, "<f4")
    return record


def output_from_record(record: Mapping[str, Any]) -> Output:
    """The output that a record was made from.

    Raises:
        ValueError: a packed array is damaged.
        KeyError: a field is missing.
    """
    arrays: dict[str, Any] = {name: unpack(record[name]) for name in (*_INTEGERS, *_FLOATS)}
    arrays |= {name: unpack(record[name]) if name in record else None for name in _OPTIONAL_FLOATS}
    trace = Trace(
        **arrays,
        finish_reason=str(record["finish_reason"]),
        visible_text=str(record["visible_text"]),
    )
    return Output(text=str(record["text"]), trace=trace)
