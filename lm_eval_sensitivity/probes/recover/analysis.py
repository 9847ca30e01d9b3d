"""From pushes to what the probe finds: numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.probes.numbers import by_prompt, mean, median, rank_correlation
from lm_eval_sensitivity.probes.recover.finding import CellRow, Curve, Overall, Push, RecoverFinding
from lm_eval_sensitivity.probes.recover.recovery import recovery_of
from lm_eval_sensitivity.probes.recover.settings import CONTROL, Cell, Settings
from lm_eval_sensitivity.probes.result import PerPrompt
from lm_eval_sensitivity.stats import mean_interval

LARGEST_COSINE = 2.0
Tokens = tuple[int, ...]


class PushedPaths(Protocol):
    """What `push.Pushed` holds; named here because that file imports torch."""

    @property
    def distances(self) -> NDArray[np.float64]: ...
    @property
    def divergences(self) -> NDArray[np.float64]: ...
    @property
    def tokens(self) -> tuple[Tokens, ...]: ...
    @property
    def own(self) -> Tokens: ...


@dataclass(frozen=True, eq=False)
class PushedPrompt:
    """One prompt under every push."""

    prompt_id: str
    output_ids: Tokens
    """As recorded."""
    pushed: PushedPaths


@dataclass(frozen=True, eq=False)
class Texts:
    """What paths say, and how far that is apart."""

    of: Mapping[Tokens, str]
    distances: TextDistances | None
    missing: str = ""
    """Why there are no distances."""
    embedder: str = ""

    def distance(self, path: Tokens, other: Tokens) -> float:
        """Cosine distance of two texts, 0 to 2; NaN where there is none."""
        if self.distances is None:
            return math.nan
        found = self.distances.distance(self.of[path], self.of[other])
        return found if isinstance(found, float) else math.nan


def finding_of(
    pushed: Sequence[PushedPrompt],
    cells: Sequence[Cell],
    n_layers: int,
    limit: int,
    texts: Texts,
    settings: Settings,
) -> RecoverFinding:
    """Everything that the probe finds.

    Args:
        pushed: one for each prompt.
        cells: of every prompt, in order.
        n_layers: of the model.
        limit: tokens of a free path at most.
        texts: of all free paths.
        settings: of the probe.

    Returns:
        Every push, every cell over prompts, and all together.

    Example:
        See `tests/probes/test_recover_analysis.py`; a push takes a model.
    """
    every = [push for each in pushed for push in _pushes(each, cells, settings.step, texts)]
    controls = [each for each in every if each.alpha == CONTROL]
    return RecoverFinding(
        step=settings.step,
        limit=limit,
        n_layers=n_layers,
        n_prompts=len(pushed),
        control_distance=max(each.peak for each in controls),
        control_changed=sum(each.path_changed for each in controls),
        n_own_paths=sum(each.pushed.own == each.output_ids for each in pushed),
        embedder=texts.embedder,
        cosine_missing=texts.missing,
        overall=_overall([each for each in every if each.alpha != CONTROL]),
        cells=tuple(_row(cell, [each for each in every if _is(cell, each)]) for cell in cells),
        curves=tuple(_curves(pushed, cells)),
        pushes=tuple(every),
    )


def _is(cell: Cell, push: Push) -> bool:
    return (cell.layer, cell.alpha) == (push.layer, push.alpha)


def _pushes(prompt: PushedPrompt, cells: Sequence[Cell], step: int, texts: Texts) -> Iterator[Push]:
    own = prompt.pushed.own
    for number, cell in enumerate(cells):
        curve, path = prompt.pushed.distances[number], prompt.pushed.tokens[number]
        found = recovery_of(curve)
        yield Push(
            prompt_id=prompt.prompt_id,
            layer=cell.layer,
            alpha=cell.alpha,
            n_steps=len(curve),
            peak=found.peak,
            peak_step=found.peak_step,
            at_push=float(curve[0]),
            lag_1=_at(curve, 1),
            lag_4=_at(curve, 4),
            lag_16=_at(curve, 16),
            recovered=found.recovered,
            steps=found.steps,
            half_life=found.half_life,
            kl=float(prompt.pushed.divergences[number, 0]),
            first_divergence=first_difference(own, path),
            cosine=texts.distance(own, path),
        )


def _at(curve: NDArray[np.float64], lag: int) -> float:
    return float(curve[lag]) if lag < len(curve) else math.nan


def first_difference(path: Tokens, other: Tokens) -> int | None:
    """Step of the first token in which two paths differ; one that ends first differs there.

    Args:
        path: [step]
        other: [step]

    Returns:
        From 0; None for equal paths.

    Example:
        >>> first_difference((1, 2, 3), (1, 2, 4)), first_difference((1,), (1, 2)), first_difference((1,), (1,))
        (2, 1, None)
    """
    both = zip_longest(path, other)
    return next((step for step, (one, two) in enumerate(both) if one != two), None)


def _row(cell: Cell, pushes: Sequence[Push]) -> CellRow:
    return CellRow(
        layer=cell.layer,
        alpha=cell.alpha,
        n_prompts=len(pushes),
        peak=median([each.peak for each in pushes]),
        at_push=median([each.at_push for each in pushes]),
        lag_1=median([each.lag_1 for each in pushes]),
        lag_4=median([each.lag_4 for each in pushes]),
        lag_16=median([each.lag_16 for each in pushes]),
        recovered=mean_interval([_number(each.recovered) for each in pushes], largest=1.0),
        steps=median([_number(each.steps) for each in pushes]),
        half_life=median([_number(each.half_life) for each in pushes]),
        kl=median([each.kl for each in pushes]),
        unchanged=mean_interval([float(not each.path_changed) for each in pushes], largest=1.0),
        cosine=mean_interval([each.cosine for each in pushes], largest=LARGEST_COSINE),
        cosine_changed=mean([each.cosine for each in pushes if each.path_changed]),
    )


def _number(value: int | bool | None) -> float:
    return math.nan if value is None else float(value)


def _overall(pushes: Sequence[Push]) -> Overall:
    decided = [each for each in pushes if each.recovered is not None]
    changed = [each for each in pushes if each.path_changed]

    def share(of: Callable[[Push], bool], among: Sequence[Push]) -> list[float]:
        return list(_shares(of, among).values())

    return Overall(
        n_pushes=len(pushes),
        n_decided=len(decided),
        n_recovered=sum(_recovered(each) for each in decided),
        n_changed=len(changed),
        n_both=sum(_recovered(each) and each.path_changed for each in decided),
        recovered=mean_interval(share(_recovered, decided), largest=1.0),
        changed=mean_interval(share(lambda each: each.path_changed, pushes), largest=1.0),
        both=mean_interval(share(lambda each: _recovered(each) and each.path_changed, decided), largest=1.0),
        cosine_changed=mean([each.cosine for each in changed]),
        rank_correlation=_ranks(pushes),
        rank_correlation_changed=_ranks(changed),
    )


def _recovered(push: Push) -> bool:
    return push.recovered is True


def _shares(of: Callable[[Push], bool], pushes: Sequence[Push]) -> dict[str, float]:
    """Prompt -> share of its pushes."""
    return by_prompt([float(of(each)) for each in pushes], [each.prompt_id for each in pushes])


def _ranks(pushes: Sequence[Push]) -> float:
    return rank_correlation([each.peak for each in pushes], [each.cosine for each in pushes])


def _curves(pushed: Sequence[PushedPrompt], cells: Sequence[Cell]) -> Iterator[Curve]:
    longest = max(each.pushed.distances.shape[1] for each in pushed)
    for number, cell in enumerate(cells):
        if cell.alpha == CONTROL:
            continue
        curves = [each.pushed.distances[number] for each in pushed]
        table = [[_at(curve, lag) for curve in curves] for lag in range(longest)]
        yield Curve(cell.layer, cell.alpha, tuple(median(each) for each in table))


def per_prompt(found: RecoverFinding) -> tuple[PerPrompt, ...]:
    """Two numbers for each prompt.

    Args:
        found: of one system.

    Returns:
        Shares over the pushes of a prompt, without the controls.
    """
    pushes = [each for each in found.pushes if each.alpha != CONTROL]
    decided = [each for each in pushes if each.recovered is not None]
    names = dict.fromkeys(each.prompt_id for each in pushes)
    recovered = _shares(_recovered, decided)
    changed = _shares(lambda each: each.path_changed, pushes)
    return (
        PerPrompt(
            "recovered_share",
            "share of pushes after which the state came back on fixed tokens; 0 to 1",
            {name: recovered.get(name) for name in names},
        ),
        PerPrompt(
            "path_changed_share",
            "share of pushes after which another token was chosen; 0 to 1",
            {name: changed.get(name) for name in names},
        ),
    )
