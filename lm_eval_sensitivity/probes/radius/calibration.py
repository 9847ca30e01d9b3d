"""What is left of an error of a formula once its bias is known from other prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MOST_FOLDS, FEWEST_PROMPTS = 8, 12
"""Below so many prompts every prompt is a fold of its own."""


def calibrated(predicted: ArrayLike, measured: ArrayLike, prompts: Sequence[str]) -> Floats:
    """Predictions after an isotonic regression of log measured on log predicted, learned from other prompts only.

    What all prompts share is learned; what is one prompt's own cannot be, because its fold is left out whole.
    Source: isotonic regression, Barlow et al. 1972; as a calibration, Zadrozny & Elkan 2002, for probabilities there.

    Args:
        predicted: [point] above 0.
        measured: [point] above 0.
        prompts: [point] the prompt of each.

    Returns:
        [point] predictions in the unit of `measured`; NaN of fewer than 2 prompts, and without scikit-learn.

    Example:
        >>> predicted = np.array([2.0, 4.0, 8.0, 2.0, 4.0, 8.0])
        >>> calibrated(predicted, predicted / 2, ["a"] * 3 + ["b"] * 3).round(6).tolist()
        [1.0, 2.0, 4.0, 1.0, 2.0, 4.0]
    """
    x, y = np.log(np.asarray(predicted, dtype=np.float64)), np.log(np.asarray(measured, dtype=np.float64))
    n_prompts = len(set(prompts))
    found = np.full(len(x), np.nan)
    try:
        from sklearn.isotonic import IsotonicRegression
        from sklearn.model_selection import GroupKFold
    except ImportError:
        return found
    if n_prompts < 2:
        return found
    folds = GroupKFold(n_prompts if n_prompts < FEWEST_PROMPTS else MOST_FOLDS)
    for seen, held in folds.split(x, groups=np.asarray(prompts)):
        found[held] = IsotonicRegression(out_of_bounds="clip").fit(x[seen], y[seen]).predict(x[held])
    corrected: Floats = np.exp(found)
    return corrected


def relative_errors(predicted: ArrayLike, measured: ArrayLike) -> Floats:
    """[point] |predicted / measured - 1|, from 0; NaN where either is.

    Example:
        >>> relative_errors([2.0, 0.5], [1.0, 1.0]).tolist()
        [1.0, 0.5]
    """
    errors: Floats = np.abs(
        np.asarray(predicted, dtype=np.float64) / np.asarray(measured, dtype=np.float64) - 1
    )
    return errors
