"""Does a system still respond to meaning? What can be said of one system without a reference."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lm_eval_sensitivity.statements.noise import beside_noise, may_be_noise, noise_sentence
from lm_eval_sensitivity.statements.partition import TablePartition, on_the_same_prompts
from lm_eval_sensitivity.statements.records import Responsiveness
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, PRIMARY_RUNGS, Selection
from lm_eval_sensitivity.stats import Constants, ReducedVerdict, judge_without_reference
from lm_eval_sensitivity.stats.alive import ALIVE, LIFELESS
from lm_eval_sensitivity.stats.partition import SCORED, UNSCORED
from lm_eval_sensitivity.stats.rules import UNDETERMINED
from lm_eval_sensitivity.stats.sample import Floats
from lm_eval_sensitivity.text.format import percent

PRESERVING, CONTROL = PRIMARY_RUNGS, "positive_control"
OUTPUT_SPREAD = "output_spread"
"""Column of the pairs table: how far the output to a prompt is from those to the other prompts."""

_WORDS: dict[str, Responsiveness] = {ALIVE: "yes", LIFELESS: "no"}


def responds(partition: TablePartition, filter_name: str, system: str) -> ReducedVerdict | None:
    """One system judged by itself in the primary metric; None where too few prompts have both numbers."""
    found = judged_alone(partition, Selection(PRIMARY_METRIC, filter_name), system)
    return None if math.isnan(found.contrasts[0].bounds.estimate) else found


def responsiveness(partition: TablePartition, filter_name: str, system: str) -> Responsiveness | None:
    """The same in a word."""
    found = responds(partition, filter_name, system)
    return None if found is None else _WORDS.get(found.label, "unclear")


def no_further_in_words(found: ReducedVerdict, what: str) -> str:
    """What it means to be `collapsed or indiscriminate`; `what` is moved."""
    share = percent(found.constants.k_response)
    return f"Another request moves {what} not {share} further than a harmless edit does"


def judged_alone(
    partition: TablePartition, selection: Selection, system: str, constants: Constants | None = None
) -> ReducedVerdict:
    """One system judged by itself. Where the identical rung was run, life must also be more than noise.

    Args:
        partition: of a pairs table.
        selection: metric and filter count.
        system: display name.
        constants: of the rules.

    Returns:
        `alive`, `collapsed or indiscriminate`, or `UNDETERMINED` with the reasons.
    """
    return partition.once(
        ("alone", selection.metric, selection.filter_name, system, constants),
        lambda: _judged_alone(partition, selection, system, constants),
    )


def _judged_alone(
    partition: TablePartition, selection: Selection, system: str, constants: Constants | None
) -> ReducedVerdict:
    preserving, control = replace(selection, rung_set=PRESERVING), replace(selection, rung_set=CONTROL)
    c, p = on_the_same_prompts(partition.pairs(control), partition.pairs(preserving), system)
    found = judge_without_reference(
        c,
        p,
        output_spread=_output_spread(partition, selection, system),
        silent_share=silent_share(partition, selection, system),
        constants=constants,
        resamples=partition.resamples,
        seed=partition.seed,
    )
    noise = beside_noise(partition, control, system)
    if found.label != ALIVE or not may_be_noise(noise):
        return found
    reason = f"{noise_sentence(noise, 'What the positive control moves')}."
    return replace(found, label=UNDETERMINED, reasons=(reason, *found.reasons))


def _output_spread(partition: TablePartition, selection: Selection, system: str) -> Floats | None:
    """[prompt] of the prompts that `judged_alone` lines up; None where the run did not measure it."""
    if OUTPUT_SPREAD not in partition.table.column_names:
        return None
    prompts = sorted(
        {
            prompt
            for rungs in (PRESERVING, CONTROL)
            for prompt in partition.pairs(replace(selection, rung_set=rungs)).prompts
        }
    )
    columns = (partition.column(name) for name in ("name", "filter", "prompt_id", OUTPUT_SPREAD))
    spread = {
        prompt: value
        for name, filter_name, prompt, value in zip(*columns, strict=True)
        if (name, filter_name) == (system, selection.filter_name) and value is not None
    }
    return np.array([spread.get(prompt, math.nan) for prompt in prompts]) if spread else None


def silent_share(
    partition: TablePartition, selection: Selection, system: str, reference: str | None = None
) -> float:
    """Share of the pairs for which a system gave nothing that could be scored; the larger of harmless edits
    and the positive control.

    Args:
        partition: of a pairs table.
        selection: metric and filter count.
        system: display name.
        reference: only pairs that this one has a number for; None takes all that were not erased.

    Returns:
        In [0, 1]; NaN without such a pair.
    """
    shares = []
    for rungs in (PRESERVING, CONTROL):
        pairs = partition.pairs(replace(selection, rung_set=rungs))
        ours = pairs.status[:, :, pairs.systems.index(system)]
        comparable = (ours == SCORED) | (ours == UNSCORED)
        if reference is not None:
            comparable &= pairs.status[:, :, pairs.systems.index(reference)] == SCORED
        if comparable.any():
            shares.append(float((comparable & (ours == UNSCORED)).sum() / comparable.sum()))
    return max(shares, default=math.nan)
