"""What a statement is made of: frozen records of plain values, the same in a document, in JSON and in a results folder.

Intervals, counts and verdicts are those of `stats`. A number that is missing is NaN, and its reason stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import (
    AxisContrast,
    Cluster,
    Constants,
    DetectableDifference,
    Equivalence,
    Interval,
    PairCounts,
    ReducedVerdict,
    SignFlipTest,
    Verdict,
)
from lm_eval_sensitivity.stats.rules import UNDETERMINED
from lm_eval_sensitivity.types import Note, Rung

Responsiveness = Literal["yes", "no", "unclear"]


@dataclass(frozen=True)
class SystemMean:
    """One system on some pairs in one metric and filter."""

    system: str
    mean: Interval
    """Over prompts."""
    counts: PairCounts
    n_zero: int
    """Prompts whose number is exactly 0."""
    caution: Note | None
    """Why the interval is unreliable: half of the prompts or more have one and the same number."""


# ---- clusters


@dataclass(frozen=True)
class SystemRow(SystemMean):
    """One system beside others."""

    noise: Interval
    """The noise floor: the mean of the identical rung in the same metric and filter."""
    repetitions: int | None
    """Of each prompt, over which the noise floor is a mean; None where the identical rung was not run."""
    responsiveness: Responsiveness | None
    """Whether the positive control moves it reliably further than harmless edits do, in the primary metric under the
    same filter; None where that was not measured."""
    letters: tuple[str, ...] = ()
    """Its clusters; empty for a system alone, or one that could not be tested."""
    common: Interval | None = None
    """Mean over the pairs that are scored in all systems beside it; None where those are all its pairs."""


@dataclass(frozen=True)
class TestedContrast:
    """Two systems on the pairs that are scored in both."""

    first: str
    second: str
    difference: Interval
    """Of first minus second; of this contrast alone, not adjusted for the family."""
    p_adjusted: float
    """Family-wise, step-down max-|t| of sign flips: whether effects differ; NaN with a reason."""
    p_order: float
    """Family-wise, step-down max-|t| of the symmetric bootstrap-t, and corner points (see `order_p`): whether means
    differ; NaN with a reason."""
    attainable_p: float
    """The smallest p that other sizes of the differences that are not 0 could have given."""
    counts: PairCounts
    distinguishable: bool
    ordered: bool
    """Whether both tests reject, so that it is settled which mean is lower."""
    reason: str | None
    """Why it was not tested."""
    caution: Note | None
    """What makes its interval unreliable, or None."""

    @property
    def n_pairs_lost(self) -> int:
        """Pairs of one of the two that cannot be used in both."""
        return self.counts.n_erased + self.counts.n_unscored + self.counts.n_not_shared

    @property
    def finding(self) -> str:
        """In words; an order of means only where it is settled."""
        if self.reason:
            return "not tested"
        if not self.distinguishable:
            return "not told apart"
        if not self.ordered:
            return "effects differ"
        return "first lower" if self.difference.estimate < 0 else "first higher"


@dataclass(frozen=True)
class Family:
    """All contrasts of a statement, tested together."""

    size: int
    """Contrasts that were tested."""
    n_prompts: int
    method: Literal["exact", "draws", "none"]
    draws: int
    """Random sign vectors; 0 where all were tried."""
    attainable_p: float
    """The smallest adjusted p that any of the contrasts could have had."""
    n_hopeless: int
    """Contrasts that share too few prompts for any p at or below alpha; no part of the family."""


@dataclass(frozen=True)
class Detectable:
    """Smallest differences that these contrasts would find, from the least to the most variable one."""

    smallest: float
    """NaN with a reason."""
    largest: float
    level: float
    """At which each contrast is taken to be tested: the smallest that the family can demand of it, or the smallest
    p of its own prompts where that is larger."""
    power: float
    n_contrasts: int
    """With such a number."""
    n_without: int
    """Contrasts without such a number, those that were not tested included."""
    reasons: tuple[str, ...]
    """Why those have none; each reason once, in the order of the contrasts."""
    reason: str | None
    """Why no contrast has one, or None."""


@dataclass(frozen=True)
class ClustersStatement:
    """Which systems can be told apart in one selection."""

    selection: Selection
    systems: tuple[SystemRow, ...]
    """In the order of letters."""
    absent: tuple[str, ...]
    """Systems of the runs without a pair in the selection."""
    contrasts: tuple[TestedContrast, ...]
    """Every two systems, by name."""
    clusters: tuple[Cluster, ...]
    ordered: tuple[tuple[str, str], ...]
    """(lower, higher) of every two systems whose effects differ, and whose means do."""
    untested: tuple[tuple[str, str], ...]
    """Pairs that share a cluster because they could not be compared, not because they were."""
    left_out: tuple[Note, ...]
    """Systems that are in no cluster, and why."""
    family: Family | None
    """None for a system alone."""
    detectable: Detectable | None
    cautions: tuple[Note, ...]
    """What a reader must not miss."""
    alpha: float
    """Family-wise error of the clusters."""
    seed: int
    resamples: int
    draws: int


# ---- comparison


@dataclass(frozen=True)
class Driver:
    """A prompt, or an edit, with a large difference. Chosen for that: no test belongs to it."""

    name: str
    rung: str | None
    """Of an edit."""
    first: float
    second: float
    difference: float
    """Second minus first."""
    interval: Interval | None
    """Of an edit's difference, over the prompts that have it; it does not know of the choice."""
    contribution: float
    """Its part of the mean difference; the parts of all prompts, and of all edits, add up to it."""
    n: int
    """Pairs of a prompt that are scored in both; prompts of an edit."""
    caution: Note | None
    """What makes its interval unreliable, or None."""


