"""What systems must have in common, or their distances are not comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.text.escape import inert, shown, shown_path

_WHY = {
    "ladder": "other prompts were asked",
    "decoding_requested": "outputs were decoded in another way",
    "decoding": "outputs had another token limit",
    "embedder": "another embedder measures in another scale",
    "answer_rule": "answers were cut out of the outputs by another rule",
    "reference": "drift was measured from another system",
}


@dataclass(frozen=True)
class Mismatch:
    """One rung of one system that cannot stand beside the first one."""

    rung: RungSamples
    field: str
    """Below `metadata.sensitivity` of its results file."""
    sentence: str
    """Names both files and the field."""


def mismatches(rungs: Sequence[RungSamples]) -> list[Mismatch]:
    """Everything that differs from the first of them in ladder, decoding, embedder or reference."""
    found = []
    drift = next((rung for rung in rungs if rung.metadata.reference is not None), None)
    for rung in rungs:
        for other, is_drift in ((rungs[0], False), (drift, True)):
            field = None if other is None else _first_difference(rung, other, drift=is_drift)
            if other is not None and field is not None:
                found.append(Mismatch(rung, field, _sentence(rung, other, field)))
                break
    return found


def _first_difference(rung: RungSamples, other: RungSamples, *, drift: bool) -> str | None:
    ours, theirs = _comparable(rung, drift=drift), _comparable(other, drift=drift)
    if ours.get("reference.system") is None or theirs.get("reference.system") is None:
        # A run without a reference has no drift to compare.
        ours.pop("reference.system", None)
    return next((field for field, value in ours.items() if value != theirs[field]), None)


def _comparable(rung: RungSamples, *, drift: bool) -> dict[str, Any]:
    """Value by field of `metadata.sensitivity`; the fields that decide first."""
    metadata = rung.metadata
    if drift:
        return {"reference.system": metadata.reference_system}
    requested: Mapping[str, Any] = metadata.decoding_requested
    return {
        "ladder.version": metadata.ladder.version,
        "ladder.hash": metadata.ladder.hash,
        **{f"decoding_requested.{name}": requested.get(name) for name in ("max_gen_toks", "until", "greedy")},
        # A short context may have lowered the limit that was asked for.
        "decoding.max_gen_toks": metadata.decoding["max_gen_toks"],
        **{f"embedder.{name}": metadata.embedder.get(name) for name in ("weights_sha256", "max_tokens")},
        "answer_rule": metadata.answer_rule,
    }


def _sentence(rung: RungSamples, other: RungSamples, field: str) -> str:
    drift = field.startswith("reference")
    ours, theirs = (_comparable(each, drift=drift)[field] for each in (rung, other))
    name = f"configs.{inert(rung.metadata.task)}.metadata.sensitivity.{field}"
    return (
        f"{shown_path(rung.results)}: `{name}` is {_whole(ours)}, but {_whole(theirs)} in {shown_path(other.results)}: "
        f"{_WHY[field.split('.')[0]]}."
    )


def _whole(value: Any) -> str:
    """Short lists are shown: stop strings are what differs in them."""
    return inert(repr(value))[:120] if isinstance(value, list) else shown(value)
