"""What the results JSON says about one task of a run: system, ladder, decoding, embedder, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from lm_eval_sensitivity.audit.pair import AuditStatus
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.answers import Wrapped
from lm_eval_sensitivity.records.codec import absent, contradiction, decode, refused
from lm_eval_sensitivity.records.sample import Count, Name
from lm_eval_sensitivity.types import Rung

DETECTED = "detected"
"""How answers were found where a results file says nothing else: by the tables of `scaffold`."""

_MOST_LEVELS = 8
"""Objects inside objects in an identity; lm_eval writes three."""
_AtLeastOne = Annotated[int, Field(ge=1, lt=2**31)]


@dataclass(frozen=True)
class LadderIdentity:
    """Which ladder a run asked."""

    name: Name
    subset: Name
    version: Name
    hash: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    """Content hash, 64 hexadecimal digits."""


@dataclass(frozen=True)
class ReferenceOfRun:
    """The run that `baseline_drift` is measured from."""

    folder: str
    system: Name
    """Fingerprint."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """`metadata.sensitivity` of a task, as the harness writes it.

    What the engine says about itself is None where it has not generated anything.
    """

    package_version: Name
    system: Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")] | None
    """Fingerprint."""
    identity: Mapping[str, Any] | None
    """What the fingerprint is made of; see docs/samples.md."""
    notes: Mapping[str, Any] | None
    ladder: LadderIdentity
    audit: Mapping[AuditStatus, Count]
    decoding_requested: Mapping[str, Any]
    decoding: Mapping[str, Any]
    embedder: Mapping[str, Any] | None
    """None after --predict_only."""
    reference: ReferenceOfRun | None
    answer_rule: Name = DETECTED
    """How the answers were cut out of the outputs; a rescored run may have another rule."""
    rows: Mapping[str, float | int | str | None] | None = None
    """`metric,filter` -> value: the rows that lm_eval's table leaves out; None where it has all."""
    summary: tuple[str, ...] = ()
    """The last screen, with the task that ended the run."""
    wrapped: Wrapped | None = None
    """Of a task of lm_eval's whose prompts were edited; None for the tasks of the ladder."""


@dataclass(frozen=True, kw_only=True)
class RunMetadata(RunSummary):
    """What one task of one run was, as its results file says; it generated and measured."""

    system: str
    identity: Mapping[str, Any]
    notes: Mapping[str, Any]
    embedder: Mapping[str, Any]
    task: str
    rung: Rung
    model_args: Mapping[str, Any]
    """As given to lm_eval; empty where the results file does not hold them as an object."""
    n_original: int
    """Pairs of the rung, as lm_eval counted them."""
    n_effective: int
    """Pairs of the rung that were run."""
    limited_by: str
    """`--limit 5`, `--samples`, or empty where the whole rung was run."""

    @property
    def reference_system(self) -> str | None:
        """Fingerprint of the system that `baseline_drift` is measured from."""
        return None if self.reference is None else self.reference.system


