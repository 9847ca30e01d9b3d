"""How well something is predicted for prompts that were not seen: folds, skill, and a bootstrap of prompts.

scikit-learn fits; folds are by prompt. The Brier skill stands first: pooled over folds, an AUROC below 0.5 comes from
the folds' own rates, which lean away from the prompts that were left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lm_eval_sensitivity.probes.boundary.finding import Prediction, Reliability
from lm_eval_sensitivity.stats import MIN_PROMPTS, RESAMPLES, Interval, mean_interval
from lm_eval_sensitivity.stats.intervals import resample_indices

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FOLDS = 8
LEAVE_ONE_OUT_BELOW = 12
"""Prompts: fewer are left out one at a time."""
RELIABILITY_CASES = 5
"""Groups of equally many cases."""

Fit = Callable[[NDArray[np.intp], NDArray[np.intp]], ArrayLike]
"""Cases that are learned from, and those that are predicted, as places -> [case] probabilities."""


@dataclass(frozen=True, eq=False)
class Cases:
    """What is predicted."""

    task: str
    prompts: tuple[str, ...]
    """[case] prompt ids."""
    happened: Flags
    """[case]"""

    @property
    def usable(self) -> bool:
        """At least two prompts, and both outcomes."""
        return len(set(self.prompts)) > 1 and 0 < int(self.happened.sum()) < len(self.happened)


def out_of_fold(cases: Cases, fit: Fit) -> Floats:
    """Probabilities of every case, from prompts that are not its own.

    Args:
        cases: of two prompts or more.
        fit: learns and predicts.

    Returns:
        [case] from 8 folds of prompts; prompts are left out one at a time where there are fewer than 12.

    Example:
        >>> cases = Cases("x", ("a", "a", "b"), np.array([True, False, True]))
        >>> out_of_fold(cases, rate_by(cases, ["k", "k", "k"])).tolist()
        [1.0, 1.0, 0.5]
    """
    found = np.full(len(cases.happened), math.nan)
    for learned, left_out in _folds(cases.prompts):
        found[left_out] = fit(learned, left_out)
    return found


def rate_by(cases: Cases, kinds: Sequence[object]) -> Fit:
    """The share among the cases of the same kind; among all where none of them is of this kind.

    Args:
        cases: what is predicted.
        kinds: [case] for example the edit.
    """
    numbers = np.unique(np.asarray(kinds, dtype=str), return_inverse=True)[1]

    def fit(learned: NDArray[np.intp], left_out: NDArray[np.intp]) -> ArrayLike:
        overall = cases.happened[learned].mean()
        n = np.bincount(numbers[learned], minlength=numbers.max() + 1)
        k = np.bincount(numbers[learned], cases.happened[learned], minlength=numbers.max() + 1)
        return np.where(n > 0, k / np.maximum(n, 1), overall)[numbers[left_out]]

    return fit


def logistic(cases: Cases, features: ArrayLike) -> Fit:
    """Logistic regression on standardized features (scikit-learn's penalty).

    Args:
        cases: what is predicted.
        features: [case, feature], finite.
    """
    table = np.asarray(features, dtype=np.float64)

    def fit(learned: NDArray[np.intp], left_out: NDArray[np.intp]) -> ArrayLike:
        happened = cases.happened[learned]
        if happened.all() or not happened.any():
            return np.full(len(left_out), happened.mean())
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        probabilities: Floats = model.fit(table[learned], happened).predict_proba(table[left_out])[:, 1]
        return probabilities

    return fit


def predictions(
    cases: Cases, models: Mapping[str, Fit], beside: str, seed: int = 0
) -> tuple[tuple[Prediction, ...], dict[str, Floats]]:
    """Every model on the same folds, scored against the base rate and against one of them.

    Formula: BS = mean over prompts of the prompt's mean (p - y)^2; skill = 1 - BS / BS of the rate. The rate is that of
        all cases, each prompt counted once, with those that are predicted: no constant does better. The rate in other
        prompts would be easier to beat, because it leans away from the prompt that is left out.
    Range: skill at most 1; 0 = no better than the rate. AUROC 0 to 1, 0.5 = chance, over the pooled cases.
    Empty: no rows where there is one prompt or one outcome.
    Source: Brier 1950; Murphy 1973 for the skill; folds by group as in scikit-learn's GroupKFold.

    Args:
        cases: what is predicted.
        models: name -> how.
        beside: the model that `skill_beside` is against.
        seed: of the intervals.

    Returns:
        One row per model, and name -> [case] probabilities.
    """
    if not cases.usable:
        return (), {}
    base = np.full(len(cases.happened), _rate(cases))
    found = {name: out_of_fold(cases, fit) for name, fit in models.items()}
    rows = tuple(
        _row(cases, name, predicted, base, found[beside], beside, seed) for name, predicted in found.items()
    )
    return rows, found


def reliability(cases: Cases, model: str, predicted: Floats) -> tuple[Reliability, ...]:
    """Predicted against observed, in five groups of equally many cases.

    Example:
        >>> cases = Cases("x", ("a",) * 10, np.arange(10) >= 5)
        >>> [each.happened for each in reliability(cases, "m", np.linspace(0, 1, 10))]
        [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    order = np.argsort(predicted, kind="stable")
    return tuple(
        Reliability(
            cases.task,
            model,
            float(predicted[part].mean()),
            float(cases.happened[part].mean()),
            len(part),
        )
        for part in np.array_split(order, RELIABILITY_CASES)
        if len(part)
    )


def auroc(
    prompts: Sequence[str], happened: Flags, score: ArrayLike, seed: int = 0
) -> tuple[float, float, float]:
    """Chance that a case in which it happened has the larger score, with an interval over prompts.

    Formula: share of (happened, not happened) pairs of cases, pooled over prompts, with the larger score on the first;
        a tie is half. Prompts are drawn anew with all their cases; the bounds are the 2.5 and 97.5 % quantiles.
    Range: [0, 1]; 0.5 = chance.
    Empty: NaN without both outcomes; NaN bounds with fewer than five prompts.
    Source: Hanley and McNeil 1982; the bootstrap of whole clusters, Davison and Hinkley 1997, section 3.8.

    Args:
        prompts: [case] prompt ids.
        happened: [case].
        score: [case] larger = more likely.
        seed: of the resamples.

    Returns:
        Estimate, lower and upper bound.

    Example:
        >>> auroc(["a", "a", "b"], np.array([True, False, False]), [0.9, 0.1, 0.5])
        (1.0, nan, nan)
    """
    names, rows = np.unique(np.asarray(prompts, dtype=str), return_inverse=True)
    scores = np.asarray(score, dtype=np.float64)
    groups = [
        (scores[(rows == each) & happened], scores[(rows == each) & ~happened]) for each in range(len(names))
    ]
    wins = _wins(groups)
    positives = np.array([len(each) for each, _ in groups], dtype=np.float64)
    negatives = np.array([len(each) for _, each in groups], dtype=np.float64)
    cells = positives.sum() * negatives.sum()
    if not cells:
        return math.nan, math.nan, math.nan
    estimate = float(wins.sum() / cells)
    if len(names) < MIN_PROMPTS:
        return estimate, math.nan, math.nan
    drawn = resample_indices(len(names), RESAMPLES, seed)
    weights = np.stack([(drawn == each).sum(axis=1) for each in range(len(names))], axis=1).astype(np.float64)
    cells_drawn = (weights @ positives) * (weights @ negatives)
    there = cells_drawn > 0
    resampled = ((weights @ wins) * weights).sum(axis=1)[there] / cells_drawn[there]
    lower, upper = np.quantile(resampled, (0.025, 0.975))
    return estimate, float(lower), float(upper)


def _wins(groups: Sequence[tuple[Floats, Floats]]) -> Floats:
    """[prompt of the positives, prompt of the negatives] pairs of cases that are ranked rightly, ties half."""
    ordered = [np.sort(negatives) for _, negatives in groups]
    return np.array(
        [
            [
                0.5
                * float(
                    np.searchsorted(below, positives, "left").sum()
                    + np.searchsorted(below, positives, "right").sum()
                )
                for below in ordered
            ]
            for positives, _ in groups
        ]
    )


def _folds(prompts: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    n = len(set(prompts))
    splitter = LeaveOneGroupOut() if n < LEAVE_ONE_OUT_BELOW else GroupKFold(min(FOLDS, n))
    yield from splitter.split(np.zeros((len(prompts), 1)), groups=np.asarray(prompts))


def _row(
    cases: Cases, name: str, predicted: Floats, base: Floats, beside: Floats, beside_name: str, seed: int
) -> Prediction:
    errors, of_base, of_beside = (_errors(cases, each) for each in (predicted, base, beside))
    estimate, lower, upper = auroc(cases.prompts, cases.happened, predicted, seed)
    return Prediction(
        task=cases.task,
        model=name,
        n_prompts=len(errors),
        n_cases=len(cases.happened),
        rate=_rate(cases),
        brier=float(errors.mean()),
        skill=_skill(errors, of_base, seed),
        skill_beside=_skill(errors, of_beside, seed),
        beside=beside_name,
        auroc=estimate,
        auroc_lower=lower,
        auroc_upper=upper,
    )


def _skill(errors: Floats, others: Floats, seed: int) -> Interval:
    """Of the prompts' mean errors against those of another model; NaN against one that is never wrong."""
    whole = float(others.mean()) or math.nan
    return mean_interval((others - errors) / whole, seed=seed)


def _rate(cases: Cases) -> float:
    """The mean over prompts of how often it happened."""
    _, rows = np.unique(np.asarray(cases.prompts), return_inverse=True)
    return float((np.bincount(rows, cases.happened) / np.bincount(rows)).mean())


def _errors(cases: Cases, predicted: Floats) -> Floats:
    """[prompt] mean squared error of its cases, prompts by letters."""
    _, rows = np.unique(np.asarray(cases.prompts), return_inverse=True)
    means: Floats = np.bincount(rows, (predicted - cases.happened) ** 2) / np.bincount(rows)
    return means
