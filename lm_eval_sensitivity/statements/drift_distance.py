"""How far a system's outputs are from a reference's on the identical prompts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.embedder import DEFAULT_MODEL, TextDistances, load_embedder
from lm_eval_sensitivity.embedder.load import DEFAULT_SHA256
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP
from lm_eval_sensitivity.records.columns import DRIFT, DRIFTS
from lm_eval_sensitivity.runs import (
    OutputKey,
    ReferenceOutput,
    Runs,
    System,
    missing_drift,
    read_outputs,
)
from lm_eval_sensitivity.runs.comparability import another_part
from lm_eval_sensitivity.runs.table import NO_VARIANTS
from lm_eval_sensitivity.statements.partition import largest_of
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, TEXT_METRICS, Selection
from lm_eval_sensitivity.stats import PairCounts
from lm_eval_sensitivity.text.escape import one_line, shown
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, Missing

BASE = ""
"""In the place of an edit: the base prompt itself."""

DriftRow = tuple[str, str, str, float | None, str | None, float | None, str | None]
"""Prompt id, edit and rung of a pair, then the drift of its base with the reason where it is missing, and that of its
variant."""

Texts = Mapping[tuple[str, str], float | Missing]
"""(prompt id, edit or `BASE`) -> distance of the two systems' outputs to that prompt, or why there is none."""


@dataclass(frozen=True)
class Drift:
    """Drift of one system: distances from the reference's outputs to the same base and variant prompts."""

    system: str
    texts: Texts = field(repr=False)
    """Of the base prompts and of their variants on the meaning-preserving rungs, as p of the reference, which they are
    held against, is of those."""
    source: str
    """Where the numbers are from, in words."""
    message: str = ""
    """Why none could be measured."""
    another: str = ""
    """What shows that the system is another model than the reference, from `another_part`."""

    @cached_property
    def by_prompt(self) -> dict[str, float]:
        """b: the mean over the texts of a prompt that have a number, each with the same weight; NaN without one."""
        found: dict[str, list[float]] = {}
        for (prompt, _), value in self.texts.items():
            found.setdefault(prompt, []).extend([] if isinstance(value, Missing) else [value])
        return {
            prompt: math.fsum(found[prompt]) / len(found[prompt]) if found[prompt] else math.nan
            for prompt in sorted(found)
        }

    @property
    def mean(self) -> float:
        """Over prompts; NaN without one."""
        there = [value for value in self.by_prompt.values() if not math.isnan(value)]
        return math.fsum(there) / len(there) if there else math.nan

    @property
    def largest(self) -> float:
        """`largest_of` the drifts of its texts."""
        values = [value for value in self.texts.values() if not isinstance(value, Missing)]
        found = largest_of(DRIFT, np.array(values))
        assert found is not None  # a cosine distance has a largest value
        return found

    @property
    def counts(self) -> PairCounts:
        """Of texts, in the place of pairs."""
        scored = sum(not isinstance(value, Missing) for value in self.texts.values())
        prompts = sum(not math.isnan(value) for value in self.by_prompt.values())
        return PairCounts(prompts, len(self.by_prompt) - prompts, scored, 0, len(self.texts) - scored, 0)

    @property
    def answers(self) -> tuple[int, int]:
        """Outputs to base prompts that differ from the reference's, and those that were compared."""
        there = [
            value
            for (_, edit), value in self.texts.items()
            if edit == BASE and not isinstance(value, Missing)
        ]
        return sum(value > 0 for value in there), len(there)

    @property
    def reasons(self) -> dict[str, int]:
        """Texts by the kind of reason why they have no number, in its order of letters."""
        missing = (value.kind for value in self.texts.values() if isinstance(value, Missing))
        return dict(sorted(Counter(missing).items()))


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
    if selection.metric == ANSWER_FLIP:
        return drift_of_answers(table, system.name, reference.name, selection.filter_name)
    if system.reference == reference.fingerprint and selection.metric == PRIMARY_METRIC:
        return recorded_drift(table, system.name, reference.fingerprint, selection.filter_name)
    try:
        return _recomputed(table, system, reference, selection, distances())
    except InputError as error:
        missing = dict.fromkeys(_texts(table, system.name, selection.filter_name), Missing("not measured"))
        return Drift(system.name, missing, "not measured", one_line(error))


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
        system.name: replace(
            measure_drift(pairs.table, system, reference, selection, distances),
            another=another_part(system.identity, reference.identity),
        )
        for system in pairs.systems
        if system is not reference
    }


def check_drift_metric(selection: Selection) -> None:
    """Refuse what is no distance of two texts.

    Raises:
        InputError: which metrics are accepted.
    """
    if selection.metric not in (*TEXT_METRICS, ANSWER_FLIP):
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
    texts = texts_of(zip(*(rows[column].to_pylist() for column in _COLUMNS), strict=True))
    source = f"measured in its run, against the run with the fingerprint {reference}"
    old = {key for key, value in texts.items() if isinstance(value, Missing) and value == _NO_VARIANTS}
    if old:
        texts = {key: value for key, value in texts.items() if key not in old}
        source += ", on base prompts only, as an earlier version did"
    return Drift(name, texts, source)