def sensitivity_tasks(results: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """The tasks of this package whose pairs are two greedy outputs, among those of a results file, in its order.

    Raises:
        InputError: there is no `configs`.
    """
    return tuple(
        task for task, summary in _summaries(results, place) if not {"sampling", "wrapped"} & summary.keys()
    )


def sampling_tasks(results: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """The tasks of this package whose pairs are two sets of sampled outputs, in the same order.

    Raises:
        InputError: there is no `configs`.
    """
    return tuple(task for task, summary in _summaries(results, place) if "sampling" in summary)


def wrapped_tasks(results: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """The tasks of lm_eval's whose prompts were edited, in the same order.

    Raises:
        InputError: there is no `configs`.
    """
    return tuple(task for task, summary in _summaries(results, place) if "wrapped" in summary)


def _summaries(results: Mapping[str, Any], place: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Our tasks, each with its `metadata.sensitivity`."""
    configs = results.get("configs")
    if configs is None:
        raise absent(place, "configs")
    if not isinstance(configs, dict):
        raise refused(place, "configs", configs, "an object")
    found: list[tuple[str, Mapping[str, Any]]] = []
    for task, config in configs.items():
        metadata = config.get("metadata") if isinstance(config, dict) else None
        if isinstance(metadata, dict) and "sensitivity" in metadata:
            summary = metadata["sensitivity"]
            found.append((task, summary if isinstance(summary, dict) else {}))
    return found


def summary_name(task: str) -> str:
    """Where a results file holds the summary of a task."""
    return f"configs.{task}.metadata.sensitivity"


def read_metadata(results: Mapping[str, Any], task: str, place: str) -> RunMetadata:
    """What a results file says about one task.

    Args:
        results: the parsed file.
        task: one of `sensitivity_tasks`.
        place: the file; opens every message.

    Raises:
        InputError: a field is missing or of another kind, or the run measured nothing.
    """
    name, config = summary_name(task), results["configs"][task]
    written = config["metadata"]["sensitivity"]
    if isinstance(written, dict) and written.get("embedder", 0) is None:
        raise InputError(
            f"{place}: `{name}.embedder` is null: task {task!r} was run with --predict_only, so its "
            "pairs were not measured. Repeat the run without it."
        )
    rung = _field(Rung, config.get("dataset_kwargs"), "rung", place, f"configs.{task}.dataset_kwargs")
    return _read(results, task, place, rung)


def read_wrapped(results: Mapping[str, Any], task: str, place: str) -> RunMetadata:
    """The same of one of `wrapped_tasks`.

    Returns:
        Its answers stand on several rungs, of which this is the one that is asked again.

    Raises:
        InputError: a field is missing or of another kind.
    """
    return _read(results, task, place, "identical")


def _read(results: Mapping[str, Any], task: str, place: str, rung: Rung) -> RunMetadata:
    name, written = summary_name(task), results["configs"][task]["metadata"]["sensitivity"]
    for part in ("identity", "notes"):
        if isinstance(written, dict) and isinstance(written.get(part), dict):
            _shallow(written[part], place, f"{name}.{part}")
    summary = decode(RunSummary, written, place, name)
    for part, kind in (("system", str), ("identity", dict[str, Any]), ("notes", dict[str, Any])):
        decode(kind, getattr(summary, part), place, f"{name}.{part}")
    for part in ("decoding_requested", "decoding"):
        _field(_AtLeastOne, getattr(summary, part), "max_gen_toks", place, f"{name}.{part}")
        # Only greedy outputs are compared.
        _field(Literal[True], getattr(summary, part), "greedy", place, f"{name}.{part}")
    for part in ("name", "weights_sha256"):
        _field(Name, summary.embedder, part, place, f"{name}.embedder")
    counts = _field(dict[str, _AtLeastOne], results.get("n-samples"), task, place, "n-samples")
    original, effective = (
        _field(_AtLeastOne, counts, each, place, f"n-samples.{task}") for each in ("original", "effective")
    )
    if effective > original:
        other = f"only {original} documents are there to run"
        raise contradiction(place, f"n-samples.{task}.effective", effective, other)
    return RunMetadata(
        **vars(summary),
        task=task,
        rung=rung,
        model_args=_model_args(results),
        n_original=original,
        n_effective=effective,
        limited_by="" if effective == original else _limited_by(results),
    )


def _field(kind: Any, holder: Any, field: str, place: str, name: str) -> Any:
    """One value of an object, of a kind that pydantic knows."""
    if not isinstance(holder, Mapping) or field not in holder:
        raise absent(place, f"{name}.{field}")
    return decode(kind, holder[field], place, f"{name}.{field}")


def _shallow(value: Mapping[str, Any], place: str, name: str, depth: int = _MOST_LEVELS) -> None:
    """Later steps walk through an object, and a hostile one could be too deep for that."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            if depth == 0:
                raise refused(place, f"{name}.{key}", inner, "no further object at this depth")
            _shallow(inner, place, f"{name}.{key}", depth - 1)
        elif isinstance(inner, list) and any(_nested(each) for each in inner):
            raise refused(place, f"{name}.{key}", inner, "a list of values or of plain lists and objects")


def _nested(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(each, (list, dict)) for each in inner)


def _model_args(results: Mapping[str, Any]) -> dict[str, Any]:
    config = results.get("config")
    arguments = config.get("model_args") if isinstance(config, dict) else None
    return dict(arguments) if isinstance(arguments, dict) else {}


def _limited_by(results: Mapping[str, Any]) -> str:
    config = results.get("config")
    limit = config.get("limit") if isinstance(config, dict) else None
    if isinstance(limit, (int, float)) and limit >= 0:
        return f"--limit {limit:g}"
    return "--samples"  # lm_eval does not record it; it is the only other way to run a part of a task
