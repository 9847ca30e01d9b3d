"""How many runs reopen within so many steps, where many were cut before it could be seen.

Leaving out what was cut favors what comes early; counting it as not reopened favors what never comes. Kaplan and Meier
(1958) let every run count for as long as it was seen. An output that ends by itself can no longer reopen: it is a
competing outcome, so that the estimate is that of Aalen and Johansen (1978), which without such outputs is one minus
that of Kaplan and Meier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Incidence:
    """Share that has had the event by a time."""

    times: NDArray[np.intp]
    """[time] at which something was observed, ascending."""
    share: NDArray[np.float64]
    """[time] from 0 to 1."""

    @property
    def last(self) -> float:
        """By the last time seen; NaN where nothing was observed."""
        return float(self.share[-1]) if len(self.share) else float("nan")

    @property
    def last_time(self) -> int:
        """The time of `last`; 0 where nothing was observed."""
        return int(self.times[-1]) if len(self.times) else 0

    def at(self, time: int) -> float:
        """The share by one time; 0 before anything was observed."""
        place = int(np.searchsorted(self.times, time, side="right"))
        return float(self.share[place - 1]) if place else 0.0


def cumulative_incidence(times: ArrayLike, outcomes: ArrayLike) -> Incidence:
    """Aalen-Johansen estimate of the share with outcome 1 by each time.

    F(t) = sum over s <= t of S(s-) d_1(s) / n(s), with n(s) at risk, d_1(s) events of outcome 1, and S the Kaplan-Meier
    estimate of having had no event of any kind. Censored ones count as at risk at their own time.

    Args:
        times: [one] of the outcome, or until which it was looked for.
        outcomes: [one] 1 the event, 2 another one after which it cannot come, 0 censored.

    Source:
        Aalen and Johansen 1978; without outcome 2 one minus the estimate of Kaplan and Meier 1958.

    Returns:
        At every time of an event, of either kind; empty without one.

    Raises:
        ValueError: different lengths.

    Example:
        >>> found = cumulative_incidence([1, 2, 2, 3], [1, 0, 1, 2])
        >>> found.times.tolist(), found.share.round(6).tolist()
        ([1, 2, 3], [0.25, 0.5, 0.5])
    """
    time, outcome = np.asarray(times), np.asarray(outcomes)
    if time.shape != outcome.shape or time.ndim != 1:
        raise ValueError(f"one outcome for each time needed, got {time.shape}, {outcome.shape}")
    at = np.unique(time[outcome > 0])
    order = np.sort(time)
    at_risk = len(order) - np.searchsorted(order, at, side="left")
    of_event = np.searchsorted(np.sort(time[outcome == 1]), at, side="right")
    of_any = np.searchsorted(np.sort(time[outcome > 0]), at, side="right")
    events, any_event = np.diff(of_event, prepend=0), np.diff(of_any, prepend=0)
    without = np.concatenate([[1.0], np.cumprod(1.0 - any_event / at_risk)[:-1]]) if len(at) else np.zeros(0)
    return Incidence(at.astype(np.intp), np.cumsum(without * events / at_risk))
