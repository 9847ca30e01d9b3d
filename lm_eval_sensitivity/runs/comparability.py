"""What systems must have in common, or their distances are not comparable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.runs.rung_samples import RungSamples
from lm_eval_sensitivity.runs.select_runs import omitted
from lm_eval_sensitivity.text.escape import inert, shown, shown_path
from lm_eval_sensitivity.types import Note

_NOISE_RUNG = "identical"
COMMON_PAIRS = "common pairs of"
"""How the subset begins to which runs of different subsets were cut."""

_Mismatch = tuple[RungSamples, RungSamples, str]
"""A rung, the one that it cannot stand beside, and the field below `metadata.sensitivity` that differs."""

_FIELDS = {
    "ladder.version": "The version of the ladder",
    "ladder.hash": "The hash of the ladder",
    "decoding_requested.max_gen_toks": "The token limit (`max_gen_toks`)",
    "decoding_requested.until": "The list of stop strings (`until`)",
    "decoding_requested.greedy": "Greedy decoding",
    "decoding.max_gen_toks": "The token limit that the context leaves (`max_gen_toks`)",
    "embedder.weights_sha256": "The sha256 of the embedder's weights",
    "embedder.max_tokens": "The token limit of the embedder",
    "answer_rule": "The rule for answers",
    "reference.system": "The reference's fingerprint",
}
"""Fields below `metadata.sensitivity`, in the user's words."""
_WHY = {
    "ladder": "other prompts were asked",
    "decoding_requested": "outputs were decoded in another way",
    "decoding": "outputs had another token limit",
    "embedder": "another embedder measures in another scale",
    "answer_rule": "answers were cut out of the outputs by another rule",
    "reference": "drift was measured from another system",
}


def comparable(rungs: Sequence[RungSamples], *, exclude: bool) -> tuple[list[RungSamples], list[Note]]:
    """The rungs that can stand beside the first of them.

    Args:
        rungs: of all folders.
        exclude: leave out what differs, instead of refusing.

    Returns:
        [rung] those, and a note for every system, file and field that differs.

    Raises:
        InputError: ladder, decoding, embedder or reference of one differs.
    """
    found = _mismatches(rungs)
    if found and not exclude:
        more = f" ({len(found) - 1} more rungs differ.)" if len(found) > 1 else ""
        raise InputError(
            f"{_sentence(*found[0])}{more} {_advice(*found[0])}, or give `--exclude-mismatched` to leave out what "
            "differs from the first run."
        )
    groups: dict[tuple[Path, str, str], list[_Mismatch]] = {}
    for rung, other, field in found:
        groups.setdefault((rung.results, rung.metadata.system, field), []).append((rung, other, field))
    excluded = {id(rung) for rung, _, _ in found}
    kept = [rung for rung in rungs if id(rung) not in excluded]
    return kept, [
        omitted(f"system {system}, {_count(group)}", _sentence(*group[0]))
        for (_, system, _), group in groups.items()
    ]


def _count(group: Sequence[_Mismatch]) -> str:
    rungs = [rung.metadata.rung for rung, _, _ in group]
    return f"{'rungs' if len(rungs) > 1 else 'rung'} {', '.join(rungs)}"


def _mismatches(rungs: Sequence[RungSamples]) -> list[_Mismatch]:
    found = []
    drift = next((rung for rung in rungs if rung.metadata.reference is not None), None)
    for rung in rungs:
        for other, is_drift in ((rungs[0], False), (drift, True)):
            field = None if other is None else _first_difference(rung, other, drift=is_drift)
            if other is not None and field is not None:
                found.append((rung, other, field))
                break
    return found


def _first_difference(rung: RungSamples, other: RungSamples, *, drift: bool) -> str | None:
    ours, theirs = _compared(rung, drift=drift), _compared(other, drift=drift)
    if ours.get("reference.system") is None or theirs.get("reference.system") is None:
        # A run without a reference has no drift to compare.
        ours.pop("reference.system", None)
    if _of_one_ladder(rung, other):
        ours.pop("ladder.hash", None)
    return next((field for field, value in ours.items() if value != theirs[field]), None)


def _of_one_ladder(rung: RungSamples, other: RungSamples) -> bool:
    """Whether the pairs that both have are the same pairs: subsets of one ladder share their rows."""
    ours, theirs = rung.metadata.ladder, other.metadata.ladder
    is_same = (ours.name, ours.version) == (theirs.name, theirs.version)
    return is_same and rung.against_ladder and other.against_ladder


TOLD_BY = ("architecture", "tokenizer", "transformers")
"""Parts of an identity that tell another model from a changed copy."""