@dataclass(frozen=True)
class RungDifference:
    """Both systems on one rung."""

    rung: Rung
    first: Interval
    second: Interval
    """Means over the pairs that are scored in both."""
    difference: Interval
    """Second minus first."""
    test: SignFlipTest
    p_adjusted: float
    """Holm, over the edited rungs; NaN for the identical rung, which is the noise floor and no question."""
    counts: PairCounts
    """Of the shared pairs."""
    first_counts: PairCounts
    second_counts: PairCounts
    cautions: tuple[Note, ...]
    """What makes its intervals unreliable."""


@dataclass(frozen=True)
class ComparisonStatement:
    """Everything that is said of two systems in one selection. Differences are second minus first."""

    selection: Selection
    first: SystemRow
    second: SystemRow
    """Means over the pairs that are scored in both; counts of the system alone."""
    difference: Interval
    test: SignFlipTest
    p_order: float
    """Of equal means (see `order_p`); NaN below `MIN_PROMPTS` prompts."""
    equivalence: Equivalence
    """The margin is a share of the first system's mean."""
    detectable: DetectableDifference
    counts: PairCounts
    """Of the shared pairs, and what fell out."""
    prompts: tuple[Driver, ...]
    edits: tuple[Driver, ...]
    """Largest absolute difference first."""
    rungs: tuple[RungDifference, ...]
    """Mildest first; rungs that one of the systems was run on."""
    family: int
    """Rungs that the adjusted p-values know of."""
    cautions: tuple[Note, ...]
    """What a reader must not miss."""
    seed: int
    resamples: int
    draws: int


# ---- drift


@dataclass(frozen=True)
class BaseOutputs:
    """What the outputs to the base prompts look like: a system that loops or is silent shows it here."""

    n_prompts: int
    n_empty: int
    n_loop: int
    n_cut: int
    n_unclosed: int


