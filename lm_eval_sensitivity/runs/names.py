"""Display names: a model's name, and of what else differs as little as tells the systems apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from lm_eval_sensitivity.records.run_metadata import RunMetadata
from lm_eval_sensitivity.text.escape import inert

_LONGEST_NAME = 80
_LONGEST_VALUE = 24
_MOST_FACETS = 3
"""Largest number of differences that is tried; beyond it the fingerprint tells systems apart."""

_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "float64": "fp64"}
_QUIET = ("decoding", "prompt")
"""Parts of an identity that facets with words of their own stand for."""


def display_names(all_metadata: Sequence[RunMetadata]) -> list[str]:
    """One label per system, all different, whatever the order of the systems.

    Args:
        all_metadata: one per system; fingerprints are all different.

    Returns:
        [system] labels.
    """
    short = [model_name(metadata.identity, metadata.notes).rsplit("/", 1)[-1] for metadata in all_metadata]
    labels = list(short)
    for name in dict.fromkeys(short):
        group = [index for index, other in enumerate(short) if other == name]
        if len(group) > 1:
            chosen = _differences([_facets(all_metadata[index]) for index in group])
            for index, words in zip(group, chosen, strict=True):
                labels[index] = " ".join([name, words]) if words else name
    # Two groups may meet in one label, and facets may run out.
    return [
        label if labels.count(label) == 1 else f"{label} {metadata.system}"
        for label, metadata in zip(labels, all_metadata, strict=True)
    ]


def _differences(facets: Sequence[Mapping[str, str]]) -> list[str]:
    """The words of the fewest facets that differ between all members of a group."""
    # Those with words of their own first, as they stand, then the others by name, whatever the order of the systems.
    every = sorted(
        {name: "" for each in facets for name in each}, key=lambda name: name if name.startswith("~") else ""
    )
    names = [name for name in every if len({each.get(name, "") for each in facets}) > 1]
    for size in range(1, _MOST_FACETS + 1):
        for chosen in combinations(names, size):
            words = [", ".join(filter(None, (each.get(name, "") for name in chosen))) for each in facets]
            if len(set(words)) == len(words):
                return words
    return [""] * len(facets)


def _facets(metadata: RunMetadata) -> dict[str, str]:
    """What may tell this system from another of the same name, in words.

    Those with words of their own stand first, most telling ones before others; the rest of an identity is named ~.
    """
    identity, notes = metadata.identity, metadata.notes
    prompt = identity.get("prompt") if isinstance(identity.get("prompt"), Mapping) else {}
    assert isinstance(prompt, Mapping)
    name = model_name(metadata.identity, metadata.notes)
    adapters = [f"{kind} {_value(notes[kind])}" for kind in ("peft", "delta") if notes.get(kind)]
    spoken = {
        "precision": precision(identity),
        "thinking": _thinking(metadata, prompt),
        "template": _template(prompt),
        "instruction": f"system text {_value(prompt['system_instruction'])}"
        if prompt.get("system_instruction")
        else "",
        "limit": f"{metadata.decoding['max_gen_toks']} tokens",
        "owner": f"of {_value(name.rsplit('/', 1)[0])}" if "/" in name else "",
        "revision": f"revision {_value(notes['revision'])}" if notes.get("revision") else "",
        "adapter": ", ".join(adapters),
        "device": _value(identity.get("device")),
        "attention": _value(identity.get("attention")),
        "engine": _value(identity.get("engine")),
    }
    rest = {
        f"~{key}": f"{key} {_value(value)}"
        for key, value in _flat(identity)
        if key.split(".")[0] not in (*_QUIET, "device", "attention", "engine")
    }
    # Whatever words do not say: the rendering of the template, stop strings, a changed part of an identity.
    parts = {f"~~{key}": f"{key} {_digest(identity[key])}" for key in _QUIET if key in identity}
    return {**spoken, **{inert(key): inert(text) for key, text in {**rest, **parts}.items()}}


def model_name(identity: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    """What a system's model was called, inert; the end of a long name."""
    arguments = identity.get("model_args")
    arguments = arguments if isinstance(arguments, Mapping) else {}
    candidates = (
        notes.get("model"),
        identity.get("model"),
        arguments.get("pretrained"),
        arguments.get("model"),
        identity.get("engine"),
    )
    found = next((each for each in candidates if isinstance(each, str) and each.strip(" /")), "model")
    return inert(found.strip(" /")[-_LONGEST_NAME:])


def precision(identity: Mapping[str, Any]) -> str:
    """`bf16`, `int8`, `4bit nf4`, `gptq 4bit`; empty where the identity does not say."""
    dtype = _value(identity.get("dtype"))
    quantization = identity.get("quantization")
    if not isinstance(quantization, Mapping):
        return _DTYPES.get(dtype, dtype)
    if quantization.get("load_in_8bit"):
        return "int8"
    method = quantization.get("quant_method")
    if quantization.get("load_in_4bit"):
        return f"4bit {_value(quantization.get('bnb_4bit_quant_type'))}".strip()
    bits = quantization.get("bits")
    return f"{_value(method)} {_value(bits)}bit".strip() if bits else _value(method) or "quantized"


def _thinking(metadata: RunMetadata, prompt: Mapping[str, Any]) -> str:
    arguments = metadata.model_args.get("chat_template_args")
    switch = metadata.model_args.get("enable_thinking")
    if switch is None and isinstance(arguments, Mapping):
        switch = arguments.get("enable_thinking", arguments.get("thinking"))
    if switch is None:
        # Templates that are told not to think put an empty scaffold before the answer.
        probe = prompt.get("rendered_probe")
        closed = isinstance(probe, str) and "".join(probe.split()).endswith("<think></think>")
        return "thinking off" if closed else ""
    return "thinking off" if str(switch).lower() in ("false", "0") else "thinking on"


def _template(prompt: Mapping[str, Any]) -> str:
    return "no chat template" if prompt.get("chat_template_applied") is False else ""


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key in sorted(value):
        inner = value[key]
        name = f"{prefix}{key}"
        pairs += _flat(inner, f"{name}.") if isinstance(inner, Mapping) else [(name, inner)]
    return pairs


def _value(value: Any) -> str:
    """A value in a label: inert and short; a long one by its first letters and a digest, so that it stays apart."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if len(text) > _LONGEST_VALUE:
        text = f"{text[:8]}~{_digest(value)[:4]}"
    return inert(text)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]
