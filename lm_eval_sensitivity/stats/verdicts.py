"""Two axes against a reference: does a system still respond to meaning, and only to meaning?

Per prompt: p, the mean distance under meaning-preserving edits; c, under the positive control; b, the
drift from the reference's output on the identical prompt; f, the identical rung, which is noise.
A low p alone is no virtue: a system that always writes the same has the lowest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.intervals import RESAMPLES, Interval, one_sided_bounds
from lm_eval_sensitivity.stats.partition import Partition
from lm_eval_sensitivity.stats.sample import Floats, read_only
from lm_eval_sensitivity.text.format import percent

Sign = Literal["+", "-", "unclear"]
Label = Literal["COLLAPSED", "INDISCRIMINATE", "RESPONSIVE", "STABLE", "DRIFTED"]

RULES: tuple[tuple[dict[str, Sign], Label], ...] = (
    ({"L_C": "-"}, "COLLAPSED"),
    ({"L_C": "+", "L_R": "-"}, "INDISCRIMINATE"),
    ({"L_C": "+", "L_R": "+", "L_P": "+"}, "RESPONSIVE"),
    ({"L_C": "+", "L_R": "+", "L_P": "-", "L_D": "-"}, "STABLE"),
    ({"L_C": "+", "L_R": "+", "L_P": "-", "L_D": "+"}, "DRIFTED"),
)
"""Which signs give which label. Every way to settle the unclear signs meets exactly one rule."""

_AS_THE_REFERENCE = "keeps at least {kept} of the reference's response to meaning, is"
MEANINGS: dict[str, str] = {
    "COLLAPSED": "has lost more than {lost} of the reference's response to meaning",
    "INDISCRIMINATE": "has lost more than {lost} of the reference's gap between meaning and harmless edits",
    "RESPONSIVE": f"{_AS_THE_REFERENCE} more than {{more}} more sensitive",
    "STABLE": f"{_AS_THE_REFERENCE} not more than {{more}} more sensitive, and is nearer to the reference than "
    "{moved}",
    "DRIFTED": f"{_AS_THE_REFERENCE} not more than {{more}} more sensitive, and is further from the reference than "
    "{moved}",
    "INVALID PROBE": "on this reference the ladder is shown to be no valid probe",
    "UNDETERMINED": "more than one label is still possible",
}
"""What was tested where a label is given; `in_words` fills in the constants."""

ALIVE, LIFELESS, UNDETERMINED = "alive", "collapsed or indiscriminate", "UNDETERMINED"
INVALID_PROBE = "INVALID PROBE"


@dataclass(frozen=True)
class Constants:
    """The declared constants of the rules; they are part of every verdict."""

    k_control: float = 0.20
    """Share of the reference's response to meaning that may be lost."""
    k_harmless: float = 0.25
    """Share by which the sensitivity to harmless edits may exceed the reference's."""
    drift_factor: float = 1.0
    """lambda: drift counts above this multiple of what a harmless edit moves the reference."""
    level: float = 0.95
    """Of each one-sided bound."""

    @property
    def formulas(self) -> dict[str, str]:
        """What each contrast of the rules compares with 0.

        Returns:
            Name of the contrast -> formula, in the order of the rules.

        Example:
            >>> Constants().formulas["L_C"]
            'c - 0.8 c_ref'
        """
        keep, more = f"{1 - self.k_control:g}", f"{1 + self.k_harmless:g}"
        return {
            "L_C": f"c - {keep} c_ref",
            "L_R": f"(c - p) - {keep} (c - p)_ref",
            "L_P": f"p - {more} p_ref",
            "L_D": f"b - {self.drift_factor:g} p_ref",
        }

    def in_words(self, sentence: str) -> str:
        """Fill these constants into one of `MEANINGS`.

        Args:
            sentence: with any of the fields `lost`, `kept`, `more` and `moved`.

        Returns:
            The sentence; shares are in percent.

        Example:
            >>> Constants().in_words("at most {lost} lost, {more} more, nearer than {moved}")
            'at most 20 % lost, 25 % more, nearer than a harmless edit moves it'
        """
        times = "" if self.drift_factor == 1 else f"{self.drift_factor:g} times what "
        return sentence.format(
            lost=percent(self.k_control),
            kept=percent(1 - self.k_control),
            more=percent(self.k_harmless),
            moved=f"{times}a harmless edit moves it",
        )


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


