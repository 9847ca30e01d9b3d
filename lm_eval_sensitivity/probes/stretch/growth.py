"""From sizes per layer to growth: logarithms, ranges of layers, intervals over prompts. Arrays only."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.probes.stretch.finding import LayerGrowth, RangeGrowth, RangeName, Spread
from lm_eval_sensitivity.stats import Interval, mean_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Growth:
    """Logarithmic growth of each block, one row per prompt; NaN where it is not defined."""

    magnitude: Floats
    """[prompt, layer] mean over positions of ln |x_{l+1}| / |x_l|."""
    disturbance: Floats
    """[prompt, layer] mean over positions and disturbances of ln |D_{l+1}| / |D_l|."""
    frobenius: Floats
    """[prompt, layer] the same of one norm over all positions."""
    relative: Floats
    """[prompt, layer] disturbance less magnitude, both of the disturbed passes."""


def log_growth(sizes: ArrayLike) -> Floats:
    """Growth from layer to layer, as mean logarithm.

    Formula: g_l = mean over positions of ln(s_{l+1} / s_l).

    Args:
        sizes: [layer 0 to L, position] norms, at least 0.

    Returns:
        [layer 0 to L - 1] over the positions at which both sizes are above 0 and finite; NaN where there is none.

    Example:
        >>> log_growth([[1, 1], [2, 8], [0, 8]]).round(4).tolist()
        [1.3863, 0.0]
        >>> log_growth([[0.0], [1.0]]).tolist()
        [nan]
    """
    array = np.asarray(sizes, dtype=np.float64)
    logs = np.log(np.where((array > 0) & np.isfinite(array), array, np.nan))
    return mean_where_known(np.diff(logs, axis=0), axis=1)


def mean_where_known(values: Floats, axis: int) -> Floats:
    """Mean over what is not NaN; NaN where nothing is left.

    Example:
        >>> mean_where_known(np.array([[1.0, np.nan], [np.nan, np.nan]]), axis=1).tolist()
        [1.0, nan]
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        found: Floats = np.nanmean(values, axis=axis)
    return found


def layer_ranges(n_layers: int) -> tuple[tuple[RangeName, int, int], ...]:
    """Ranges that always stand beside each other, because growth of one of them is often taken for that of another.

    Args:
        n_layers: L.

    Returns:
        (name, first, last), the last included. `first ten` only of a network with more layers than ten, `inner`
        (without the first and the last block) only of one with three.

    Example:
        >>> layer_ranges(30)[1:3]
        (('first ten', 0, 9), ('inner', 1, 28))
        >>> [name for name, _, _ in layer_ranges(2)]
        ['all', 'first', 'last']
    """
    found: list[tuple[RangeName, int, int]] = [
        ("all", 0, n_layers - 1),
        ("first ten", 0, 9),
        ("inner", 1, n_layers - 2),
        ("first", 0, 0),
        ("last", n_layers - 1, n_layers - 1),
    ]
    fits = {"all": True, "first ten": n_layers > 10, "inner": n_layers > 2, "first": n_layers > 1}
    return tuple(each for each in found if fits.get(each[0], n_layers > 1))


def range_growth(growth: Growth) -> tuple[RangeGrowth, ...]:
    """Growth per layer over each range, with intervals over prompts.

    Formula: exp of the mean over prompts of the mean over layers of the logarithm.

    Args:
        growth: of some prompts.

    Returns:
        One record per range of `layer_ranges`.

    Example:
        >>> flat = np.full((6, 3), np.log(2.0)) + np.arange(6)[:, None] * 0.01
        >>> found = range_growth(Growth(flat, flat, flat, flat - flat))
        >>> [each.layers for each in found], round(found[0].magnitude.estimate, 3)
        (['0-2', '1', '0', '2'], 2.051)
    """
    n_layers = growth.magnitude.shape[1]
    return tuple(
        RangeGrowth(
            range=name,
            first=first,
            last=last,
            magnitude=factor(growth.magnitude[:, first : last + 1].mean(axis=1)),
            disturbance=factor(growth.disturbance[:, first : last + 1].mean(axis=1)),
            frobenius=factor(growth.frobenius[:, first : last + 1].mean(axis=1)),
            relative=factor(growth.relative[:, first : last + 1].mean(axis=1)),
            relative_total=factor(growth.relative[:, first : last + 1].sum(axis=1)),
        )
        for name, first, last in layer_ranges(n_layers)
    )


def factor(logs: ArrayLike) -> Interval:
    """A factor with its interval over prompts, made on the logarithm.

    Args:
        logs: [prompt] natural logarithms; NaN for prompts without one.

    Returns:
        exp of the mean and of its bounds; NaN with a reason below five prompts. Without spread, as of a network that
        does the same to every prompt, the estimate has no bounds.

    Example:
        >>> round(factor(np.log([1.0, 2.0, 4.0, 2.0, 2.0])).estimate, 6)
        2.0
    """
    found = mean_interval(logs)
    return replace(
        found, estimate=math.exp(found.estimate), lower=math.exp(found.lower), upper=math.exp(found.upper)
    )


def layer_growth(growth: Growth) -> tuple[LayerGrowth, ...]:
    """Growth of every block, with quartiles over prompts.

    Args:
        growth: of some prompts.

    Returns:
        One record per layer.

    Example:
        >>> one = np.log(np.array([[2.0], [8.0]]))
        >>> layer_growth(Growth(one, one, one, one - one))[0].magnitude
        Spread(low=2.828..., middle=4.0..., high=5.656...)
    """
    return tuple(
        LayerGrowth(
            layer,
            spread(growth.magnitude[:, layer]),
            spread(growth.disturbance[:, layer]),
            spread(growth.relative[:, layer]),
        )
        for layer in range(growth.magnitude.shape[1])
    )


def spread(logs: ArrayLike) -> Spread:
    """Geometric mean and quartiles over prompts.

    Args:
        logs: [prompt] natural logarithms; NaN for prompts without one.

    Example:
        >>> spread([float("nan")])
        Spread(low=nan, middle=nan, high=nan)
    """
    array = np.asarray(logs, dtype=np.float64)
    known = array[~np.isnan(array)]
    if not known.size:
        return Spread(math.nan, math.nan, math.nan)
    low, high = np.quantile(known, (0.25, 0.75))
    return Spread(*(float(np.exp(each)) for each in (low, known.mean(), high)))


def evenly(names: Sequence[str], most: int) -> list[str]:
    """At most so many names, evenly chosen of all in their order; 0 takes all.

    Example:
        >>> evenly(["a", "b", "c", "d", "e"], 3), evenly(["a", "b"], 0)
        (['a', 'c', 'e'], ['a', 'b'])
    """
    if not most or most >= len(names):
        return list(names)
    return [names[place] for place in np.linspace(0, len(names) - 1, most).round().astype(int)]
