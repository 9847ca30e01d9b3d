"""Outputs and traces as JSON records: the form in which the response store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lm_eval_sensitivity.harness.generate.generation import CHANNEL_OF, Output, Trace
from lm_eval_sensitivity.records.packing import pack, unpack

_ARRAYS = {
    **dict.fromkeys(("token_ids", "prompt_token_ids", "prompt_end_top_ids"), "<i4"),
    **{name: "<f4" for name in CHANNEL_OF if name != "prompt_end_top_ids"},
}


def output_to_record(output: Output, *, with_distribution: bool) -> dict[str, Any]:
    """A record from which `output_from_record` gives the same output, to the bit.

    Args:
        output: with whatever channels it has.
        with_distribution: keep the prompt-end distribution (as large as the vocabulary): only bases need it.

    Returns:
        Plain JSON values; arrays are packed.
    """
    trace = output.trace
    record: dict[str, Any] = {"text": output.text}
    if output.n_prompt_tokens is not None:
        record["n_prompt_tokens"] = output.n_prompt_tokens
    if trace is None:
        return record
    record |= {"visible_text": trace.visible_text, "finish_reason": trace.finish_reason}
    if trace.token_bytes is not None:
        record["token_bytes"] = [each.decode("latin-1") for each in trace.token_bytes]
    for name, dtype in _ARRAYS.items():
        values = getattr(trace, name)
        if values is not None and (with_distribution or name != "prompt_end_log_probabilities"):
            record[name] = pack(values, dtype)
    return record


def output_from_record(record: Mapping[str, Any]) -> Output:
    """The output that a record was made from.

    Returns:
        The output; without a trace where the record has text only.

    Raises:
        ValueError: a packed array is damaged.
        KeyError: a field is missing.
    """
    count = record.get("n_prompt_tokens")
    if "token_ids" not in record:
        return Output(str(record["text"]), n_prompt_tokens=count)
    pieces = record.get("token_bytes")
    arrays: dict[str, Any] = {name: unpack(record[name]) for name in _ARRAYS if name in record}
    trace = Trace(
        **arrays,
        finish_reason=str(record["finish_reason"]),
        visible_text=str(record["visible_text"]),
        token_bytes=None if pieces is None else tuple(each.encode("latin-1") for each in pieces),
    )
    return Output(str(record["text"]), trace, count)