@dataclass(frozen=True)
class Verdict:
    """What can be said of a system beside its reference."""

    system: str
    reference: str
    label: str
    """One of `MEANINGS`."""
    possible: tuple[str, ...]
    """The labels that the clear signs still allow, INVALID PROBE among them where the probe is not shown
    valid; one, unless UNDETERMINED; none for an invalid probe."""
    contrasts: tuple[AxisContrast, ...]
    """L_C, L_R, L_P, L_D."""
    probe: tuple[AxisContrast, ...]
    """The two contrasts that make the probe valid on the reference."""
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
    alive_alone: bool
    """Whether it is `alive` by the rule that needs no reference, over the shared pairs."""
    constants: Constants
    seed: int
    reasons: tuple[str, ...]
    """Why a probe is invalid or not shown valid, and why a contrast has no bounds."""

    @property
    def meaning(self) -> str:
        """What was tested, with the constants.

        Returns:
            A clause without a full stop.
        """
        return self.constants.in_words(MEANINGS[self.label])

    @property
    def numbers(self) -> str:
        """The means that the verdict compares, in a sentence.

        Returns:
            One sentence; a mean without a prompt `is missing`.
        """
        return (
            f"Over the pairs scored in both: c {_said(self.control)} and p {_said(self.harmless)}, "
            f"c_ref {_said(self.control_reference)} and p_ref {_said(self.harmless_reference)}."
        )


@dataclass(frozen=True)
class ReducedVerdict:
    """The little that can be said without a reference. Drift is undefined."""

    label: str
    """`alive`, `collapsed or indiscriminate`, or `UNDETERMINED`."""
    contrasts: tuple[AxisContrast, ...]
    harmless_over_control: float
    """p/c; NaN where c is 0 or missing."""
    constants: Constants
    seed: int
    reasons: tuple[str, ...]


def two_axes(
    harmless: Partition,
    control: Partition,
    identical: Partition,
    drift: Partition,
    *,
    system: str,
    reference: str,
) -> TwoAxes:
    """Line up what a verdict needs, by prompt.

    Args:
        harmless: pairs of the meaning-preserving rungs, of candidate and reference.
        control: pairs of the positive control, of both.
        identical: pairs of the identical rung, of the reference.
        drift: distances from the reference's output on the identical prompt, of the candidate.
        system: the candidate.
        reference: what it is compared with.

    Returns:
        [prompt] arrays over all prompts of the four tables; NaN where one lacks the prompt.

    Raises:
        ValueError: a partition lacks a system that it must have.
    """
    tables = (harmless, control, identical, drift)
    prompts = tuple(sorted({prompt for table in tables for prompt in table.prompts}))
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
        drift=aligned(drift, drift.system(system)),
        own_harmless=aligned(harmless, harmless.system(reference)),
        own_control=aligned(control, control.system(reference)),
        own_identical=aligned(identical, identical.system(reference)),
    )


