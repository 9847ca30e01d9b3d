"""The whole probe for one run: what is recorded first, one pass for what is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.boundary.attribution import (
    ForcedSteps,
    Split,
    attribution,
    splits_of,
)
from lm_eval_sensitivity.probes.boundary.branches import numerics, parted_by_edit, strip, triggers, where
from lm_eval_sensitivity.probes.boundary.density import (
    FIRST_OF_BIN,
    bin_words,
    bins_of,
    density,
    share_interval,
)
from lm_eval_sensitivity.probes.boundary.features import BaseRun, first_thin_step
from lm_eval_sensitivity.probes.boundary.finding import (
    FORKING,
    HARMLESS,
    BoundaryFinding,
    Forced,
    ForcedPair,
    Hazard,
    HazardPoint,
    Prediction,
    Ranking,
    Reliability,
    RunnerUp,
    Share,
)
from lm_eval_sensitivity.probes.boundary.forcing import Fed, OwnSteps, force
from lm_eval_sensitivity.probes.boundary.hazard import at, survivals, survived
from lm_eval_sensitivity.probes.boundary.runner_up import force_runner_ups
from lm_eval_sensitivity.probes.edits import chosen_pairs
from lm_eval_sensitivity.probes.numbers import by_prompt, median
from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs, RunPair
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.result import Measured, PerPrompt
from lm_eval_sensitivity.stats import mean_interval
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, Note

if TYPE_CHECKING:
    from lm_eval_sensitivity.probes.boundary import Settings

Floats = NDArray[np.float64]

MOST_DRAWS = 100_000
HAZARD_STEPS = (0, 1, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, eq=False)
class _ForcedPairs:
    """Fed pairs, by prompt."""

    pairs: tuple[RunPair, ...]
    steps: tuple[ForcedSteps, ...]
    splits: tuple[Split, ...]

    @property
    def prompts(self) -> list[str]:
        return [each.pair.prompt_id for each in self.pairs]


def measure(replay: Replay, outputs: RunOutputs, settings: Settings) -> Measured[BoundaryFinding]:
    """Measure close decisions of one run.

    Every base is fed once, and its tokens once more after the prompt of each chosen edit: n + T tokens a time.

    Args:
        replay: the loaded model.
        outputs: of the run.
        settings: see `Settings`.

    Returns:
        The finding; `thin_share`, `first_thin_step`, `boundary_nats` and `bulk_nats` of every prompt.

    Raises:
        InputError: an edit is named that the run does not have, or a setting has no meaning.
    """
    _check(settings)
    bases = {name: each for name, each in outputs.bases.items() if each.output_ids}
    harmless = outputs.live_pairs(rungs=MEANING_PRESERVING_RUNGS)
    chosen = chosen_pairs(outputs, settings.edits, "boundary", MEANING_PRESERVING_RUNGS)
    fed = [each for each in chosen if each.pair.prompt_id in bases]
    own, forced = _forced(replay, bases, fed)
    runs = {name: _base_run(replay, base, own[name]) for name, base in bases.items()}
    runs = {name: run for name, run in runs.items() if np.isfinite(run.entropies).all()}
    margins = {name: run.margins for name, run in runs.items()}
    repetitions = [each for each in outputs.pairs if each.pair.rung == "identical"]
    rows, reliable, ranked = _predictions(runs, harmless, forced, settings)
    finding = BoundaryFinding(
        threshold=settings.threshold,
        horizon=settings.horizon,
        fed_edits=tuple(sorted({each.pair.edit for each in fed})),
        density=density(
            margins,
            outputs.categories,
            settings.threshold,
            {name: each.answer_start for name, each in bases.items()},
            settings.seed,
        ),
        numerics=numerics(margins, repetitions, replay.agreement.largest_margin_difference),
        triggers=triggers(margins, harmless, repetitions),
        parted=parted_by_edit(outputs.live_pairs()),
        where=where(harmless, margins, settings.threshold, settings.seed),
        predictions=rows,
        reliability=reliable,
        forced=_summary(forced),
        rankings=ranked,
        hazard=_hazard(forced),
        attribution=attribution(forced.steps, forced.prompts, settings.draws, settings.seed),
        pairs=tuple(map(_row, forced.pairs, forced.steps, forced.splits)),
        runner_up=_runner_up(replay, bases, own, settings),
        strip=strip(harmless, margins),
    )
    return Measured(finding, _per_prompt(margins, forced, settings), tuple(_notes(bases, runs, rows)))


def _check(settings: Settings) -> None:
    for name, least in (("threshold", 0), ("horizon", 0), ("draws", -1), ("runner_up", -1)):
        if not getattr(settings, name) > least:
            words = "above 0" if least == 0 else "0 or more"
            raise InputError(f"`{name}` is {getattr(settings, name)}; accepted is a number that is {words}.")
    if settings.draws > MOST_DRAWS:
        raise InputError(f"`draws` is {settings.draws}; accepted are at most {MOST_DRAWS}.")


def _forced(
    replay: Replay, bases: Mapping[str, RunOutput], fed: Sequence[RunPair]
) -> tuple[dict[str, OwnSteps], _ForcedPairs]:
    of_prompt = {name: [each for each in fed if each.pair.prompt_id == name] for name in bases}
    everything = [
        Fed(base, tuple(each.variant.prompt_ids for each in of_prompt[name])) for name, base in bases.items()
    ]
    found = force(replay, everything)
    pairs = tuple(each for name in bases for each in of_prompt[name])
    steps = tuple(each for _, forced in found for each in forced)
    splits = splits_of(steps, [each.pair.prompt_id for each in pairs])
    own = {name: steps for name, (steps, _) in zip(bases, found, strict=True)}
    return own, _ForcedPairs(pairs, steps, tuple(splits))


def _base_run(replay: Replay, base: RunOutput, own: OwnSteps) -> BaseRun:
    """As the run recorded it; as it is replayed where it recorded less."""
    recorded = [base.margins, base.entropies, base.top1_log_probabilities]
    replayed = [own.margins, own.entropies, own.top1]
    whole = all(each is not None and len(each) == len(base.output_ids) for each in recorded)
    margins, entropies, top1 = (
        np.asarray(each, dtype=np.float64) for each in (recorded if whole else replayed)
    )
    return BaseRun(margins, entropies, top1, tuple(map(replay.token, base.output_ids)))


def _predictions(
    runs: Mapping[str, BaseRun], harmless: Sequence[RunPair], forced: _ForcedPairs, settings: Settings
) -> tuple[tuple[Prediction, ...], tuple[Reliability, ...], tuple[Ranking, ...]]:
    try:
        from lm_eval_sensitivity.probes.boundary.tasks import parts_before, rankings, thin_next_step
    except ImportError:
        return (), (), ()
    rows, reliable = thin_next_step(runs, settings.threshold, settings.seed)
    longest = max((len(run.margins) for run in runs.values()), default=0)
    for horizon in sorted({min(settings.horizon, longest), longest}):
        rows += parts_before(harmless, runs, horizon, seed=settings.seed)
    curves = {pair.pair.pair_id: curve for pair, curve in zip(forced.pairs, _survivals(forced), strict=True)}
    rows += parts_before(forced.pairs, runs, settings.horizon, curves, settings.seed)
    return rows, reliable, rankings(forced.steps, forced.prompts, settings.seed)


def _survivals(forced: _ForcedPairs) -> list[Floats]:
    steps = forced.steps
    return survivals(
        [each.margin for each in steps],
        [each.runner_up_shift for each in steps],
        [each.first_flip for each in steps],
        forced.prompts,
    )


def _hazard(forced: _ForcedPairs) -> Hazard | None:
    if not forced.pairs:
        return None
    curves, longest = _survivals(forced), max(len(each.margin) for each in forced.steps)
    flips = [each.first_flip for each in forced.steps]
    points = tuple(
        HazardPoint(step, float(np.mean([at(curve, step) for curve in curves])), survived(flips, step))
        for step in HAZARD_STEPS
        if step < longest
    )
    return Hazard(points, len(forced.pairs), len(set(forced.prompts)))


def _summary(forced: _ForcedPairs) -> Forced | None:
    if not forced.pairs:
        return None

    def joined(field: str) -> NDArray[Any]:
        return np.concatenate([getattr(each, field) for each in forced.steps])

    flipped = joined("flipped").astype(bool)
    by_range, by_kl = joined("by_range").astype(bool), joined("by_kl").astype(bool)
    same = [
        each.first_flip == pair.first_divergence
        for each, pair in zip(forced.steps, forced.pairs, strict=True)
    ]
    return Forced(
        n_pairs=len(forced.pairs),
        n_prompts=len(set(forced.prompts)),
        n_steps=len(flipped),
        n_flips=int(flipped.sum()),
        n_rho_disagrees=int(((joined("rho") > 1) != flipped).sum()),
        n_violations=int((flipped & (by_range | by_kl)).sum()),
        certified_by_range=_share(by_range[~flipped]),
        certified_by_kl=_share(by_kl[~flipped]),
        certified=_share((by_range | by_kl)[~flipped]),
        n_same_branch=sum(same),
        shift_by_position=_shifts(forced),
    )


def _shifts(forced: _ForcedPairs) -> tuple[Share, ...]:
    found = []
    for span in range(len(FIRST_OF_BIN)):
        there = [
            np.abs(each.runner_up_shift[bins_of(np.arange(len(each.margin))) == span])
            for each in forced.steps
        ]
        if sum(map(len, there)):
            medians = list(map(median, there))
            of_prompts = list(by_prompt(medians, forced.prompts).values())
            found.append(Share(bin_words(span), mean_interval(of_prompts), sum(map(len, there))))
    return tuple(found)


def _row(pair: RunPair, steps: ForcedSteps, split: Split) -> ForcedPair:
    flip = steps.first_flip
    return ForcedPair(
        pair_id=pair.pair.pair_id,
        edit=pair.pair.edit,
        rung=pair.pair.rung,
        n_steps=len(steps.margin),
        first_divergence=pair.first_divergence,
        first_flip=flip,
        margin_at_branch=math.nan if flip is None else float(steps.margin[flip]),
        rho_at_branch=math.nan if flip is None else float(steps.rho[flip]),
        boundary_nats=split.boundary,
        bulk_nats=split.bulk,
        reference=split.reference,
        crossings=int(steps.flipped.sum()),
        certified_share=_share(steps.certified),
    )


def _runner_up(
    replay: Replay, bases: Mapping[str, RunOutput], own: Mapping[str, OwnSteps], settings: Settings
) -> RunnerUp | None:
    if not settings.runner_up:
        return None
    names = list(bases)
    steps = force_runner_ups(
        replay, [bases[n] for n in names], [own[n] for n in names], settings.runner_up, settings.threshold
    )
    prompts, distances = [each.prompt_id for each in steps], np.array([each.distance for each in steps])

    def over_prompts(values: NDArray[Any]) -> list[float]:
        return list(by_prompt(values.astype(float).tolist(), prompts).values())

    return RunnerUp(
        distance=share_interval(over_prompts(distances), settings.seed),
        harmless=share_interval(over_prompts(distances < HARMLESS), settings.seed),
        forking=share_interval(over_prompts(distances > FORKING), settings.seed),
        steps=steps,
    )


def _per_prompt(
    margins: Mapping[str, Floats], forced: _ForcedPairs, settings: Settings
) -> tuple[PerPrompt, ...]:
    tau = f"{settings.threshold:g} nats"
    thin = {name: float((each < settings.threshold).mean()) for name, each in margins.items()}
    first = {name: first_thin_step(each, settings.threshold) for name, each in margins.items()}
    parts = {
        part: by_prompt([getattr(each, part) for each in forced.splits], forced.prompts)
        for part in ("boundary", "bulk")
    }
    return (
        PerPrompt("thin_share", f"share of steps of the base's output with a margin below {tau}", thin),
        PerPrompt(
            "first_thin_step",
            f"first step with a margin below {tau}",
            {name: None if each is None else float(each) for name, each in first.items()},
        ),
        PerPrompt(
            "boundary_nats",
            "how much narrower the gap is at the branch than before it, nats of rho, mean of the prompt's branches",
            _known(margins, parts["boundary"]),
        ),
        PerPrompt(
            "bulk_nats",
            "how much larger the shift is at the branch than before it, nats of rho, mean of the prompt's branches",
            _known(margins, parts["bulk"]),
        ),
    )


def _known(names: Mapping[str, Floats], values: Mapping[str, float]) -> dict[str, float | None]:
    found = {name: values.get(name, math.nan) for name in names}
    return {name: None if math.isnan(each) else each for name, each in found.items()}


def _notes(
    bases: Mapping[str, RunOutput], runs: Mapping[str, BaseRun], rows: Sequence[Prediction]
) -> list[Note]:
    found = []
    replayed = sum(each.margins is None or each.entropies is None for each in bases.values())
    if replayed:
        found.append(
            Note(
                "remark", f"The run recorded no margins of {replayed} outputs: they are those of the replay."
            )
        )
    if len(runs) < len(bases):
        found.append(Note("left_out", f"{len(bases) - len(runs)} outputs have logits that are not finite."))
    if not rows:
        found.append(
            Note(
                "left_out",
                "Nothing is predicted: that takes two prompts, both outcomes, and scikit-learn "
                '(`pip install "lm-eval-sensitivity[probes]"`).',
            )
        )
    return found


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if flags.size else math.nan
