"""Two axes against a reference: does a system still respond to meaning, and only to meaning?

Per prompt: p, the mean distance under meaning-preserving edits; c, under the positive control; b, the
drift from the reference's outputs on the identical prompts, the base and its harmless variants; f, the identical rung,
which is noise.
A low p alone is no virtue: a system that always writes the same has the lowest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lm_eval_sensitivity.stats.intervals import RESAMPLES, Interval, one_sided_bounds
from lm_eval_sensitivity.stats.partition import Partition
from lm_eval_sensitivity.stats.rules import (
    INVALID_PROBE,
    KEEPS,
    MEANINGS,
    NOT_ASKED,
    RULES,
    UNDETERMINED,
    Axis,
    Constants,
    Sign,
    Word,
    label_of,
    words_of,
)
from lm_eval_sensitivity.stats.sample import Floats, read_only


@dataclass(frozen=True)
class AxisContrast:
    """One contrast of the rules."""

    name: str
    formula: str
    sign: Sign
    """`+` where the lower bound is above 0, `-` where the upper bound is below 0."""
    bounds: Interval
    """One-sided bounds. Without spread there are none, and the sign is that of the number that all
    prompts share: the one-sided p of n equal signs is 1/2^n, below 0.05 from five prompts on."""

    @property
    def prompts_to_settle(self) -> int | None:
        """About how many prompts would give it a sign, if the numbers stay as they are.

        A bound comes nearer to its estimate with the root of the number of prompts.

        Returns:
            More than there are; None where it has a sign, or nothing to go by.

        Example:
            >>> bounds = one_sided_bounds([0.5, -0.2, 0.3, -0.4, 0.6, -0.3, 0.2])
            >>> AxisContrast("x", "x", "unclear", bounds).prompts_to_settle
            62
        """
        estimate = self.bounds.estimate
        bound = self.bounds.lower if estimate > 0 else self.bounds.upper
        if self.sign != "unclear" or not estimate or math.isnan(bound):
            return None
        widths = (estimate - bound) / estimate
        return math.ceil(min(self.bounds.n * widths**2, 1e9))


@dataclass(frozen=True, eq=False)
class TwoAxes:
    """What a verdict is made of: [prompt] arrays over the same sorted prompts, NaN where missing.

    Candidate and reference stand beside each other over the pairs that are scored in both; the fields
    that judge the probe, and the yardstick of the drift, are the reference's own.
    """

    system: str
    reference: str
    prompts: tuple[str, ...]
    harmless: Floats = field(repr=False)
    """p of the candidate."""
    harmless_reference: Floats = field(repr=False)
    """p of the reference, over the same pairs."""
    control: Floats = field(repr=False)
    """c of the candidate."""
    control_reference: Floats = field(repr=False)
    """c of the reference, over the same pairs."""
    drift: Floats = field(repr=False)
    """b of the candidate."""
    own_harmless: Floats = field(repr=False)
    """p of the reference over all its pairs."""
    own_control: Floats = field(repr=False)
    """c of the reference over all its pairs."""
    own_identical: Floats = field(repr=False)
    """f of the reference."""
    largest_drift: float = 1.0
    """The largest value that b of a prompt is taken to have, from `largest_value`."""
    has_control: bool = True
    """Whether there is a positive control to respond to; a task has none."""


@dataclass(frozen=True)
class Verdict:
    """What can be said of a system beside its reference: three words, and at most one label."""

    system: str
    reference: str
    label: str
    """One of `MEANINGS`: of `RULES` where the words meet one and the probe is shown valid."""
    response: Word
    """`alive`, `collapsed`, `indiscriminate`, `unclear` or `not asked`: does meaning move it?"""
    harmless_edits: Word
    """`as the reference`, `more` or `unclear`: how far do harmless edits move it?"""
    drift: Word
    """`near`, `far` or `unclear`: how far is it from the reference on the same prompts?"""
    contrasts: tuple[AxisContrast, ...]
    """L_C, L_R, L_P, L_D; the first two only where there is a positive control."""
    probe: tuple[AxisContrast, ...]
    """The contrasts that make the probe valid on the reference: `control`, where there is one, and `noise`."""
    harmless_over_control: float
    """p/c of the candidate; NaN where c is 0 or missing."""
    harmless_over_control_reference: float
    control: float
    """c of the candidate: mean over the prompts that both have, on shared pairs; NaN without one."""
    control_reference: float
    """c of the reference, over the same."""
    harmless: float
    """p of the candidate, likewise."""
    harmless_reference: float
    """p of the reference, likewise."""
    drift_distance: float
    """b of the candidate: mean over the prompts that also have p of the reference; NaN without one."""
    drift_yardstick: float
    """p of the reference over those, on all its pairs: what b is held against."""
    constants: Constants
    seed: int
    reasons: tuple[str, ...]
    """Why a probe is invalid or not shown valid, and why a contrast has no bounds."""

    @property
    def words(self) -> dict[Axis, Word]:
        """The word of every axis, in their order."""
        return {"response": self.response, "harmless edits": self.harmless_edits, "drift": self.drift}

    @property
    def meaning(self) -> str:
        """What was tested, with the constants.

        Returns:
            A clause without a full stop.
        """
        words = MEANINGS[self.label]
        return self.constants.in_words(words.removeprefix(KEEPS) if self.response == NOT_ASKED else words)

    @property
    def in_words(self) -> str:
        """The three words, first response, then harmless edits, then drift.

        Returns:
            A clause; a word that does not name its axis stands behind it.
        """
        response, edits, drift = self.words.values()
        return ", ".join(
            (
                *(
                    []
                    if response == NOT_ASKED
                    else ["response unclear" if response == "unclear" else response]
                ),
                edits if edits == "as the reference" else f"edits {edits}",
                "drift unclear" if drift == "unclear" else drift,
            )
        )

    @property
    def numbers(self) -> str:
        """The means that the verdict compares, in a sentence.

        Returns:
            One sentence; a mean without a prompt `is missing`.
        """
        if self.response == NOT_ASKED:
            p, p_ref = _said(self.harmless), _said(self.harmless_reference)
            return f"Over the pairs scored in both: p {p}, p_ref {p_ref}."
        return (
            f"Over the pairs scored in both: c {_said(self.control)} and p {_said(self.harmless)}, "
            f"c_ref {_said(self.control_reference)} and p_ref {_said(self.harmless_reference)}."
        )


def two_axes(
    harmless: Partition,
    control: Partition,
    identical: Partition,
    drift: Mapping[str, float],
    *,
    system: str,
    reference: str,
    largest_drift: float = 1.0,
    has_control: bool = True,
) -> TwoAxes:
    """Line up what a verdict needs, by prompt.

    Args:
        harmless: pairs of the meaning-preserving rungs, of candidate and reference.
        control: pairs of the positive control, of both.
        identical: pairs of the identical rung, of the reference.
        drift: by prompt, distance from the reference's outputs on the identical prompts, of the candidate.
        system: the candidate.
        reference: what it is compared with.
        largest_drift: that a prompt can have, from `largest_value`.
        has_control: False for a task, which has no positive control.

    Returns:
        [prompt] arrays over all prompts of the three tables and the drift; NaN where one lacks the prompt.

    Raises:
        ValueError: a partition lacks a system that it must have.
    """
    tables = (harmless, control, identical)
    prompts = tuple(sorted({*drift, *(prompt for table in tables for prompt in table.prompts)}))
    p, c = harmless.contrast(system, reference), control.contrast(system, reference)

    def aligned(table: Partition, values: Floats) -> Floats:
        by_prompt = dict(zip(table.prompts, values.tolist(), strict=True))
        return read_only(np.array([by_prompt.get(prompt, math.nan) for prompt in prompts]))

    return TwoAxes(
        system,
        reference,
        prompts,
        harmless=aligned(harmless, p.first_means),
        harmless_reference=aligned(harmless, p.second_means),
        control=aligned(control, c.first_means),
        control_reference=aligned(control, c.second_means),
        drift=read_only(np.array([drift.get(prompt, math.nan) for prompt in prompts])),
        own_harmless=aligned(harmless, harmless.system(reference)),
        own_control=aligned(control, control.system(reference)),
        own_identical=aligned(identical, identical.system(reference)),
        largest_drift=largest_drift,
        has_control=has_control,
    )


def judge(
    axes: TwoAxes, *, constants: Constants | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Verdict:
    """Judge a system against its reference.

    The probe is valid where the reference's positive control moves it more than harmless edits do
    ((c - p) of the reference is +) and its identical rung is within the noise floor, that is, does not
    move it more than harmless edits do (f - p of the reference is not +). It is invalid only where a
    fault is shown: (c - p) is -, or (f - p) is +. In between, as where a rung was not run, there is no
    label. The positive control must be large on the reference only; a low one in the candidate is
    the finding. Where there is none, as of a task, the response to meaning is not asked, and the probe is valid
    where the noise floor is.

    Args:
        axes: the prompt-level numbers, from `two_axes`.
        constants: of the rules.
        resamples: bootstrap samples of prompts.
        seed: of the resamples.

    Returns:
        The three words, and every contrast with its bounds.
    """
    used = constants or Constants()
    names = used.formulas

    def contrast(name: str, formula: str, values: Floats) -> AxisContrast:
        return axis_contrast(name, formula, values, level=used.level, resamples=resamples, seed=seed)

    probe = [contrast("noise", "(f - p) of the reference", axes.own_identical - axes.own_harmless)]
    values = {"L_P": axes.harmless - (1 + used.k_harmless) * axes.harmless_reference}
    if axes.has_control:
        probe.insert(0, contrast("control", "(c - p) of the reference", axes.own_control - axes.own_harmless))
        values = {
            "L_C": axes.control - (1 - used.k_control) * axes.control_reference,
            "L_R": axes.control - (1 + used.k_response) * axes.harmless,
            **values,
        }
    contrasts = (
        *(contrast(name, names[name], each) for name, each in values.items()),
        signed_by("L_D", names["L_D"], _drift_bounds(axes, used, resamples, seed)),
    )
    signs = [(each.name, each.sign) for each in probe]
    faults = tuple(_FAULTS[each] for each in signs if each in _FAULTS)
    doubts = () if faults else _probe_doubts(probe)
    words = words_of({found.name: found.sign for found in contrasts})
    if not axes.has_control:
        words["response"] = NOT_ASKED
    label = INVALID_PROBE if faults else UNDETERMINED if doubts else label_of(words)
    c, c_ref = _means_of_both(axes.control, axes.control_reference)
    p, p_ref = _means_of_both(axes.harmless, axes.harmless_reference)
    b, yardstick = _means_of_both(axes.drift, axes.own_harmless)
    return Verdict(
        axes.system,
        axes.reference,
        label,
        words["response"],
        words["harmless edits"],
        words["drift"],
        contrasts,
        tuple(probe),
        ratio_of_means(axes.harmless, axes.control),
        ratio_of_means(axes.own_harmless, axes.own_control),
        control=c,
        control_reference=c_ref,
        harmless=p,
        harmless_reference=p_ref,
        drift_distance=b,
        drift_yardstick=yardstick,
        constants=used,
        seed=seed,
        reasons=(*faults, *doubts, *reasons_of((*probe, *contrasts))),
    )


def _drift_bounds(axes: TwoAxes, used: Constants, resamples: int, seed: int) -> Interval:
    """Bounds of b - lambda p_ref; by half points where at least half of the drifts are 0.

    A bootstrap-t of such numbers has bounds that are far off, and where all are 0 none: no drift in n prompts is no
    proof that there is none in others. The half points stand at b = 0 beside the largest p_ref, and at the largest b
    beside p_ref = 0.
    """

    def bounds(values: Floats, largest: float | None = None) -> Interval:
        return one_sided_bounds(values, largest=largest, level=used.level, resamples=resamples, seed=seed)

    values = axes.drift - used.drift_factor * axes.own_harmless
    there = ~np.isnan(values)
    if not there.any() or (axes.drift[there] != 0).mean() > 0.5:
        return bounds(values)
    reach = used.drift_factor * float(axes.own_harmless[there].max())
    found = bounds(values + reach, axes.largest_drift + reach)
    return replace(
        found, estimate=found.estimate - reach, lower=found.lower - reach, upper=found.upper - reach
    )


def left_open(verdict: Verdict, axis: Axis, reason: str) -> Verdict:
    """A verdict with one word taken back, and the label that follows.

    Args:
        verdict: as it was judged.
        axis: whose word.
        reason: why the word does not hold.

    Returns:
        The same contrasts; the word is `unclear`.
    """
    found = replace(
        verdict,
        response="unclear" if axis == "response" else verdict.response,
        harmless_edits="unclear" if axis == "harmless edits" else verdict.harmless_edits,
        drift="unclear" if axis == "drift" else verdict.drift,
        reasons=(reason, *verdict.reasons),
    )
    known = found.label in {label for _, label in RULES}
    return replace(found, label=label_of(found.words)) if known else found


def axis_contrast(
    name: str, formula: str, values: Floats, *, level: float, resamples: int, seed: int
) -> AxisContrast:
    """The sign of a mean over prompts, by its one-sided bounds.

    Args:
        name: of the contrast.
        formula: in words.
        values: [prompt]; NaN for prompts without a number.
        level: of each bound.
        resamples: bootstrap samples of prompts.
        seed: of the resamples.

    Returns:
        The sign and its bounds, in the unit of `values`.

    Example:
        >>> spans = np.array([0.5, 0.6, 0.4, 0.7, 0.5])
        >>> found = axis_contrast("span", "c - p", spans, level=0.95, resamples=999, seed=0)
        >>> found.sign, round(found.bounds.estimate, 2)
        ('+', 0.54)
    """
    return signed_by(name, formula, one_sided_bounds(values, level=level, resamples=resamples, seed=seed))


def signed_by(name: str, formula: str, bounds: Interval) -> AxisContrast:
    """A contrast with the sign that its bounds give.

    Args:
        name: of the contrast.
        formula: in words.
        bounds: one-sided.

    Returns:
        The sign and its bounds.
    """
    constant = bounds.method == "none"  # then the estimate is what all prompts have, or NaN
    lower, upper = (bounds.estimate,) * 2 if constant else (bounds.lower, bounds.upper)
    sign: Sign = "+" if lower > 0 else "-" if upper < 0 else "unclear"
    return AxisContrast(name, formula, sign, bounds)


def _said(mean: float) -> str:
    return "is missing" if math.isnan(mean) else f"{mean:.3g}"


_FAULTS = {
    ("control", "-"): "Harmless edits move the reference more than the positive control does.",
    ("noise", "+"): "The reference's identical rung moves it more than harmless edits: all may be noise.",
}
"""What is shown to be wrong with the probe."""
_TOO_FEW = {
    "control": "too few prompts of the reference have both a positive control and harmless edits",
    "noise": "the reference's noise floor is unknown, its identical rung has too few numbers",
}


def _probe_doubts(probe: Sequence[AxisContrast]) -> tuple[str, ...]:
    """What keeps the probe from being shown valid."""
    doubts = []
    for each in probe:
        if math.isnan(each.bounds.estimate):
            doubts.append(_TOO_FEW[each.name])
        elif (each.name, each.sign) == ("control", "unclear"):
            doubts.append(
                "it is unclear whether the positive control moves the reference more than harmless edits do"
            )
    return tuple(f"Probe not shown valid: {doubt}." for doubt in doubts)


def _means_of_both(first: Floats, second: Floats) -> tuple[float, float]:
    """Means over the prompts that both have; NaN where there is none."""
    both = ~np.isnan(first) & ~np.isnan(second)
    return (float(first[both].mean()), float(second[both].mean())) if both.any() else (math.nan, math.nan)


def ratio_of_means(numerator: Floats, denominator: Floats) -> float:
    """Ratio of the means over the prompts that have both.

    Args:
        numerator: [prompt]; NaN for prompts without a number.
        denominator: [prompt] likewise.

    Returns:
        NaN where the denominator is 0 or no prompt has both.
    """
    both = ~np.isnan(numerator) & ~np.isnan(denominator)
    total = float(denominator[both].sum())
    return float(numerator[both].sum()) / total if total > 0 else math.nan


def reasons_of(contrasts: Iterable[AxisContrast]) -> tuple[str, ...]:
    """Why contrasts have no bounds, each behind its name."""
    return tuple(f"{found.name}: {found.bounds.reason}" for found in contrasts if found.bounds.reason)
