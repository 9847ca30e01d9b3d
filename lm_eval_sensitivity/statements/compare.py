"""Two systems side by side: one paired difference by prompt, and what it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.statements.cautions import (
    collapse_cautions,
    coverage_cautions,
    noise_cautions,
    parting_cautions,
    prompt_end_cautions,
    rung_cautions,
    unknown_audits,
    window_cautions,
    zeros_caution,
)
from lm_eval_sensitivity.statements.every_system import partition_of_all
from lm_eval_sensitivity.statements.means import NoiseFloor, noise_floors
from lm_eval_sensitivity.statements.noise import NOISE_RUNG
from lm_eval_sensitivity.statements.responsiveness import life_signs
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import (
    DRAWS,
    RESAMPLES,
    Contrast,
    DetectableDifference,
    Equivalence,
    Interval,
    PairCounts,
    Partition,
    SignFlipTest,
    detectable_difference,
    difference_interval,
    equivalence_test,
    holm,
    mean_interval,
    sign_flip_test,
)
from lm_eval_sensitivity.stats.equivalence import MARGIN_SHARE
from lm_eval_sensitivity.stats.sample import Floats
from lm_eval_sensitivity.types import RUNGS

N_DRIVERS = 5
"""Prompts, and edits, that are shown for driving the difference."""


@dataclass(frozen=True)
class Side:
    """One of the two systems."""

    system: str
    mean: Interval
    """Over the pairs that are scored in both."""
    counts: PairCounts
    """Of the system alone."""
    noise: NoiseFloor


@dataclass(frozen=True)
class PromptDriver:
    """A prompt with a large difference. Chosen for that, so that it has no test."""

    name: str
    """Prompt id."""
    first: float
    second: float
    difference: float
    contribution: float
    """Its part of the mean difference; the parts of all prompts add up to it."""
    n_pairs: int
    """Scored in both."""


@dataclass(frozen=True)
class EditDriver:
    """An edit with a large difference. Chosen for that: its interval does not know of the choice."""

    name: str
    """Edit class."""
    rung: str
    first: float
    second: float
    difference: float
    interval: Interval
    """Of the difference, over the prompts that have the edit."""
    contribution: float
    """Its part of the mean difference; the parts of all edits add up to it."""
    n_prompts: int
    caution: str | None
    """What makes its interval unreliable, or None."""


Driver = TypeVar("Driver", PromptDriver, EditDriver)


@dataclass(frozen=True)
class RungDifference:
    """Both systems on one rung."""

    rung: str
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
    cautions: tuple[str, ...]
    """What makes its intervals unreliable."""


@dataclass(frozen=True)
class Comparison:
    """Everything that is said of two systems in one selection. Differences are second minus first."""

    selection: Selection
    first: Side
    second: Side
    difference: Interval
    test: SignFlipTest
    equivalence: Equivalence
    """The margin is a share of the first system's mean."""
    detectable: DetectableDifference
    counts: PairCounts
    """Of the shared pairs, and what fell out."""
    prompts: tuple[PromptDriver, ...]
    edits: tuple[EditDriver, ...]
    """Largest absolute difference first."""
    rungs: tuple[RungDifference, ...]
    """Mildest first; rungs that one of the systems was run on."""
    family: int
    """Rungs that the adjusted p-values know of."""
    cautions: tuple[str, ...]
    """Sentences that a reader must not miss."""
    seed: int
    resamples: int
    draws: int


