"""Prompt-level statistics: arrays in, frozen records out. No torch, lm_eval or pandas here.

    alive.py         Is a system alive? What can be said of it where there is nothing to compare it with
    clusters.py      Clusters of systems that cannot be told apart: a compact letter display, never a ranking
    design.py        Planning a run: what so many prompts with so many edits would find
    equivalence.py   Equal within a margin: what "not distinguishable" does not say
    intervals.py     Intervals over prompts: half points, and the bootstrap-t
    multiplicity.py  Many contrasts at once: step-down max-|t| over shared sign flips
    order.py         Which of two means is lower: step-down max-|t| of the symmetric bootstrap-t
    partition.py     From a table of pairs to prompt-level numbers
    permutation.py   Sign flips of prompt-level differences: the core of every test here
    power.py         What could have been found: the smallest difference that this many prompts detect
    repetition.py    Do edits move an output more than repeating the prompt does?
    rules.py         The rules of the verdicts, and their declared constants
    sample.py        What every statistic demands of its prompt-level numbers
    two_sample.py    Two clouds of outputs: are they further apart than each is wide?
    verdicts.py      Two axes against a reference: does a system still respond to meaning

The prompt is the unit: pairs of one prompt are not independent, and treating them so rejects a true
null hypothesis in 21 to 63 % of cases at a nominal 5 %. `partition` makes prompt-level numbers of a
table of pairs, and everything else takes those.

`two_sample` is the one test inside a pair: its units are samples of outputs, not prompts.

What cannot be computed is NaN with a `reason`. The same seed gives the same bytes, in whatever order
systems, prompts and rows come.
"""

from __future__ import annotations

from lm_eval_sensitivity.stats.alive import ReducedVerdict, judge_without_reference
from lm_eval_sensitivity.stats.clusters import Cluster, Clusters, find_clusters
from lm_eval_sensitivity.stats.equivalence import Equivalence, equivalence_test
from lm_eval_sensitivity.stats.intervals import (
    RESAMPLES,
    Interval,
    difference_interval,
    largest_value,
    mean_interval,
    one_sided_bounds,
)
from lm_eval_sensitivity.stats.multiplicity import (
    MaxT,
    holm,
    max_t_test,
)
from lm_eval_sensitivity.stats.order import order_p
from lm_eval_sensitivity.stats.partition import (
    Contrast,
    ContrastTable,
    PairCounts,
    Partition,
    contrast_table,
    partition_by_prompt,
)
from lm_eval_sensitivity.stats.permutation import DRAWS, SignFlipTest, attainable_p, sign_flip_test
from lm_eval_sensitivity.stats.power import DetectableDifference, detectable_difference
from lm_eval_sensitivity.stats.repetition import REPETITION_DRAWS, RepetitionTest, repetition_test
from lm_eval_sensitivity.stats.rules import Constants
from lm_eval_sensitivity.stats.sample import MIN_PROMPTS
from lm_eval_sensitivity.stats.two_sample import (
    TWO_SAMPLE_DRAWS,
    MeanDistances,
    TwoSampleTest,
    mean_distances,
    two_sample_attainable_p,
    two_sample_test,
)
from lm_eval_sensitivity.stats.verdicts import AxisContrast, TwoAxes, Verdict, judge, two_axes

__all__ = [
    "DRAWS",
    "MIN_PROMPTS",
    "REPETITION_DRAWS",
    "RESAMPLES",
    "TWO_SAMPLE_DRAWS",
    "AxisContrast",
    "Cluster",
    "Clusters",
    "Constants",
    "Contrast",
    "ContrastTable",
    "DetectableDifference",
    "Equivalence",
    "Interval",
    "MaxT",
    "MeanDistances",
    "PairCounts",
    "Partition",
    "ReducedVerdict",
    "RepetitionTest",
    "SignFlipTest",
    "TwoAxes",
    "TwoSampleTest",
    "Verdict",
    "attainable_p",
    "contrast_table",
    "detectable_difference",
    "difference_interval",
    "equivalence_test",
    "find_clusters",
    "holm",
    "judge",
    "judge_without_reference",
    "largest_value",
    "max_t_test",
    "mean_distances",
    "mean_interval",
    "one_sided_bounds",
    "order_p",
    "partition_by_prompt",
    "repetition_test",
    "sign_flip_test",
    "two_axes",
    "two_sample_attainable_p",
    "two_sample_test",
]
