"""What is predicted of a run, from what, and beside what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.boundary.attribution import ForcedSteps
from lm_eval_sensitivity.probes.boundary.features import (
    BaseRun,
    base_run_features,
    next_step_features,
    one_hot,
)
from lm_eval_sensitivity.probes.boundary.finding import Prediction, Ranking, Reliability, Scope
from lm_eval_sensitivity.probes.boundary.hazard import at
from lm_eval_sensitivity.probes.boundary.prediction import (
    Cases,
    auroc,
    logistic,
    predictions,
    rate_by,
    reliability,
)
from lm_eval_sensitivity.probes.outputs import RunPair

Floats = NDArray[np.float64]

THIN_NEXT = "thin next step"
_SCOPES: tuple[Scope, Scope] = ("at the branch", "one step ahead")


def thin_next_step(
    runs: Mapping[str, BaseRun], threshold: float, seed: int = 0
) -> tuple[tuple[Prediction, ...], tuple[Reliability, ...]]:
    """Task (i): is step t + 1 thin, from the base run up to t?

    Args:
        runs: prompt id -> base run.
        threshold: of a thin step, nats.
        seed: of the intervals.

    Returns:
        A row per model, beside the rate at the span of positions; and how reliable the model of everything is.
    """
    named = {name: run for name, run in runs.items() if len(run.margins) > 1}
    if not named:
        return (), ()
    prompts = tuple(name for name, run in named.items() for _ in run.margins[1:])
    thin = np.concatenate([run.margins[1:] < threshold for run in named.values()])
    each = [next_step_features(run, threshold) for run in named.values()]
    tables = {kind: np.concatenate([found[kind] for found in each]) for kind in each[0]}
    cases = Cases(THIN_NEXT, prompts, thin)
    models = {
        "position alone": rate_by(cases, tables["position"].ravel().tolist()),
        "last margin": logistic(cases, tables["last margin"]),
        "margin, entropy, history": logistic(cases, tables["history"]),
        "token kind": logistic(cases, tables["token kind"]),
        "everything": logistic(cases, np.hstack([tables["history"], tables["token kind"]])),
    }
    rows, predicted = predictions(cases, models, "position alone", seed)
    return rows, reliability(cases, "everything", predicted["everything"]) if rows else ()


def parts_before(
    pairs: Sequence[RunPair],
    runs: Mapping[str, BaseRun],
    horizon: int,
    curves: Mapping[str, Floats] | None = None,
    seed: int = 0,
) -> tuple[Prediction, ...]:
    """Tasks (ii) and (iv): do outputs part before a step, from the edit, the base run, or the hazard of others' shifts?

    Args:
        pairs: of harmless edits; those whose base run is not known are left out.
        runs: prompt id -> base run.
        horizon: H, steps.
        curves: pair id -> [step] survival of the hazard, of the pairs that were fed; None for all pairs and the models
            of task (ii).
        seed: of the intervals.

    Returns:
        A row per model, beside the edit's rate in other prompts.
    """
    known = [each for each in pairs if each.pair.prompt_id in runs and _decided(each, horizon)]
    if curves is not None:
        known = [each for each in known if each.pair.pair_id in curves]
    cases = Cases(
        f"parts before step {horizon}{'' if curves is None else ', fed pairs'}",
        tuple(each.pair.prompt_id for each in known),
        np.array([_parts(each, horizon) for each in known], dtype=bool),
    )
    if not cases.usable:
        return ()
    edits = [each.pair.edit for each in known]
    models = {"edit alone": rate_by(cases, edits)}
    if curves is None:
        of_base = np.array([base_run_features(runs[name]) for name in cases.prompts])
        models["edit and base run"] = logistic(cases, np.hstack([one_hot(edits), of_base]))
        models["first thin step alone"] = logistic(cases, of_base[:, -1:])
    else:
        chance = np.array([1 - at(curves[each.pair.pair_id], horizon - 1) for each in known])
        # Nothing is learned from the cases: the shifts are other prompts' already.
        models["hazard"] = lambda _, left_out: chance[left_out]
    rows, _ = predictions(cases, models, "edit alone", seed)
    return rows


def rankings(forced: Sequence[ForcedSteps], prompts: Sequence[str], seed: int = 0) -> tuple[Ranking, ...]:
    """What tells the branch from the steps before it, at the branch and one step ahead.

    At the branch it is a diagnosis: the edit's own numbers are in it. One step ahead alone would be a warning, and
    position is in it, too, because branches are early.

    Args:
        forced: [pair] steps.
        prompts: [pair] prompt ids.
        seed: of the intervals.

    Returns:
        A row per scope and score; none without a branch.
    """
    return tuple(
        row for ahead, scope in enumerate(_SCOPES) for row in _ranked(forced, prompts, scope, ahead, seed)
    )


def _ranked(
    forced: Sequence[ForcedSteps], prompts: Sequence[str], scope: Scope, ahead: int, seed: int
) -> list[Ranking]:
    windows = [_window(each, ahead) for each in forced]
    names = [name for name, n in zip(prompts, windows, strict=True) for _ in range(n)]
    branch = np.concatenate(
        [np.zeros(0, dtype=bool)]
        + [np.arange(n) + ahead == each.first_flip for each, n in zip(forced, windows, strict=True)]
    )
    if not branch.any():
        return []
    scores: dict[str, list[Floats]] = {}
    for each, n in zip(forced, windows, strict=True):
        for name, values in _scores(each).items():
            scores.setdefault(name, []).append(values[:n])
    return [
        Ranking(
            scope,
            name,
            *auroc(names, branch, np.concatenate(values), seed),
            n_branches=int(branch.sum()),
            n_steps=len(branch),
        )
        for name, values in scores.items()
    ]


def _window(steps: ForcedSteps, ahead: int) -> int:
    """Steps in which both sides have the same tokens behind them, less those from which nothing is to be seen ahead."""
    flip = steps.first_flip
    return max((len(steps.margin) if flip is None else flip + 1) - ahead, 0)


def _scores(steps: ForcedSteps) -> dict[str, Floats]:
    finite = np.minimum(steps.margin, 1e3)
    return {
        "-t (position alone)": -np.arange(len(finite), dtype=np.float64),
        "-margin": -finite,
        "entropy": steps.entropy,
        "KL": steps.kl,
        "range of the shift": steps.oscillation,
        "-margin / range": -finite / np.maximum(steps.oscillation, 1e-9),
    }


def _parts(pair: RunPair, horizon: int) -> bool:
    return pair.first_divergence is not None and pair.first_divergence < horizon


def _decided(pair: RunPair, horizon: int) -> bool:
    """Whether it is known if they part before the horizon: equal outputs that the limit cut earlier may still part."""
    return _parts(pair, horizon) or len(pair.base.output_ids) >= horizon or not pair.base.cut
