"""From the recorded states of a system's outputs to what the probe finds: numpy alone."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.numbers import mean, median, quantile
from lm_eval_sensitivity.probes.trajectory.finding import (
    LEGACY_LABELS,
    NORMALIZATIONS,
    AgainstNull,
    InstabilityRow,
    LengthRow,
    Normalization,
    Null,
    PromptTrajectory,
    PromptTurning,
    Reopening,
    Series,
    StateRow,
    Strip,
    TrajectoryFinding,
    Within,
)
from lm_eval_sensitivity.probes.trajectory.instability import (
    Floats,
    Scale,
    clipped,
    describe,
    isotropic,
    robust_scale,
    shuffled,
    turning,
)
from lm_eval_sensitivity.probes.trajectory.settings import Settings
from lm_eval_sensitivity.probes.trajectory.states import (
    STATES,
    Codes,
    Cycles,
    classify,
    cycles,
    dwells,
    exits,
    gaps_of,
    joined,
)
from lm_eval_sensitivity.probes.trajectory.survival import cumulative_incidence
from lm_eval_sensitivity.stats import mean_interval

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Numbers of states at which the ratio is looked at."""
SCALED_BY = 50.0
"""What the largest coordinate is multiplied with, to see whether a number survives it."""
ISOTROPIC_DRAWS = 20
THIN_MARGIN = 0.5
"""Nats."""
WITHIN = (4, 16)
"""Steps after a run of collapse, beside the last time at which anything was seen."""
MOST_STRIPS = 6
_LEGACY_STARTS = (1.96, 2.945, 3.62)
"""Between the ranges that were published, which leave gaps."""


@dataclass(frozen=True, eq=False)
class RecordedPath:
    """What is known of one output, step by step."""

    prompt_id: str
    category: str
    states: NDArray[np.float32]
    """[step, width]"""
    cut: bool
    """The token limit ended it."""
    margins: NDArray[np.float32] | None
    """[step] nats, as the next two; all None, or none of them."""
    entropies: NDArray[np.float32] | None
    top1_log_probabilities: NDArray[np.float32] | None

    def codes(self) -> Codes | None:
        """[step] states of certainty; None where they are not known."""
        if self.margins is None or self.entropies is None or self.top1_log_probabilities is None:
            return None
        return classify(self.entropies, gaps_of(self.top1_log_probabilities, self.margins))


def trajectory_of(paths: Sequence[RecordedPath], settings: Settings) -> TrajectoryFinding:
    """Everything that the probe finds.

    Args:
        paths: one for each prompt, at least one, all states finite.
        settings: of the probe.

    Returns:
        Numbers of every prompt, over prompts with intervals, and both nulls.

    Example:
        See `tests/probes/test_trajectory_analysis.py`; a path takes a model.
    """
    pool = [each.states for each in paths]
    scale = robust_scale(pool)
    power = np.sum([np.square(each, dtype=np.float64).sum(axis=0) for each in pool], axis=0)
    largest = int(np.argmax(power))
    width = pool[0].shape[1]
    codes = [each.codes() for each in paths]
    known = [(path, code) for path, code in zip(paths, codes, strict=True) if code is not None]
    ct = [
        {"RAW": turning(each.states), "CLIPPED_MAD": turning(clipped(each.states, scale))} for each in paths
    ]
    lengths = sorted({len(each) for each in pool} | {n for n in LENGTHS if n <= max(map(len, pool))})
    null = isotropic(lengths, width, ISOTROPIC_DRAWS, settings.seed)
    prompts = tuple(
        _prompt(path, own, code, scale, largest, null, settings)
        for path, own, code in zip(paths, ct, codes, strict=True)
    )
    return TrajectoryFinding(
        side=settings.states_side,
        width=width,
        n_pool=sum(map(len, pool)),
        n_kept=len(scale.kept),
        largest_coordinate=largest,
        largest_share=float(power[largest] / power.sum()),
        shuffles=settings.shuffles,
        prompts=prompts,
        instability=tuple(_instability(prompts)),
        against_null=tuple(_against(prompts, each) for each in NORMALIZATIONS),
        lengths=tuple(_by_length(ct, null)),
        states=tuple(_state_rows([code for _, code in known])),
        reopening=_reopening(known, settings) if known else None,
        strips=tuple(_strips(paths, ct, codes)),
    )


