"""How far a system's outputs are from a reference's on the identical prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.embedder import DEFAULT_MODEL, TextDistances, load_embedder
from lm_eval_sensitivity.embedder.load import DEFAULT_SHA256
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import DRIFT
from lm_eval_sensitivity.runs import ReferenceOutput, Runs, System, base_outputs, missing_drift
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, TEXT_METRICS, Selection
from lm_eval_sensitivity.text.escape import one_line, shown
from lm_eval_sensitivity.types import Missing


@dataclass(frozen=True)
class Drift:
    """Drift of one system, by prompt."""

    system: str
    values: Mapping[str, float] = field(repr=False)
    """Distance by prompt id, for prompts that have one."""
    missing: Mapping[str, Missing] = field(repr=False)
    """Reason by prompt id, for the others."""
    source: str
    """Where the numbers are from, in words."""
    message: str = ""
    """Why none could be measured."""

    @property
    def reasons(self) -> dict[str, int]:
        """Prompts by the kind of reason, in its order of letters."""
        return dict(sorted(Counter(reason.kind for reason in self.missing.values()).items()))


def measure_drift(
    table: pa.Table,
    system: System,
    reference: System,
    selection: Selection,
    distances: Callable[[], TextDistances],
) -> Drift:
    """Drift of a system, from its run where that measured it from this reference, else from the samples.

    Args:
        table: from `load_runs`.
        system: the candidate.
        reference: the system it is compared with.
        selection: metric and filter; a distance of texts.
        distances: gives the embedder of the runs, when it is needed; an `InputError` of it becomes the
            reason of every prompt.
    """
    if system.reference == reference.fingerprint and selection.metric == PRIMARY_METRIC:
        return recorded_drift(table, system.name, reference.fingerprint, selection.filter_name)
    try:
        return _recomputed(table, system, reference, selection, distances())
    except InputError as error:
        missing = dict.fromkeys(_prompts(table, system.name), Missing("not measured"))
        return Drift(system.name, {}, missing, "not measured", one_line(error))


def measure_drifts(
    pairs: Runs, reference: System, selection: Selection, embedder: str | None
) -> dict[str, Drift]:
    """Drift of every system but the reference, by name.

    Args:
        pairs: the runs.
        reference: one of their systems.
        selection: metric and filter.
        embedder: of the runs, where it is not the default one.
    """

    @cache
    def distances() -> TextDistances:
        return find_distances(reference.embedder, embedder)

    return {
        system.name: measure_drift(pairs.table, system, reference, selection, distances)
        for system in pairs.systems
        if system is not reference
    }


def check_drift_metric(selection: Selection) -> None:
    """Refuse what is no distance of two texts.

    Raises:
        InputError: which metrics are accepted.
    """
    if selection.metric not in TEXT_METRICS:
        raise InputError(
            f"`--metric {selection.metric}`: drift compares texts of two systems, which may have different tokens and "
            "states. Accepted are cosine_distance and its windows, as in cosine_distance_64."
        )


def find_distances(recorded: Mapping[str, Any], name: str | None) -> TextDistances:
    """Distances under the embedder that the runs were measured with.

    A name that stands in a run is never loaded: it is a stranger's. Only the default embedder is known by
    its checksum; any other is named by the user.

    Args:
        recorded: what the runs say about their embedder.
        name: `--embedder`.

    Raises:
        InputError: it cannot be loaded, or is another one.
    """
    is_default = recorded.get("weights_sha256") == DEFAULT_SHA256["model.safetensors"]
    if name is None and not is_default:
        raise InputError(
            f"the runs were measured with the embedder {shown(recorded.get('name'))}, which is not the default one "
            f"({DEFAULT_MODEL}). Give it with `--embedder`, or measure drift in the run with its option `reference`."
        )
    embedder = load_embedder(name)
    for wanted in ("weights_sha256", "max_tokens"):
        found = getattr(embedder.identity, wanted)
        if recorded.get(wanted) != found:
            raise InputError(
                f"the embedder {embedder.identity.name} has {wanted} {shown(found)}, and that of the runs has "
                f"{shown(recorded.get(wanted))}: drift would be in another scale. Give the embedder of the runs with "
                "`--embedder`."
            )
    return TextDistances(lambda: embedder)


def recorded_drift(table: pa.Table, name: str, reference: str, filter_name: str) -> Drift:
    """Drift of a system as its run measured it.

    Args:
        table: from `load_runs`.
        name: display name of the system.
        reference: fingerprint of the system that its run measured drift from.
        filter_name: `raw` or `answer`.
    """
    rows = table.filter(pc.and_(pc.equal(table["name"], name), pc.equal(table["filter"], filter_name)))
    values: dict[str, float] = {}
    missing: dict[str, Missing] = {}
    columns = (rows[column].to_pylist() for column in ("prompt_id", DRIFT, f"missing_{DRIFT}"))
    for prompt, value, reason in zip(*columns, strict=True):
        # A prompt's base output is the same in every pair; the mildest rung that has it speaks.
        if value is not None:
            values.setdefault(prompt, value)
        else:
            missing.setdefault(prompt, Missing.from_text(reason))
    lacking = {prompt: reason for prompt, reason in missing.items() if prompt not in values}
    source = f"measured in its run, against the run with the fingerprint {reference}"
    return Drift(name, values, lacking, source)


def _recomputed(
    table: pa.Table, system: System, reference: System, selection: Selection, distances: TextDistances
) -> Drift:
    ours = base_outputs((rung.samples for rung in system.rungs), whose="the run")
    theirs = base_outputs(rung.samples for rung in reference.rungs)
    texts: dict[str, tuple[str, str]] = {}
    missing: dict[str, Missing] = {}
    for prompt in _prompts(table, system.name):
        key = (prompt, selection.filter_name)
        reason = missing_drift(theirs.get(key), ours[key].reason)
        if reason is None:
            both = _window(ours[key], selection), _window(theirs[key], selection)
            if both[0] is None or both[1] is None:
                reason = "no tokens: it is not known where the window ends"
            else:
                texts[prompt] = (both[0], both[1])
        if reason is not None:
            missing[prompt] = Missing.from_text(reason)
    distances.prepare(text for both in texts.values() for text in both)
    scored: dict[str, float] = {}
    for prompt, both in texts.items():
        found = distances.distance(*both)
        if isinstance(found, Missing):
            missing[prompt] = found
        else:
            scored[prompt] = found
    return Drift(system.name, scored, missing, "recomputed from the samples of both runs")


def _window(output: ReferenceOutput, selection: Selection) -> str | None:
    return output.text if selection.window is None else output.window(selection.window)


def _prompts(table: pa.Table, name: str) -> list[str]:
    return sorted(pc.unique(table.filter(pc.equal(table["name"], name))["prompt_id"]).to_pylist())