def judge(
    axes: TwoAxes, *, constants: Constants | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Verdict:
    """Judge a system against its reference.

    The probe is valid where the reference's positive control moves it more than harmless edits do
    ((c - p) of the reference is +) and its identical rung is within the noise floor, that is, does not
    move it more than harmless edits do (f - p of the reference is not +). It is invalid only where a
    fault is shown: (c - p) is -, or (f - p) is +. In between, as where a rung was not run, the verdict is
    UNDETERMINED. The positive control must be large on the reference only; a low one in the candidate is
    the finding.

    Args:
        axes: the prompt-level numbers, from `two_axes`.
        constants: of the rules.
        resamples: bootstrap samples of prompts.
        seed: of the resamples.

    Returns:
        The label, the labels that are still possible, and every contrast with its bounds.
    """
    used = constants or Constants()

    def contrast(name: str, formula: str, values: Floats) -> AxisContrast:
        return axis_contrast(name, formula, values, level=used.level, resamples=resamples, seed=seed)

    keep, more, factor = 1 - used.k_control, 1 + used.k_harmless, used.drift_factor
    formulas = used.formulas
    span = axes.control - axes.harmless
    span_reference = axes.control_reference - axes.harmless_reference
    probe = (
        contrast("control", "(c - p) of the reference", axes.own_control - axes.own_harmless),
        contrast("noise", "(f - p) of the reference", axes.own_identical - axes.own_harmless),
    )
    contrasts = (
        contrast("L_C", formulas["L_C"], axes.control - keep * axes.control_reference),
        contrast("L_R", formulas["L_R"], span - keep * span_reference),
        contrast("L_P", formulas["L_P"], axes.harmless - more * axes.harmless_reference),
        contrast("L_D", formulas["L_D"], axes.drift - factor * axes.own_harmless),
    )
    faults = _probe_faults(*probe)
    doubts = () if faults else _probe_doubts(*probe)
    possible = () if faults else possible_labels({found.name: found.sign for found in contrasts})
    if doubts:
        possible = (*possible, INVALID_PROBE)
    label = INVALID_PROBE if faults else possible[0] if len(possible) == 1 else UNDETERMINED
    alone = judge_without_reference(
        axes.control, axes.harmless, constants=used, resamples=resamples, seed=seed
    ).label
    (c, c_ref), (p, p_ref) = (
        _means_of_both(axes.control, axes.control_reference),
        _means_of_both(axes.harmless, axes.harmless_reference),
    )
    return Verdict(
        axes.system,
        axes.reference,
        label,
        possible,
        contrasts,
        probe,
        _ratio(axes.harmless, axes.control),
        _ratio(axes.own_harmless, axes.own_control),
        control=c,
        control_reference=c_ref,
        harmless=p,
        harmless_reference=p_ref,
        alive_alone=alone == ALIVE,
        constants=used,
        seed=seed,
        reasons=(*faults, *doubts, *_reasons((*probe, *contrasts))),
    )


def judge_without_reference(
    control: ArrayLike,
    harmless: ArrayLike,
    *,
    output_spread: ArrayLike | None = None,
    silent_share: float = math.nan,
    constants: Constants | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ReducedVerdict:
    """Say whether a system is alive, where there is nothing to compare it with.

    Alive: meaning moves its output more than harmless edits by the declared share, and so, where it is
    given, does another prompt. Collapsed or indiscriminate: one of the two reliably does not, or does
    not move the output at all. Which of the two words it is, only a reference can tell. Where more pairs
    than `k_control` gave nothing that could be scored, nothing is called alive for the others.

    Args:
        control: [prompt] c.
        harmless: [prompt] p, over the same prompts.
        output_spread: [prompt] mean distance of the prompt's output from those of other prompts.
        silent_share: share of pairs without anything that could be scored; NaN where it is not known.
        constants: `k_harmless`, `k_control` and `level` are used.
        resamples: bootstrap samples of prompts.
        seed: of the resamples.

    Returns:
        `alive`, `collapsed or indiscriminate` or `UNDETERMINED`, with the contrasts behind it.

    Raises:
        ValueError: not [prompt], different lengths, or infinite values.

    Example:
        >>> judge_without_reference([0.7, 0.8, 0.6, 0.9, 0.8], [0.1, 0.2, 0.1, 0.1, 0.2]).label
        'alive'
        >>> judge_without_reference([0.0] * 5, [0.0] * 5).label
        'collapsed or indiscriminate'
    """
    used = constants or Constants()
    p = np.asarray(harmless, dtype=np.float64)
    named = {"c": control} if output_spread is None else {"c": control, "spread": output_spread}
    contrasts, signs = [], []
    for name, values in named.items():
        array = np.asarray(values, dtype=np.float64)
        if array.shape != p.shape:
            raise ValueError(f"one number per prompt on both sides needed, got {array.shape} and {p.shape}")
        formula, more = f"{name} - {1 + used.k_harmless:g} p", 1 + used.k_harmless
        found = axis_contrast(
            formula, formula, array - more * p, level=used.level, resamples=resamples, seed=seed
        )
        contrasts.append(found)
        # 0 against 0 has no sign, and yet nothing is clearer than an output that nothing moves.
        signs.append("-" if found.bounds.estimate == 0 and not np.nansum(np.abs(array)) else found.sign)
    label = LIFELESS if "-" in signs else ALIVE if set(signs) == {"+"} else UNDETERMINED
    reasons = _reasons(contrasts)
    if label == ALIVE and silent_share > used.k_control:
        label, reasons = UNDETERMINED, (too_silent(silent_share, used, "of its pairs"), *reasons)
    ratio = _ratio(p, np.asarray(control, dtype=np.float64))
    return ReducedVerdict(label, tuple(contrasts), ratio, used, seed, reasons)


def too_silent(share: float, constants: Constants, of: str) -> str:
    """Why a system that gave nothing on many pairs is not called alive for what it gave on the others.

    Args:
        share: of pairs without anything that could be scored.
        constants: `k_control` is the most.
        of: which pairs the share is of.

    Returns:
        One sentence.
    """
    return (
        f"It gave nothing that could be scored in {percent(share)} {of}, more than {percent(constants.k_control)}: "
        "what can be scored is no longer the system."
    )


def _said(mean: float) -> str:
    return "is missing" if math.isnan(mean) else f"{mean:.3g}"


def possible_labels(signs: Mapping[str, Sign]) -> tuple[str, ...]:
    """The labels that remain when every unclear sign is settled in every way, in the order of `RULES`.

    Args:
        signs: L_C, L_R, L_P and L_D -> `+`, `-` or `unclear`.

    Returns:
        At least one label.

    Example:
        >>> possible_labels({"L_C": "+", "L_R": "+", "L_P": "-", "L_D": "unclear"})
        ('STABLE', 'DRIFTED')
        >>> possible_labels({"L_C": "-", "L_R": "unclear", "L_P": "unclear", "L_D": "unclear"})
        ('COLLAPSED',)
    """
    choices = [("+", "-") if sign == "unclear" else (sign,) for sign in signs.values()]
    settled = [dict(zip(signs, choice, strict=True)) for choice in product(*choices)]
    return tuple(label for rule, label in RULES if any(rule.items() <= choice.items() for choice in settled))


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
    bounds = one_sided_bounds(values, level=level, resamples=resamples, seed=seed)
    constant = bounds.method == "none"  # then the estimate is what all prompts have, or NaN
    lower, upper = (bounds.estimate,) * 2 if constant else (bounds.lower, bounds.upper)
    sign: Sign = "+" if lower > 0 else "-" if upper < 0 else "unclear"
    return AxisContrast(name, formula, sign, bounds)


def _probe_faults(control: AxisContrast, noise: AxisContrast) -> tuple[str, ...]:
    """What is shown to be wrong with the probe."""
    faults = []
    if control.sign == "-":
        faults.append("Harmless edits move the reference more than the positive control does.")
    if noise.sign == "+":
        faults.append("The reference's identical rung moves it more than harmless edits: all may be noise.")
    return tuple(faults)


def _probe_doubts(control: AxisContrast, noise: AxisContrast) -> tuple[str, ...]:
    """What keeps the probe from being shown valid."""
    doubts = []
    if math.isnan(control.bounds.estimate):
        doubts.append("too few prompts of the reference have both a positive control and harmless edits")
    elif control.sign == "unclear":
        doubts.append(
            "it is unclear whether the positive control moves the reference more than harmless edits do"
        )
    if math.isnan(noise.bounds.estimate):
        doubts.append("the reference's noise floor is unknown, its identical rung has too few numbers")
    return tuple(f"Probe not shown valid: {doubt}." for doubt in doubts)


def _means_of_both(first: Floats, second: Floats) -> tuple[float, float]:
    """Means over the prompts that both have; NaN where there is none."""
    both = ~np.isnan(first) & ~np.isnan(second)
    return (float(first[both].mean()), float(second[both].mean())) if both.any() else (math.nan, math.nan)


def _ratio(numerator: Floats, denominator: Floats) -> float:
    """Ratio of the means over the prompts that have both."""
    both = ~np.isnan(numerator) & ~np.isnan(denominator)
    total = float(denominator[both].sum())
    return float(numerator[both].sum()) / total if total > 0 else math.nan


def _reasons(contrasts: Iterable[AxisContrast]) -> tuple[str, ...]:
    return tuple(f"{found.name}: {found.bounds.reason}" for found in contrasts if found.bounds.reason)
