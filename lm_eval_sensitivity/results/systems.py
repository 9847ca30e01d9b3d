"""Systems for a results folder: what a reader should know of each, and which are levels of one model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lm_eval_sensitivity.records.limits import LONGEST_NAME
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.runs.comparability import TOLD_BY
from lm_eval_sensitivity.runs.names import model_name, precision
from lm_eval_sensitivity.text.escape import inert

_BITS = {"float64": 64, "float32": 32, "bfloat16": 16, "float16": 16}
_OF_A_LEVEL = ("dtype", "quantization", "weights", "config", "autocast")
"""Parts of an identity in which quantizations of one model differ: the weights are summed up in memory."""


def facts(system: System) -> Iterator[tuple[str, str]]:
    """What a reader should know of a system.

    Returns:
        (label, value), values inert and cut; what the run does not say is left out.
    """
    identity, notes = system.identity, system.notes
    prompt = identity.get("prompt")
    applied = prompt.get("chat_template_applied") if isinstance(prompt, Mapping) else None
    template = {True: "applied", False: "not applied"}.get(applied) if isinstance(applied, bool) else None
    found = (
        ("Model", without_path(model_name(identity, notes))),
        ("Revision", notes.get("revision")),
        ("Adapter", without_path(notes.get("peft") or notes.get("delta"))),
        ("Precision", precision(identity)),
        ("Engine", identity.get("engine")),
        ("Device", identity.get("device")),
        ("Attention", identity.get("attention")),
        ("Chat template", template),
        *((name.capitalize(), identity.get(name)) for name in TOLD_BY),
        ("Pairs run", f"{system.n_pairs} of {system.n_expected}"),
        ("Measured with", f"lm-eval-sensitivity {system.package_version}"),
    )
    for label, value in (*found, *(("Run in part", phrase) for phrase in system.partial)):
        if isinstance(value, str) and value.strip():
            yield label, inert(value)[:LONGEST_NAME]


def without_path(name: object) -> str | None:
    """A name, without the folders of the machine that it lay on.

    Args:
        name: of a model, an adapter or an embedder; one on the Hub has one slash at most.

    Returns:
        The name, or the last part of a path; None for what is no text.

    Example:
        >>> without_path("org/model"), without_path("home/me/models/x")
        ('org/model', 'x')
    """
    if not isinstance(name, str):
        return None
    name = name.replace("\\", "/")
    return name if name.count("/") <= 1 and not name.startswith(("/", "~", ".")) else name.rsplit("/", 1)[-1]


def found_series(systems: Sequence[System]) -> dict[str, tuple[int, ...]]:
    """Systems of one model that differ in their precision only, from the most bits to the least.

    Only what an identity states counts: a name on the Hub may say anything, and another checkpoint is another
    model. Such series are named by the user.

    Args:
        systems: in alphabetical order.

    Returns:
        Indices of the levels, by name of the series.
    """
    groups: dict[str, list[tuple[int, int]]] = {}
    for index, system in enumerate(systems):
        bits = _bits(system.identity)
        if bits is not None:
            rest = {key: value for key, value in system.identity.items() if key not in _OF_A_LEVEL}
            notes = {key: system.notes.get(key) for key in ("model", "revision", "peft", "delta")}
            key = json.dumps([rest, notes], sort_keys=True, default=repr)
            groups.setdefault(key, []).append((-bits, index))
    series: dict[str, tuple[int, ...]] = {}
    for group in groups.values():
        if len({bits for bits, _ in group}) > 1:
            members = tuple(index for _, index in sorted(group))
            first = systems[members[0]]
            name = without_path(model_name(first.identity, first.notes)) or "model"
            taken = sum(each.split(" (series ")[0] == name for each in series)
            series[f"{name} (series {taken + 1})" if taken else name] = members
    return series


def _bits(identity: Mapping[str, Any]) -> int | None:
    """Bits of a weight; None where the identity does not say."""
    quantization = identity.get("quantization")
    if quantization is None:
        return _BITS.get(str(identity.get("dtype")))
    if not isinstance(quantization, Mapping):
        return None
    if quantization.get("load_in_8bit"):
        return 8
    if quantization.get("load_in_4bit"):
        return 4
    bits = quantization.get("bits")
    return bits if type(bits) is int and 0 < bits < 64 else None
