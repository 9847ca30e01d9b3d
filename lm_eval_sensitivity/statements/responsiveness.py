"""Does a system still respond to meaning? What can be said of one system without a reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from lm_eval_sensitivity.statements.every_system import on_the_same_prompts, partition_of_all
from lm_eval_sensitivity.statements.noise import NOISE_ALPHA, NOISE_RUNG, noise_test, not_above_in_words
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, Selection
from lm_eval_sensitivity.stats import (
    RESAMPLES,
    Constants,
    Partition,
    ReducedVerdict,
    judge_without_reference,
)
from lm_eval_sensitivity.stats.partition import SCORED, UNSCORED
from lm_eval_sensitivity.stats.verdicts import ALIVE, LIFELESS, UNDETERMINED

HARMLESS, CONTROL = "meaning_preserving", "positive_control"

_IN_A_CELL = {ALIVE: "yes", LIFELESS: "no"}


def life_signs(
    table: pa.Table,
    filter_name: str,
    systems: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, ReducedVerdict | None]:
    """Each system judged by itself, in the primary metric; None where too few prompts have both numbers.

    Args:
        table: from `load_pairs`.
        filter_name: `raw` or `answer`.
        systems: display names.
        resamples: of each bound.
        seed: of the resamples.
    """
    harmless, control, identical = (
        partition_of_all(table, Selection(PRIMARY_METRIC, filter_name, rungs), systems)
        for rungs in (HARMLESS, CONTROL, NOISE_RUNG)
    )
    found = {
        name: signs_of_life(harmless, control, identical, name, resamples=resamples, seed=seed)
        for name in systems
    }
    return {
        name: None if math.isnan(verdict.contrasts[0].bounds.estimate) else verdict
        for name, verdict in found.items()
    }


def alive_in_a_cell(verdict: ReducedVerdict | None) -> str | None:
    """The verdict for a table: yes, no or unclear; None where nothing was judged."""
    return None if verdict is None else _IN_A_CELL.get(verdict.label, "unclear")


def signs_of_life(
    harmless: Partition,
    control: Partition,
    identical: Partition,
    name: str,
    *,
    constants: Constants | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ReducedVerdict:
    """One system judged by itself. Where the identical rung was run, life must also be more than noise.

    Args:
        harmless: pairs of the meaning-preserving rungs.
        control: pairs of the positive control.
        identical: pairs of the identical rung.
        name: the system, which all tables have.
        constants: of the rules.
        resamples: of each bound.
        seed: of the resamples.
    """
    found = judge_without_reference(
        *on_the_same_prompts(control, harmless, name),
        silent_share=silent_share((harmless, control), name),
        constants=constants,
        resamples=resamples,
        seed=seed,
    )
    noise = noise_test(control, identical, name, seed=seed)
    if found.label != ALIVE or noise.standing(NOISE_ALPHA) in ("above", "not judged"):
        return found
    reason = f"What the positive control moves is {not_above_in_words(noise)}: it may be noise."
    return replace(found, label=UNDETERMINED, reasons=(reason, *found.reasons))


def silent_share(tables: Sequence[Partition], name: str, reference: str | None = None) -> float:
    """Share of the pairs for which a system gave nothing that could be scored; the largest of the tables.

    Args:
        tables: on harmless edits and on the positive control.
        name: the system.
        reference: only pairs that this one has a number for; None takes all that were not erased.
    """
    shares = []
    for table in tables:
        ours = table.status[:, :, table.systems.index(name)]
        comparable = (ours == SCORED) | (ours == UNSCORED)
        if reference is not None:
            comparable &= table.status[:, :, table.systems.index(reference)] == SCORED
        if comparable.any():
            shares.append(float((comparable & (ours == UNSCORED)).sum() / comparable.sum()))
    return max(shares, default=math.nan)