_COLUMNS = (
    "prompt_id",
    "edit",
    "rung",
    *(f"{prefix}{name}" for name in DRIFTS for prefix in ("", "missing_")),
)
_NO_VARIANTS = Missing.from_text(NO_VARIANTS)


def texts_of(rows: Iterable[DriftRow]) -> dict[tuple[str, str], float | Missing]:
    """The drifts that the rows of pairs hold, each text once.

    Args:
        rows: of one filter.

    Returns:
        Of every base prompt, and of every variant on a meaning-preserving rung.

    Example:
        >>> noop, control = ("a", "tab", "noop"), ("a", "topic", "positive_control")
        >>> texts_of([(*noop, 0.1, None, 0.3, None), (*control, 0.1, None, 0.9, None)])
        {('a', ''): 0.1, ('a', 'tab'): 0.3}
    """
    texts: dict[tuple[str, str], float | Missing] = {}
    for prompt, edit, rung, base, no_base, variant, no_variant in rows:
        # A prompt's base output is the same in every pair; the mildest rung that has it speaks.
        if isinstance(texts.get((prompt, BASE), _NO_VARIANTS), Missing):
            texts[prompt, BASE] = Missing.from_text(no_base or "") if base is None else base
        if rung in MEANING_PRESERVING_RUNGS:
            texts[prompt, edit] = Missing.from_text(no_variant or "") if variant is None else variant
    return texts


def drift_of_answers(table: pa.Table, name: str, reference: str, filter_name: str) -> Drift:
    """Whether two systems answer the same prompts differently, of runs of a wrapped task.

    Args:
        table: from `load_runs`.
        name: display name of the system.
        reference: display name of the system that it is compared with.
        filter_name: `raw` or `answer`.
    """
    ours, theirs = (_answers(table, each, filter_name) for each in (name, reference))
    texts: dict[tuple[str, str], float | Missing] = {}
    for key, answer in ours.items():
        if key not in theirs:
            texts[key] = Missing("not asked", "the reference was not asked this")
        elif answer is None and theirs[key] is None:
            texts[key] = Missing("no answer", "neither system has one")
        else:
            texts[key] = float(answer != theirs[key])
    return Drift(name, texts, "answers of both runs")


def _answers(table: pa.Table, name: str, filter_name: str) -> dict[tuple[str, str], str | None]:
    """(document, edit or `BASE`) -> answer, of prompts that reach the model."""
    rows = table.filter(pc.and_(pc.equal(table["name"], name), pc.equal(table["filter"], filter_name)))
    columns = ("prompt_id", "edit", "rung", "audit_status", "base_answer", "variant_answer")
    found: dict[tuple[str, str], str | None] = {}
    for prompt, edit, rung, status, base, variant in zip(
        *(rows[column].to_pylist() for column in columns), strict=True
    ):
        found[prompt, BASE] = base
        if rung in MEANING_PRESERVING_RUNGS and status != "erased":
            found[prompt, edit] = variant
    return found


def _recomputed(
    table: pa.Table, system: System, reference: System, selection: Selection, distances: TextDistances
) -> Drift:
    ours = read_outputs((rung.samples for rung in system.rungs), whose="the run")
    theirs = read_outputs(rung.samples for rung in reference.rungs)
    pairs: dict[tuple[str, str], tuple[str, str]] = {}
    texts: dict[tuple[str, str], float | Missing] = {}
    for key, place in _texts(table, system.name, selection.filter_name).items():
        reason = missing_drift(theirs.get(place), ours[place].reason)
        if reason is None:
            both = _window(ours[place], selection), _window(theirs[place], selection)
            if both[0] is None or both[1] is None:
                reason = "no tokens: it is not known where the window ends"
            else:
                pairs[key] = both[0], both[1]
        if reason is not None:
            texts[key] = Missing.from_text(reason)
    distances.prepare(text for both in pairs.values() for text in both)
    texts |= {key: distances.distance(*both) for key, both in pairs.items()}
    return Drift(system.name, texts, "recomputed from the samples of both runs")


def _window(output: ReferenceOutput, selection: Selection) -> str | None:
    return output.text if selection.window is None else output.window(selection.window)


def _texts(table: pa.Table, name: str, filter_name: str) -> dict[tuple[str, str], OutputKey]:
    """(prompt id, edit or `BASE`) -> where its output is found, of a system's pairs."""
    rows = table.filter(pc.and_(pc.equal(table["name"], name), pc.equal(table["filter"], filter_name)))
    columns = (rows[column].to_pylist() for column in ("prompt_id", "edit", "rung", "pair_id"))
    found: dict[tuple[str, str], OutputKey] = {}
    for prompt, edit, rung, pair in sorted(zip(*columns, strict=True)):
        found[prompt, BASE] = OutputKey(prompt, "base", filter_name)
        if rung in MEANING_PRESERVING_RUNGS:
            found[prompt, edit] = OutputKey(pair, "variant", filter_name)
    return found