# ---- one prompt


def _prompt(
    path: RecordedPath,
    ct: dict[str, Floats],
    codes: Codes | None,
    scale: Scale,
    largest: int,
    isotropic_null: dict[int, tuple[float, float]],
    settings: Settings,
) -> PromptTrajectory:
    scaled = path.states.astype(np.float64)
    scaled[:, largest] *= SCALED_BY
    raw = _with_null(path, ct["RAW"], path.states, settings)
    mean, ratio = isotropic_null[len(path.states)]
    return PromptTrajectory(
        prompt_id=path.prompt_id,
        category=path.category,
        n_states=len(path.states),
        raw=raw,
        clipped_mad=_with_null(path, ct["CLIPPED_MAD"], clipped(path.states, scale), settings),
        isotropic_mean=mean,
        isotropic_ratio=ratio,
        scaled_ratio=describe(turning(scaled)).ratio,
        reopened_share=math.nan if codes is None else cycles(codes, path.cut).share,
        legacy_label=legacy_label(raw.observed.ratio) if settings.legacy_labels else "",
    )


def _with_null(
    path: RecordedPath, ct: Floats, states: NDArray[np.generic], settings: Settings
) -> PromptTurning:
    mean, ratio = shuffled(states, settings.shuffles, _generator(path.prompt_id, settings.seed))
    return PromptTurning(describe(ct), mean, ratio)


def _generator(prompt_id: str, seed: int) -> np.random.Generator:
    """Of one prompt, whatever the others are."""
    return np.random.default_rng([seed, zlib.crc32(prompt_id.encode())])


def legacy_label(ratio: float) -> str:
    """The regime that was published for a ratio, RAW: UNDERACTIVE below 1.96, ADAPTIVE below 2.945, TRANSITION below
    3.62, then CHAOTIC.

    Args:
        ratio: largest ct over mean ct.

    Returns:
        A name; empty for NaN.

    Source:
        Bosange Batuli 2026, "Four Dynamical Regimes in Large Language Models", doi 10.5281/zenodo.20348878.

    Example:
        >>> legacy_label(1.4), legacy_label(2.945), legacy_label(float("nan"))
        ('UNDERACTIVE', 'TRANSITION', '')
    """
    return "" if math.isnan(ratio) else LEGACY_LABELS[sum(ratio >= each for each in _LEGACY_STARTS)]


# ---- over prompts


def _instability(prompts: Sequence[PromptTrajectory]) -> Iterator[InstabilityRow]:
    nan = [math.nan] * len(prompts)
    for normalization in NORMALIZATIONS:
        own = [each.turning(normalization) for each in prompts]
        observed = [each.observed for each in own]
        yield _row(
            normalization,
            "observed",
            [each.mean for each in observed],
            [each.ratio for each in observed],
            [each.late for each in observed],
            [each.p95_over_median for each in observed],
        )
        shuffles = [each.shuffled_mean for each in own], [each.shuffled_ratio for each in own]
        yield _row(normalization, "shuffled", *shuffles, nan, nan)
    means, ratios = [each.isotropic_mean for each in prompts], [each.isotropic_ratio for each in prompts]
    yield _row("RAW", "isotropic", means, ratios, nan, nan)


def _row(
    normalization: Normalization,
    series: Series,
    means: Sequence[float],
    ratios: Sequence[float],
    late: Sequence[float],
    spread: Sequence[float],
) -> InstabilityRow:
    return InstabilityRow(
        normalization,
        series,
        mean_interval(means),
        mean_interval(ratios),
        median(ratios),
        quantile(ratios, 0.0),
        quantile(ratios, 1.0),
        mean(late),
        median(spread),
    )


def _against(prompts: Sequence[PromptTrajectory], normalization: Normalization) -> AgainstNull:
    own = [each.turning(normalization) for each in prompts]
    return AgainstNull(
        normalization,
        mean_interval(
            [each.observed.mean / each.shuffled_mean if each.shuffled_mean else math.nan for each in own]
        ),
        mean_interval([each.observed.ratio - each.shuffled_ratio for each in own]),
    )


