"""Two axes against a reference: does a system still respond to meaning, and only to meaning?

Per prompt: p, the mean distance under meaning-preserving edits; c, under the positive control; b, the
drift from the reference's output on the identical prompt; f, the identical rung, which is noise.
A low p alone is no virtue: a system that always writes the same has the lowest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.intervals import RESAMPLES, Interval, one_sided_bounds
from lm_eval_sensitivity.stats.partition import Partition
from lm_eval_sensitivity.stats.sample import Floats, read_only
from lm_eval_sensitivity.text.format import percent

Sign = Literal["+", "-", "unclear"]
Axis = Literal["response", "harmless edits", "drift"]
Word = Literal["alive", "collapsed", "indiscriminate", "as the reference", "more", "near", "far", "unclear"]
Label = Literal["COLLAPSED", "INDISCRIMINATE", "RESPONSIVE", "STABLE", "DRIFTED"]

AXES: dict[Axis, tuple[tuple[dict[str, Sign], Word], ...]] = {
    "response": (
        ({"L_C": "-"}, "collapsed"),
        ({"L_R": "-"}, "indiscriminate"),
        ({"L_C": "+", "L_R": "+"}, "alive"),
    ),
    "harmless edits": (({"L_P": "+"}, "more"), ({"L_P": "-"}, "as the reference")),
    "drift": (({"L_D": "+"}, "far"), ({"L_D": "-"}, "near")),
}
"""Which signs give which word: the first rule that is met. Where none is, the axis is `unclear`."""

RULES: tuple[tuple[dict[Axis, Word], Label], ...] = (
    ({"response": "collapsed"}, "COLLAPSED"),
    ({"response": "indiscriminate"}, "INDISCRIMINATE"),
    ({"response": "alive", "harmless edits": "more"}, "RESPONSIVE"),
    ({"response": "alive", "harmless edits": "as the reference", "drift": "near"}, "STABLE"),
    ({"response": "alive", "harmless edits": "as the reference", "drift": "far"}, "DRIFTED"),
)
"""Which words give which label; at most one rule is met."""

_AS_THE_REFERENCE = "keeps at least {kept} of the reference's response to meaning, is"
MEANINGS: dict[str, str] = {
    "COLLAPSED": "has lost more than {lost} of the reference's response to meaning",
    "INDISCRIMINATE": "is moved by meaning less than {further} further than by harmless edits",
    "RESPONSIVE": f"{_AS_THE_REFERENCE} more than {{more}} more sensitive",
    "STABLE": f"{_AS_THE_REFERENCE} not more than {{more}} more sensitive, and is nearer to the reference than "
    "{moved}",
    "DRIFTED": f"{_AS_THE_REFERENCE} not more than {{more}} more sensitive, and is further from the reference than "
    "{moved}",
    "INVALID PROBE": "on this reference the ladder is shown to be no valid probe",
    "UNDETERMINED": "what is decided gives no label",
}
"""What was tested where a label is given; `in_words` fills in the constants."""

ALIVE, LIFELESS, UNDETERMINED = "alive", "collapsed or indiscriminate", "UNDETERMINED"
INVALID_PROBE = "INVALID PROBE"


@dataclass(frozen=True)
class Constants:
    """The declared constants of the rules; they are part of every verdict."""

    k_control: float = 0.20
    """Share of the reference's response to meaning that may be lost."""
    k_response: float = 0.25
    """Share by which meaning must move a system further than harmless edits do."""
    k_harmless: float = 0.50
    """Share by which the sensitivity to harmless edits may exceed the reference's."""
    drift_factor: float = 2.0
    """lambda: drift counts above this multiple of what a harmless edit moves the reference."""
    level: float = 0.95
    """Of each one-sided bound."""

    @property
    def formulas(self) -> dict[str, str]:
        """What each contrast of the rules compares with 0.

        Returns:
            Name of the contrast -> formula, in the order of the rules.

        Example:
            >>> list(Constants().formulas.values())
            ['c - 0.8 c_ref', 'c - 1.25 p', 'p - 1.5 p_ref', 'b - 2 p_ref']
        """
        return {
            "L_C": f"c - {1 - self.k_control:g} c_ref",
            "L_R": f"c - {1 + self.k_response:g} p",
            "L_P": f"p - {1 + self.k_harmless:g} p_ref",
            "L_D": f"b - {self.drift_factor:g} p_ref",
        }

    def in_words(self, sentence: str) -> str:
        """Fill these constants into one of `MEANINGS`.

        Args:
            sentence: with any of the fields `lost`, `kept`, `further`, `more` and `moved`.

        Returns:
            The sentence; shares are in percent.

        Example:
            >>> Constants().in_words("at most {lost} lost, {more} more, nearer than {moved}")
            'at most 20 % lost, 50 % more, nearer than 2 times what a harmless edit moves it'
        """
        times = "" if self.drift_factor == 1 else f"{self.drift_factor:g} times what "
        return sentence.format(
            lost=percent(self.k_control),
            kept=percent(1 - self.k_control),
            further=percent(self.k_response),
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


@dataclass(frozen=True)
class Verdict:
    """What can be said of a system beside its reference: three words, and at most one label."""

    system: str
    reference: str
    label: str
    """One of `MEANINGS`: of `RULES` where the words meet one and the probe is shown valid."""
    response: Word
    """`alive`, `collapsed`, `indiscriminate` or `unclear`: does meaning move it?"""
    harmless_edits: Word
    """`as the reference`, `more` or `unclear`: how far do harmless edits move it?"""
    drift: Word
    """`near`, `far` or `unclear`: how far is it from the reference on the same prompts?"""
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
        return self.constants.in_words(MEANINGS[self.label])

    @property
    def in_words(self) -> str:
        """The three words, first response, then harmless edits, then drift.

        Returns:
            A clause; a word that does not name its axis stands behind it.
        """
        response, edits, drift = self.words.values()
        return ", ".join(
            (
                "response unclear" if response == "unclear" else response,
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


def words_of(signs: Mapping[str, Sign]) -> dict[Axis, Word]:
    """The word of every axis.

    Args:
        signs: L_C, L_R, L_P and L_D -> `+`, `-` or `unclear`.

    Returns:
        In the order of `AXES`.

    Example:
        >>> words_of({"L_C": "+", "L_R": "+", "L_P": "unclear", "L_D": "-"})
        {'response': 'alive', 'harmless edits': 'unclear', 'drift': 'near'}
    """
    return {
        axis: next((word for rule, word in rules if rule.items() <= signs.items()), "unclear")
        for axis, rules in AXES.items()
    }


def label_of(words: Mapping[Axis, Word]) -> str:
    """The label of three words.

    Args:
        words: from `words_of`.

    Returns:
        One of `RULES`, or `UNDETERMINED`.

    Example:
        >>> label_of({"response": "alive", "harmless edits": "as the reference", "drift": "near"})
        'STABLE'
        >>> label_of({"response": "alive", "harmless edits": "unclear", "drift": "far"})
        'UNDETERMINED'
    """
    return next((label for rule, label in RULES if rule.items() <= words.items()), UNDETERMINED)


def two_axes(
    harmless: Partition,
    control: Partition,
    identical: Partition,
    drift: Mapping[str, float],
    *,
    system: str,
    reference: str,
    largest_drift: float = 1.0,
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
    the finding.

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

    probe = (
        contrast("control", "(c - p) of the reference", axes.own_control - axes.own_harmless),
        contrast("noise", "(f - p) of the reference", axes.own_identical - axes.own_harmless),
    )
    values = {
        "L_C": axes.control - (1 - used.k_control) * axes.control_reference,
        "L_R": axes.control - (1 + used.k_response) * axes.harmless,
        "L_P": axes.harmless - (1 + used.k_harmless) * axes.harmless_reference,
    }
    contrasts = (
        *(contrast(name, names[name], each) for name, each in values.items()),
        signed_by("L_D", names["L_D"], _drift_bounds(axes, used, resamples, seed)),
    )
    faults = _probe_faults(*probe)
    doubts = () if faults else _probe_doubts(*probe)
    words = words_of({found.name: found.sign for found in contrasts})
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
        probe,
        _ratio(axes.harmless, axes.control),
        _ratio(axes.own_harmless, axes.own_control),
        control=c,
        control_reference=c_ref,
        harmless=p,
        harmless_reference=p_ref,
        drift_distance=b,
        drift_yardstick=yardstick,
        constants=used,
        seed=seed,
        reasons=(*faults, *doubts, *_reasons((*probe, *contrasts))),
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


def left_open(verdict: Verdict, axis: Literal["response", "harmless edits"], reason: str) -> Verdict:
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
        reasons=(reason, *verdict.reasons),
    )
    known = found.label in {label for _, label in RULES}
    return replace(found, label=label_of(found.words)) if known else found


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
        constants: `k_response`, `k_control` and `level` are used.
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
        formula, more = f"{name} - {1 + used.k_response:g} p", 1 + used.k_response
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
