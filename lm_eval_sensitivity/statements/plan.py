"""What a design would find, said before anything runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.ladder.cost import generations
from lm_eval_sensitivity.ladder.load import SUBSETS, load_ladder
from lm_eval_sensitivity.ladder.spread import MOST_IDENTICAL
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats.design import (
    VarianceComponents,
    planned_difference,
    standard_error,
    variance_components,
)
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

MEASURED: Mapping[str, VarianceComponents] = {
    "another model": VarianceComponents(0.0379, 0.0805),
    "rounded to 4 bits": VarianceComponents(0.0620, 0.0970),
    "rounded to 8 bits": VarianceComponents(0.0078, 0.0331),
}
"""Components of the paired differences of harmless edits, cosine distance, 24 prompts with 18 edits."""
SOURCE = (
    "Variance components of paired differences, measured with 24 prompts and 18 harmless edits each, 96 new tokens: "
    "SmolLM2-135M-Instruct against Gemma 3 270M (another model) and against its own weights at 4 and at 8 bits. Your "
    "systems may differ: give a run of your own with --from."
)
OTHER_EDITS = (1, 2, 4, 9, 18)
"""Edits per prompt of the alternatives."""


@dataclass(frozen=True)
class Design:
    """So many prompts with so many harmless edits each."""

    name: str
    n_prompts: int
    n_edits: float
    """Meaning-preserving edits of a prompt, on average."""
    n_generations: int
    """Controls and repetitions included."""
    n_effective: float
    """Edits that weigh the same and are as precise: with equal weight per rung, fewer than there are."""


@dataclass(frozen=True)
class PlanRow:
    """What one design would find between systems of one kind."""

    design: Design
    contrast: str
    standard_error: float
    one: float
    """Detectable difference of a single contrast; NaN where no p can be small enough."""
    family: float
    """The same for each contrast of the whole family."""


@dataclass(frozen=True)
class Plan:
    """Designs beside each other."""

    rows: tuple[PlanRow, ...]
    n_systems: int
    n_contrasts: int
    alpha: float
    power: float
    source: str


def published_designs() -> list[Design]:
    """The subsets of the packaged ladder, the cheapest first."""
    found = []
    for subset in SUBSETS:
        ladder = load_ladder(subset=subset)
        counts = Counter(
            (pair.prompt_id, pair.rung) for rung in MEANING_PRESERVING_RUNGS for pair in ladder.rung(rung)
        )
        n_prompts = len(ladder.prompts)
        # The variance of a mean of four rungs with the same weight, in units of the variance within a prompt.
        within = sum(1 / n for n in counts.values()) / len(MEANING_PRESERVING_RUNGS) ** 2 / n_prompts
        n_edits = sum(counts.values()) / n_prompts
        found.append(Design(subset, n_prompts, n_edits, generations(ladder.pairs), 1 / within))
    return sorted(found, key=lambda design: design.n_generations)


def own_designs(n_prompts: int, n_edits: int) -> list[Design]:
    """The design that was asked for, and others of the same cost.

    Each prompt costs its base, its harmless edits and a positive control; half of them a semantic change, and up to 24
    a repetition, as in a spread design.

    Example:
        >>> [(each.n_prompts, each.n_edits, each.n_generations) for each in own_designs(50, 4)][:3]
        [(50, 4, 349), (93, 1, 349), (72, 2, 348)]
    """
    asked = Design("asked for", n_prompts, n_edits, _cost(n_prompts, n_edits), n_edits)
    others = []
    for other in OTHER_EDITS:
        most = max(
            (n for n in range(1, asked.n_generations) if _cost(n, other) <= asked.n_generations), default=0
        )
        if other != n_edits and most:
            others.append(Design("same cost", most, other, _cost(most, other), other))
    return [asked, *others]


def _cost(n_prompts: int, n_edits: int) -> int:
    return n_prompts * (n_edits + 2) + n_prompts // 2 + min(MOST_IDENTICAL, n_prompts)


def plan(
    designs: Sequence[Design],
    kinds: Mapping[str, VarianceComponents],
    *,
    n_systems: int = 2,
    alpha: float = 0.05,
    power: float = 0.8,
    source: str = SOURCE,
) -> Plan:
    """What each design would find between systems of each kind.

    Args:
        designs: in the order of the table.
        kinds: components of the paired differences, by what is compared.
        n_systems: at least 2; all pairs of them are one family.
        alpha: family-wise level.
        power: wanted probability of detection.
        source: where the components are from.

    Returns:
        One row per design and kind.
    """
    n_contrasts = math.comb(n_systems, 2)
    rows = tuple(
        PlanRow(
            design,
            kind,
            standard_error(components, design.n_prompts, design.n_effective),
            planned_difference(components, design.n_prompts, design.n_effective, alpha=alpha, power=power),
            planned_difference(
                components,
                design.n_prompts,
                design.n_effective,
                n_contrasts=n_contrasts,
                alpha=alpha,
                power=power,
            ),
        )
        for design in designs
        for kind, components in kinds.items()
    )
    return Plan(rows, n_systems, n_contrasts, alpha, power, source)


def components_of_runs(partition: TablePartition, selection: Selection) -> dict[str, VarianceComponents]:
    """Components of the paired differences of finished runs, the first system against each other one.

    With one system alone they are those of its distances doubled: what two systems like it, each moved by other
    prompts, would have. Systems that move on the same prompts have less.

    Args:
        partition: of the runs.
        selection: metric, filter and rungs.

    Returns:
        Components by the names of the two systems; NaN where they cannot be estimated.
    """
    pairs = partition.pairs(selection)
    first, *others = (pairs.values[:, :, index] for index in range(len(pairs.systems)))
    if not others:
        alone = variance_components(first)
        name = f"two systems like {pairs.systems[0]}"
        return {name: VarianceComponents(2 * alone.between, 2 * alone.within)}
    return {
        f"{pairs.systems[0]} and {name}": variance_components(first - other)
        for name, other in zip(pairs.systems[1:], others, strict=True)
    }