def _by_length(
    ct: Sequence[dict[str, Floats]], isotropic_null: dict[int, tuple[float, float]]
) -> Iterator[LengthRow]:
    for n_states in LENGTHS:
        there = [each for each in ct if len(each["RAW"]) + 2 >= n_states]
        if there:
            raw, clipped_mad = (
                median([describe(each[name][: n_states - 2]).ratio for each in there])
                for name in NORMALIZATIONS
            )
            yield LengthRow(n_states, len(there), raw, clipped_mad, isotropic_null[n_states][1])


# ---- states of certainty


def _state_rows(codes: Sequence[Codes]) -> Iterator[StateRow]:
    n_steps = sum(map(len, codes))
    if not n_steps:
        return
    runs = [run for each in codes for run in dwells(each)]
    for number, state in enumerate(STATES):
        count = sum(int((each == number).sum()) for each in codes)
        lengths = [length for code, length in runs if code == number]
        yield StateRow(
            state,
            count,
            count / n_steps,
            mean_interval([float((each == number).mean()) for each in codes if len(each)], largest=1.0),
            len(lengths),
            float(np.mean(lengths)) if lengths else math.nan,
        )


def _reopening(known: Sequence[tuple[RecordedPath, Codes]], settings: Settings) -> Reopening:
    cuts = [path.cut for path, _ in known]
    codes = [code for _, code in known]
    by_prompt = [cycles(code, cut) for code, cut in zip(codes, cuts, strict=True)]
    runs = joined(by_prompt)
    curve = cumulative_incidence(runs.waits, runs.outcomes)
    last = curve.last_time
    horizons = sorted({*(each for each in WITHIN if each < last), last} - {0})
    nulls = _shuffled_reopenings(known, horizons, settings)
    reopened, ended, censored = runs.counts
    return Reopening(
        n_runs=len(runs.lengths),
        n_reopened=reopened,
        n_ended=ended,
        n_censored=censored,
        share=runs.share,
        share_null=_null([each.share for each in nulls]),
        share_of_all=runs.share_of_all,
        share_of_all_null=_null([each.share_of_all for each in nulls]),
        within=tuple(
            Within(steps, curve.at(steps), _null([each.within[at] for each in nulls]))
            for at, steps in enumerate(horizons)
        ),
        by_prompt=mean_interval([each.share for each in by_prompt], largest=1.0),
        exit_rate=exits(codes),
        exit_rate_null=_null([each.exit_rate for each in nulls]),
        curve_times=tuple(curve.times.tolist()),
        curve_share=tuple(curve.share.tolist()),
    )


@dataclass(frozen=True)
class _Shuffled:
    """What one shuffle of all outputs gives."""

    share: float
    share_of_all: float
    within: tuple[float, ...]
    exit_rate: float


def _shuffled_reopenings(
    known: Sequence[tuple[RecordedPath, Codes]], horizons: Sequence[int], settings: Settings
) -> list[_Shuffled]:
    generators = [_generator(path.prompt_id, settings.seed) for path, _ in known]
    found = []
    for _ in range(settings.shuffles):
        codes = [each.permutation(code) for each, (_, code) in zip(generators, known, strict=True)]
        runs: Cycles = joined([cycles(code, path.cut) for code, (path, _) in zip(codes, known, strict=True)])
        curve = cumulative_incidence(runs.waits, runs.outcomes)
        within = tuple(curve.at(each) if len(runs.lengths) else math.nan for each in horizons)
        found.append(_Shuffled(runs.share, runs.share_of_all, within, exits(codes)))
    return found


def _null(values: Sequence[float]) -> Null:
    return Null(mean(values), quantile(values, 0.025), quantile(values, 0.975))


# ---- for the picture


def _strips(
    paths: Sequence[RecordedPath], ct: Sequence[dict[str, Floats]], codes: Sequence[Codes | None]
) -> Iterator[Strip]:
    seen: set[str] = set()
    for path, own, code in zip(paths, ct, codes, strict=True):
        if path.category in seen or len(seen) == MOST_STRIPS or not len(own["CLIPPED_MAD"]):
            continue
        seen.add(path.category)
        margins = np.zeros(0) if path.margins is None else path.margins
        yield Strip(
            path.prompt_id,
            tuple(own["CLIPPED_MAD"].round(5).tolist()),
            () if code is None else tuple(code.tolist()),
            tuple(np.flatnonzero(margins < THIN_MARGIN).tolist()),
        )