def another_part(own: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """What shows that a system is another model than its reference, not a copy that was rounded or tuned.

    Args:
        own: identity of the system.
        reference: identity of the reference.

    Returns:
        `tokenizer` or `architecture`; empty where neither tells, as of engines that cannot be looked into.

    Example:
        >>> another_part({"architecture": "Qwen2ForCausalLM"}, {"architecture": "LlamaForCausalLM"})
        'architecture'
    """
    architecture, tokenizer, version = ((own.get(name), reference.get(name)) for name in TOLD_BY)
    # Another version writes the same tokenizer down in another way.
    if None not in tokenizer and tokenizer[0] != tokenizer[1] and version[0] == version[1]:
        return "tokenizer"
    # An adapter puts a class of its own around that of the model.
    adapted = any(str(name).startswith("Peft") for name in architecture)
    differs = None not in architecture and architecture[0] != architecture[1]
    return "architecture" if differs and not adapted else ""


def common_pairs(rungs: Sequence[RungSamples]) -> tuple[list[RungSamples], list[Note]]:
    """Runs of different subsets of one ladder, cut to the pairs that all systems have.

    The rung `identical` is left as it is: it is each system's own noise, and is not compared between systems.

    Args:
        rungs: that can stand beside each other.

    Returns:
        The rungs as they are where all are of one subset. Otherwise with their common pairs, a ladder identity of
        their own, and a note with the counts.

    Raises:
        InputError: they have no pair in common.
    """
    ladders = {rung.metadata.ladder.hash: rung.metadata.ladder for rung in rungs}
    if len(ladders) < 2:
        return list(rungs), []
    shared: dict[str, set[str]] = {}
    for rung in rungs:
        ids = set(rung.table["pair_id"].to_pylist())
        shared[rung.metadata.rung] = shared.get(rung.metadata.rung, ids) & ids
    compared = {pair_id for rung, ids in shared.items() if rung != _NOISE_RUNG for pair_id in ids}
    subsets = " and ".join(sorted(f"`{inert(ladder.subset)}`" for ladder in ladders.values()))
    if not compared:
        raise InputError(
            f"The runs asked {subsets} of one ladder, which have no pair in common on these rungs."
        )
    digest = hashlib.sha256("\n".join([*sorted(ladders), *sorted(compared)]).encode()).hexdigest()
    first = rungs[0].metadata.ladder
    identity = replace(first, subset=f"{COMMON_PAIRS} {subsets.replace('`', '')}", hash=digest)
    kept = [_cut(rung, shared[rung.metadata.rung], identity) for rung in rungs]
    n_prompts = len({pair_id.rsplit("/", 1)[0] for pair_id in compared})
    text = (
        f"The runs asked different subsets of the ladder, {subsets}: their {len(compared)} common pairs of {n_prompts} "
        "prompts are compared."
    )
    return [rung for rung in kept if rung.n_pairs], [Note("remark", text)]


def _cut(rung: RungSamples, ids: set[str], identity: LadderIdentity) -> RungSamples:
    metadata = replace(rung.metadata, ladder=identity)
    if rung.metadata.rung == _NOISE_RUNG:
        return replace(rung, metadata=metadata)
    table = rung.table.filter(pc.is_in(rung.table["pair_id"], pa.array(sorted(ids), pa.string())))
    return replace(rung, metadata=metadata, table=table, n_pairs=len(ids), n_expected=len(ids))


def _compared(rung: RungSamples, *, drift: bool) -> dict[str, Any]:
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
    ours, theirs = (_whole(_compared(each, drift=drift)[field]) for each in (rung, other))
    places = [shown_path(each.results.parent) for each in (rung, other)]
    return f"{_FIELDS[field]} is {ours} in {places[0]}, but {theirs} in {places[1]}: {_WHY[field.split('.')[0]]}."


def _advice(rung: RungSamples, other: RungSamples, field: str) -> str:
    """What to do, in the words of the command that does it."""
    part, _, name = field.partition(".")
    if name == "max_gen_toks":
        limit = other.metadata.decoding_requested.get(name)
        place = shown_path(rung.results.parent)
        return f"Run {place} again with `--gen_kwargs max_gen_toks={shown(limit)}`"
    if part == "answer_rule" and rung.metadata.wrapped is not None:
        return "Choose one with `--row`"
    if part in ("embedder", "answer_rule"):
        return "Measure both alike with `lm-eval-sensitivity rescore`"
    return "Repeat one of the runs"


def _whole(value: Any) -> str:
    """Short lists are shown: stop strings are what differs in them."""
    return inert(repr(value))[:120] if isinstance(value, list) else shown(value)
