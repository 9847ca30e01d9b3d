"""What the results JSON says about one task of a run: system, ladder, decoding, embedder, counts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import AUDIT_STATUSES
from lm_eval_sensitivity.records.fields import Field
from lm_eval_sensitivity.types import RUNGS

DETECTED = "detected"
"""How answers were found where a results file says nothing else: by the tables of `scaffold`."""

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_MOST_LEVELS = 8
"""Objects inside objects in an identity; lm_eval writes three."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LadderStamp:
    """Which ladder a run asked."""

    name: str
    subset: str
    version: str
    hash: str
    """Content hash, 64 hexadecimal digits."""


@dataclass(frozen=True)
class Stamp:
    """What one task of one run was, as its results file says."""

    task: str
    rung: str
    system: str
    """Fingerprint."""
    identity: Mapping[str, Any]
    """What the fingerprint is made of; see docs/samples.md."""
    notes: Mapping[str, Any]
    model_args: Mapping[str, Any]
    """As given to lm_eval; empty where the results file does not hold them as an object."""
    ladder: LadderStamp
    audit: Mapping[str, int]
    decoding_requested: Mapping[str, Any]
    decoding: Mapping[str, Any]
    embedder: Mapping[str, Any]
    reference: str | None
    """Fingerprint of the system that `baseline_drift` is measured from."""
    package_version: str
    n_original: int
    """Pairs of the rung, as lm_eval counted them."""
    n_effective: int
    """Pairs of the rung that were run."""
    limited_by: str
    """`--limit 5`, `--samples`, or empty where the whole rung was run."""
    answer_rule: str = DETECTED
    """How the answers were cut out of the outputs; a rescored run may have another rule."""


def sensitivity_tasks(results: Field) -> tuple[str, ...]:
    """The tasks of this package whose pairs are two greedy outputs, among those of a results file, in its order."""
    return tuple(task for task, summary in _summaries(results) if "sampling" not in summary)


def sampling_tasks(results: Field) -> tuple[str, ...]:
    """The tasks of this package whose pairs are two sets of sampled outputs, in the same order."""
    return tuple(task for task, summary in _summaries(results) if "sampling" in summary)


def _summaries(results: Field) -> list[tuple[str, Collection[str]]]:
    """Our tasks, each with the names in its `metadata.sensitivity`."""
    found: list[tuple[str, Collection[str]]] = []
    for task, config in results["configs"].items():
        metadata = config.value.get("metadata") if isinstance(config.value, dict) else None
        if isinstance(metadata, dict) and "sensitivity" in metadata:
            summary = metadata["sensitivity"]
            found.append((task, summary if isinstance(summary, dict) else ()))
    return found


def read_stamp(results: Field, task: str) -> Stamp:
    """What a results file says about one task.

    Raises:
        InputError: a field is missing or of another kind, or the run measured nothing.
    """
    config = results["configs"][task]
    summary = config["metadata"]["sensitivity"]
    if summary["embedder"].is_null:
        raise InputError(
            f"{results.place}: `{summary.name}.embedder` is null: task {task!r} was run with --predict_only, so its "
            "pairs were not measured. Repeat the run without it."
        )
    counts = results["n-samples"][task]
    n_original, n_effective = counts["original"].integer(1), counts["effective"].integer(1)
    if n_effective > n_original:
        counts["effective"].contradict(f"only {n_original} documents are there to run")
    embedder = summary["embedder"]
    for name in ("name", "weights_sha256"):
        embedder[name].text()
    return Stamp(
        task=task,
        rung=config["dataset_kwargs"]["rung"].one_of(RUNGS),
        system=_matching(summary["system"], _FINGERPRINT, "16 hexadecimal digits"),
        identity=_shallow(summary["identity"]),
        notes=_shallow(summary["notes"]),
        model_args=_model_args(results),
        ladder=_ladder(summary["ladder"]),
        audit={status: count.integer() for status, count in _audit(summary["audit"]).items()},
        decoding_requested=_decoding(summary["decoding_requested"]),
        decoding=_decoding(summary["decoding"]),
        embedder=embedder.object(),
        reference=None if summary["reference"].is_null else summary["reference"]["system"].text(),
        package_version=summary["package_version"].text(),
        n_original=n_original,
        n_effective=n_effective,
        limited_by="" if n_effective == n_original else _limited_by(results),
        answer_rule=_answer_rule(summary),
    )


def _answer_rule(summary: Field) -> str:
    rule = summary.get("answer_rule")
    return DETECTED if rule is None else rule.text()


def _shallow(field: Field, depth: int = _MOST_LEVELS) -> dict[str, Any]:
    """An object as it is; later steps walk through it, and a hostile one could be too deep for that."""
    for _, inner in field.items():
        if isinstance(inner.value, dict):
            if depth == 0:
                inner.refuse("no further object at this depth")
            _shallow(inner, depth - 1)
        elif isinstance(inner.value, list) and any(_nested(each) for each in inner.value):
            inner.refuse("a list of values or of plain lists and objects")
    return field.object()


def _nested(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(each, (list, dict)) for each in inner)


def _ladder(field: Field) -> LadderStamp:
    return LadderStamp(
        name=field["name"].text(),
        subset=field["subset"].text(),
        version=field["version"].text(),
        hash=_matching(field["hash"], _SHA256, "64 hexadecimal digits"),
    )


def _decoding(field: Field) -> dict[str, Any]:
    field["max_gen_toks"].integer(1)
    if not field["greedy"].flag():
        field["greedy"].refuse("true: only greedy outputs are compared")
    return field.object()


def _audit(field: Field) -> dict[str, Field]:
    found = dict(field.items())
    for status in found:
        if status not in AUDIT_STATUSES:
            field.refuse(f"an object with counts of {', '.join(AUDIT_STATUSES)}")
    return found


def _matching(field: Field, pattern: re.Pattern[str], accepted: str) -> str:
    if not isinstance(field.value, str) or not pattern.fullmatch(field.value):
        field.refuse(accepted)
    return str(field.value)


def _model_args(results: Field) -> dict[str, Any]:
    arguments = results["config"].get("model_args")
    return dict(arguments.value) if arguments is not None and isinstance(arguments.value, dict) else {}


def _limited_by(results: Field) -> str:
    limit = results["config"].get("limit")
    if limit is None or limit.is_null:
        # lm_eval does not record --samples; it is the only other way to run a part of a task.
        return "--samples"
    return f"--limit {limit.number(0):g}"