def compare(
    table: pa.Table,
    first: str,
    second: str,
    selection: Selection,
    *,
    margin_share: float = MARGIN_SHARE,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare two systems of a pairs table by prompt, on the pairs that are scored in both.

    Args:
        table: from `load_pairs`; the order of its rows changes nothing.
        first: display name; its mean sets the margin.
        second: display name of the other one.
        selection: which numbers.
        margin_share: of the first system's mean, declared before looking.
        resamples: of each interval.
        draws: sign vectors, where there are too many prompts to try all.
        seed: of both.

    Raises:
        InputError: a system has no pair in the selection.

    Example:
        See `tests/unit/statements/test_compare.py`; a table takes a run.
    """
    pairs = partition_of_all(table, selection, (first, second))
    for name in (first, second):
        if not _given(pairs.counts(name)):
            raise InputError(
                f"{name} has no pair of {selection.in_words()}. Run the tasks of these rungs, or choose others with "
                "`--rungs`."
            )
    contrast = pairs.contrast(second, first)
    floors = noise_floors(table, selection, resamples=resamples, seed=seed)

    def side(name: str, means: Floats) -> Side:
        mean = mean_interval(means, resamples=resamples, seed=seed)
        return Side(name, mean, pairs.counts(name), floors[name])

    rungs = _rungs(table, first, second, selection, resamples=resamples, draws=draws, seed=seed)
    sides = side(first, contrast.second_means), side(second, contrast.first_means)
    return Comparison(
        selection=selection,
        first=sides[0],
        second=sides[1],
        difference=_interval(contrast.differences, first > second, resamples=resamples, seed=seed),
        test=sign_flip_test(contrast.differences, draws=draws, seed=seed),
        equivalence=equivalence_test(
            contrast.first_means,
            contrast.second_means,
            margin_share=margin_share,
            resamples=resamples,
            draws=draws,
            seed=seed,
        ),
        detectable=detectable_difference(contrast.differences),
        counts=contrast.counts,
        prompts=_prompt_drivers(pairs, first, second),
        edits=_edit_drivers(pairs, first, second, _rung_of_edit(table), resamples=resamples, seed=seed),
        rungs=rungs,
        family=sum(not math.isnan(rung.p_adjusted) for rung in rungs),
        cautions=(
            *rung_cautions(table, selection, (first, second)),
            *coverage_cautions(pairs, (first, second)),
            *_of_the_sides(table, selection, sides, resamples=resamples, seed=seed),
            *_zeros("", contrast, first, second),
            *unknown_audits(table, selection),
            *parting_cautions(selection.metric),
        ),
        seed=seed,
        resamples=resamples,
        draws=draws,
    )


def _interval(differences: Floats, turned: bool, *, resamples: int, seed: int) -> Interval:
    """The interval of a difference, mirrored exactly where the systems are given the other way round.

    Resamples of turned differences are others, so that the two directions would differ by chance.
    """
    found = difference_interval(-differences if turned else differences, resamples=resamples, seed=seed)
    if not turned:
        return found
    return replace(found, estimate=0.0 - found.estimate, lower=-found.upper, upper=-found.lower)


def _of_the_sides(
    table: pa.Table, selection: Selection, sides: tuple[Side, Side], *, resamples: int, seed: int
) -> Iterator[str]:
    """What could fake the number of one of the two by itself."""
    names = [side.system for side in sides]
    numbers = {side.system: (side.mean.estimate, side.noise.mean) for side in sides}
    life = life_signs(table, selection.filter_name, names, resamples=resamples, seed=seed)
    yield from collapse_cautions(life)
    yield from noise_cautions(table, selection, numbers, seed=seed)
    yield from window_cautions(table, selection, names)
    yield from prompt_end_cautions(table, selection.metric, selection.rungs, names)


def _zeros(where: str, contrast: Contrast, first: str, second: str) -> tuple[str, ...]:
    """Cautions of both means and their difference; the contrast is of the second and the first system."""
    found = (
        zeros_caution(f"{where}{first}, mean", contrast.second_means),
        zeros_caution(f"{where}{second}, mean", contrast.first_means),
        zeros_caution(f"{where}difference", contrast.differences),
    )
    return tuple(sentence for sentence in found if sentence)


def _given(counts: PairCounts) -> int:
    return counts.n_pairs + counts.n_erased + counts.n_unscored


def _prompt_drivers(pairs: Partition, first: str, second: str) -> tuple[PromptDriver, ...]:
    contrast = pairs.contrast(second, first)
    shared = ~np.isnan(_differences(pairs, first, second))
    n = contrast.counts.n_prompts
    drivers = [
        PromptDriver(prompt, a, b, difference, difference / n, n_pairs)
        for prompt, a, b, difference, n_pairs in zip(
            contrast.prompts,
            contrast.second_means.tolist(),
            contrast.first_means.tolist(),
            contrast.differences.tolist(),
            shared.sum(axis=1).tolist(),
            strict=True,
        )
        if n_pairs
    ]
    return _largest(drivers)


def _edit_drivers(
    pairs: Partition, first: str, second: str, rungs: dict[str, str], *, resamples: int, seed: int
) -> tuple[EditDriver, ...]:
    differences = _differences(pairs, first, second)
    shared = ~np.isnan(differences)
    per_prompt = shared.sum(axis=1)
    n_prompts = int((per_prompt > 0).sum())
    drivers = []
    for index, edit in enumerate(pairs.edits):
        there = shared[:, index]
        if not there.any():
            continue
        a, b = (pairs.values[there, index, pairs.systems.index(name)] for name in (first, second))
        values = differences[there, index]
        # The mean over prompts of the mean over edits, taken apart by edit.
        contribution = float((values / per_prompt[there]).sum()) / n_prompts
        interval = _interval(values, first > second, resamples=resamples, seed=seed)
        drivers.append(
            EditDriver(
                edit,
                rungs[edit],
                float(a.mean()),
                float(b.mean()),
                float(values.mean()),
                interval,
                contribution,
                len(values),
                zeros_caution(f"{edit}, difference", values),
            )
        )
    return _largest(drivers)


def _differences(pairs: Partition, first: str, second: str) -> Floats:
    """[prompt, edit] second minus first; NaN unless scored in both."""
    a, b = (pairs.values[:, :, pairs.systems.index(name)] for name in (first, second))
    return b - a


def _largest(drivers: Sequence[Driver]) -> tuple[Driver, ...]:
    """The first few by absolute size, equal ones by name; those without any difference drive nothing."""
    moved = [driver for driver in drivers if driver.difference != 0]
    return tuple(sorted(moved, key=lambda driver: (-abs(driver.difference), driver.name))[:N_DRIVERS])


def _rung_of_edit(table: pa.Table) -> dict[str, str]:
    return dict(zip(table["edit"].to_pylist(), table["rung"].to_pylist(), strict=True))


def _rungs(
    table: pa.Table, first: str, second: str, selection: Selection, *, resamples: int, draws: int, seed: int
) -> tuple[RungDifference, ...]:
    """Both systems rung by rung, whatever rungs the selection has."""
    names = pa.array([first, second], pa.string())
    ran = set(pc.unique(table.filter(pc.is_in(table["name"], names))["rung"]).to_pylist())
    found = []
    for rung in (rung for rung in RUNGS if rung in ran):
        pairs = partition_of_all(table, replace(selection, rung_set=rung), (first, second))
        contrast = pairs.contrast(second, first)
        found.append(
            RungDifference(
                rung=rung,
                first=mean_interval(contrast.second_means, resamples=resamples, seed=seed),
                second=mean_interval(contrast.first_means, resamples=resamples, seed=seed),
                difference=_interval(contrast.differences, first > second, resamples=resamples, seed=seed),
                test=sign_flip_test(contrast.differences, draws=draws, seed=seed),
                p_adjusted=math.nan,
                counts=contrast.counts,
                first_counts=pairs.counts(first),
                second_counts=pairs.counts(second),
                cautions=_zeros(f"{rung}: ", contrast, first, second),
            )
        )
    p = holm([math.nan if each.rung == NOISE_RUNG else each.test.p_value for each in found]).p_adjusted
    return tuple(replace(each, p_adjusted=float(value)) for each, value in zip(found, p, strict=True))