@dataclass(frozen=True)
class SystemDrift:
    """One system on both axes, with what is said of it."""

    system: str
    is_reference: bool
    preserving: SystemMean
    """p: on the meaning-preserving rungs."""
    control: SystemMean
    """c: on the positive control."""
    identical: SystemMean
    """f: on the identical rung, which is the noise floor."""
    drift: SystemMean | None
    """b; None where there is no reference, and for the reference itself. Its counts are of texts: the outputs to the
    base prompts and to their harmless variants."""
    answers: tuple[int, int]
    """Outputs to base prompts that differ from the reference's, and those that were compared."""
    drift_source: str
    drift_missing: tuple[tuple[str, int], ...]
    """Texts without drift, by the kind of reason."""
    drift_message: str
    """Why no drift could be measured; else empty."""
    verdict: Verdict | None
    """Beside the reference; None for the reference itself and where there is none."""
    reduced: ReducedVerdict | None
    """What can be said without a reference."""
    silent_share: float
    """Of the pairs that the reference has a number for, the share for which this system gave nothing that
    could be scored: an empty output, no answer, no finite logits. Without a reference, of all its pairs that
    were not erased. NaN for the reference, and without such pairs."""
    outputs: BaseOutputs

    @property
    def label(self) -> str:
        """The verdict in a word, `reference` for the reference."""
        found = self.verdict or self.reduced
        return "reference" if found is None else found.label

    @property
    def in_words(self) -> str:
        """The label, or the three words where they give none."""
        open_words = self.verdict is not None and self.label == UNDETERMINED
        return self.verdict.in_words if self.verdict is not None and open_words else self.label

    @property
    def contrasts(self) -> tuple[AxisContrast, ...]:
        """What the verdict was read from; none for the reference."""
        found = self.verdict or self.reduced
        return () if found is None else found.contrasts


@dataclass(frozen=True)
class DriftStatement:
    """All systems on two axes, the reference first, then in the order given."""

    selection: Selection
    reference: str | None
    systems: tuple[SystemDrift, ...]
    probe: tuple[AxisContrast, ...]
    """What makes the ladder a valid probe of the reference; empty without one."""
    cautions: tuple[Note, ...]
    """What a reader must not miss."""
    constants: Constants
    seed: int
    resamples: int


# ---- heatmap and profiles


@dataclass(frozen=True)
class HeatmapCell(SystemMean):
    """One edit of one system."""

    rung: Rung
    edit: str

    @property
    def n_given(self) -> int:
        """Pairs that the system was given."""
        return self.counts.n_pairs + self.counts.n_erased + self.counts.n_unscored


@dataclass(frozen=True)
class HeatmapStatement:
    """One metric under one filter, edit by system."""

    metric: str
    filter_name: str
    systems: tuple[str, ...]
    """In the order of letters."""
    edits: tuple[tuple[Rung, str], ...]
    """In the order of the ladder."""
    cells: tuple[HeatmapCell, ...]
    """One per edit and system, edit by edit."""
    cautions: tuple[Note, ...]
    seed: int
    resamples: int

    def row(self, edit: str) -> tuple[HeatmapCell, ...]:
        """The cells of one edit, one per system."""
        return tuple(cell for cell in self.cells if cell.edit == edit)


@dataclass(frozen=True)
class ProfilePoint(SystemMean):
    """One system in one of the selections of a profile."""

    selection: Selection
    scaffold_dominates: bool
    """Whether the window shows the scaffold rather than the answer, under the filter raw."""


@dataclass(frozen=True)
class ProfilesStatement:
    """One metric of every system along the ladder, or along the length of the output that is read."""

    systems: tuple[str, ...]
    """In the order of letters."""
    points: tuple[ProfilePoint, ...]
    """System by system, in the order of the line."""
    seed: int
    resamples: int

    def of(self, system: str) -> tuple[ProfilePoint, ...]:
        """The points of one system."""
        return tuple(point for point in self.points if point.system == system)


Statement = ClustersStatement | ComparisonStatement | DriftStatement | HeatmapStatement | ProfilesStatement
