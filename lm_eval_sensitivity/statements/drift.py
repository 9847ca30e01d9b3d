"""Two axes for every system: how much harmless edits move it, and how far it is from a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import FLAGS
from lm_eval_sensitivity.statements.cautions import (
    another_model_caution,
    audit_cautions,
    coverage_cautions,
    rung_cautions,
    window_cautions,
)
from lm_eval_sensitivity.statements.drift_distance import Drift
from lm_eval_sensitivity.statements.means import system_mean
from lm_eval_sensitivity.statements.noise import beside_noise, may_be_noise, noise_sentence
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.records import BaseOutputs, DriftStatement, SystemDrift, SystemMean
from lm_eval_sensitivity.statements.responsiveness import CONTROL, PRESERVING, judged_alone, silent_share
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, Selection
from lm_eval_sensitivity.stats import (
    Constants,
    RepetitionTest,
    Verdict,
    judge,
    mean_interval,
    two_axes,
)
from lm_eval_sensitivity.stats.alive import too_silent
from lm_eval_sensitivity.stats.rules import Axis
from lm_eval_sensitivity.stats.verdicts import left_open
from lm_eval_sensitivity.text.format import percent


def drift_statement(
    partition: TablePartition,
    systems: Sequence[str],
    selection: Selection,
    *,
    reference: str | None = None,
    drifts: Mapping[str, Drift] | None = None,
    constants: Constants | None = None,
) -> DriftStatement:
    """Place every system on both axes.

    Args:
        partition: of a pairs table.
        systems: display names, in the order in which they are to be listed; the reference need not be there.
        selection: metric and filter; the rungs are given by the axes.
        reference: display name; None says only what can be said without one.
        drifts: by system, for all but the reference.
        constants: of the rules.

    Returns:
        The reference first, then the systems in the order given; without a reference, each judged by itself.

    Raises:
        InputError: a system is unknown, or answers to a task have no reference to be compared with.

    Example:
        See `tests/unit/statements/test_drift.py`; a table takes a run.
    """
    if reference is None and selection.of_answers:
        raise InputError(
            "Of answers to a task nothing is judged without a reference: whether meaning moves a system is not asked "
            "there. Give `--reference RUN`; `flips` prints what harmless edits do to the answers of one system."
        )
    used, drifts = constants or Constants(), drifts or {}
    order = tuple(dict.fromkeys((*([reference] if reference else ()), *systems)))
    preserving = replace(selection, rung_set=PRESERVING)
    found = tuple(_system(partition, preserving, name, reference, drifts.get(name), used) for name in order)
    return DriftStatement(
        selection,
        reference,
        found,
        next((each.verdict.probe for each in found if each.verdict is not None), ()),
        (
            *rung_cautions(partition, preserving, order),
            *coverage_cautions(partition, preserving, order),
            *window_cautions(partition, preserving, order),
            *audit_cautions(partition, preserving),
            *(
                note
                for name in order
                for note in another_model_caution(drifts.get(name), name, used.drift_factor)
            ),
        ),
        used,
        partition.seed,
        partition.resamples,
    )


def _system(
    partition: TablePartition,
    preserving: Selection,
    name: str,
    reference: str | None,
    drift: Drift | None,
    constants: Constants,
) -> SystemDrift:
    """One system on both axes, judged beside the reference, or by itself where there is none."""
    control, identical = (replace(preserving, rung_set=rungs) for rungs in (CONTROL, NOISE_RUNG))
    verdict, reduced, silent = None, None, math.nan
    if name != reference:
        silent = silent_share(partition, preserving, name, reference)
    if reference is None:
        reduced = judged_alone(partition, preserving, name, constants)
    elif name != reference:
        axes = two_axes(
            partition.pairs(preserving),
            partition.pairs(control),
            partition.pairs(identical),
            {} if drift is None else drift.by_prompt,
            system=name,
            reference=reference,
            largest_drift=1.0 if drift is None else drift.largest,
            has_control=not preserving.of_answers,
        )
        judged = judge(axes, constants=constants, resamples=partition.resamples, seed=partition.seed)
        verdict = _unless_silent(_unless_noise(judged, beside_noise(partition, preserving, name)), silent)
        verdict = _unless_out_of_reach(verdict) if preserving.of_answers else verdict
    return SystemDrift(
        system=name,
        is_reference=name == reference,
        preserving=system_mean(partition, preserving, name),
        control=system_mean(partition, control, name),
        identical=system_mean(partition, identical, name),
        drift=None if drift is None else _drift_mean(partition, drift),
        answers=(0, 0) if drift is None else drift.answers,
        drift_source="" if drift is None else drift.source,
        drift_missing=() if drift is None else tuple(drift.reasons.items()),
        drift_message="" if drift is None else drift.message,
        verdict=verdict,
        reduced=reduced,
        silent_share=silent,
        outputs=_outputs(partition, name),
    )


def _drift_mean(partition: TablePartition, drift: Drift) -> SystemMean:
    values = np.array(list(drift.by_prompt.values()))
    mean = mean_interval(values, largest=drift.largest, resamples=partition.resamples, seed=partition.seed)
    return SystemMean(drift.system, mean, drift.counts, int((values == 0).sum()), None)


def _outputs(partition: TablePartition, system: str) -> BaseOutputs:
    """The flags of each prompt's base output, as its mildest pair has them."""
    columns = (partition.column(f"base_{flag}") for flag in FLAGS)
    names = (partition.column(name) for name in ("name", "filter", "prompt_id"))
    seen: dict[str, tuple[bool, ...]] = {}
    for name, filter_name, prompt, *flags in zip(*names, *columns, strict=True):
        if (name, filter_name) == (system, "raw"):
            seen.setdefault(prompt, tuple(map(bool, flags)))
    return BaseOutputs(len(seen), *(sum(flags[at] for flags in seen.values()) for at in range(len(FLAGS))))


def _unless_noise(verdict: Verdict, noise: RepetitionTest) -> Verdict:
    """A system is called more sensitive than its reference only where its own noise cannot be the reason."""
    if verdict.harmless_edits != "more" or not may_be_noise(noise):
        return verdict
    reason = f"{noise_sentence(noise, 'What harmless edits move')}."
    return left_open(verdict, "harmless edits", reason)


def _unless_out_of_reach(verdict: Verdict) -> Verdict:
    """A share ends at 1: where a limit lies there, every system is below it, and that says nothing."""
    k = verdict.constants
    limits: tuple[tuple[Axis, float, float, str], ...] = (
        ("harmless edits", 1 + k.k_harmless, verdict.harmless_reference, "sensitivity"),
        ("drift", k.drift_factor, verdict.drift_yardstick, "drift"),
    )
    for axis, factor, of_reference, what in limits:
        if factor * of_reference >= 1:
            reason = (
                f"Harmless edits change {percent(of_reference)} of the reference's own answers, and {factor:g} times "
                f"that is all or more: {what} cannot be judged."
            )
            verdict = left_open(verdict, axis, reason)
    return verdict


def _unless_silent(verdict: Verdict, silent: float) -> Verdict:
    """A system that says nothing on many prompts is not called alive for what it says on the others.

    Distances are taken where both sides have an output, so that silence leaves no trace in them. Losing
    more pairs than the share of the response to meaning that may be lost leaves it open whether it is alive.
    """
    if not silent > verdict.constants.k_control or verdict.response not in ("alive", "unclear"):
        return verdict
    reason = too_silent(silent, verdict.constants, "of the pairs that the reference has a number for")
    return left_open(verdict, "response", reason)
