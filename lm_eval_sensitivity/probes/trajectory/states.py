"""What a system's certainty does from step to step: three states, how long they last, and what follows certainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

State = Literal["collapse", "rivalry", "neutral"]
STATES: tuple[State, ...] = ("collapse", "rivalry", "neutral")
COLLAPSE, RIVALRY, NEUTRAL = range(3)
"""Numbers of the states, as arrays hold them."""
COLLAPSE_ENTROPY = 0.1
"""Nats; below it a step has one outcome."""
RIVALRY_GAP = 0.1
"""Between the two largest probabilities; below it they are rivals."""

REOPENED, ENDED, CENSORED = 1, 2, 0
"""What became of a run of collapse: rivalry came back, the output ended by itself first, or the token limit cut it."""

Codes = NDArray[np.int8]


def classify(entropies: ArrayLike, gaps: ArrayLike) -> Codes:
    """The state of each step: collapse where the entropy is below 0.1 nat; else rivalry where the two most probable
    tokens are less than 0.1 apart; else neutral.

    Args:
        entropies: [step] nats, of the distribution over all tokens.
        gaps: [step] largest probability minus the second largest.

    Returns:
        [step] numbers of `STATES`.

    Raises:
        ValueError: different lengths, or a NaN.

    Example:
        >>> [STATES[each] for each in classify([0.05, 1.2, 1.2], [0.99, 0.02, 0.5])]
        ['collapse', 'rivalry', 'neutral']
    """
    entropy, gap = (np.asarray(each, dtype=np.float64) for each in (entropies, gaps))
    if entropy.shape != gap.shape or entropy.ndim != 1:
        raise ValueError(f"[step] entropies and gaps of one length needed, got {entropy.shape}, {gap.shape}")
    if np.isnan(entropy).any() or np.isnan(gap).any():
        raise ValueError("a step without entropy or gap has no state")
    found = np.where(entropy < COLLAPSE_ENTROPY, COLLAPSE, np.where(gap < RIVALRY_GAP, RIVALRY, NEUTRAL))
    return found.astype(np.int8)


def gaps_of(top1_log_probabilities: ArrayLike, margins: ArrayLike) -> NDArray[np.float64]:
    """[step] p1 - p2 from what a run records: p2 = p1 exp(-margin).

    Args:
        top1_log_probabilities: [step] nats.
        margins: [step] nats, log p1 - log p2.

    Example:
        >>> gaps_of([np.log(0.6)], [np.log(3)]).round(6).tolist()
        [0.4]
    """
    first = np.exp(np.asarray(top1_log_probabilities, dtype=np.float64))
    gap: NDArray[np.float64] = -first * np.expm1(-np.asarray(margins, dtype=np.float64))
    return gap


@dataclass(frozen=True, eq=False)
class Cycles:
    """Maximal runs of collapse, in order, of one output or of several."""

    lengths: NDArray[np.intp]
    """[run] steps."""
    waits: NDArray[np.intp]
    """[run] steps from the last one of the run to the first rivalry, to one past the end of an output that ended, or to
    the last step of one that was cut."""
    outcomes: Codes
    """[run] `REOPENED`, `ENDED` or `CENSORED`."""

    @property
    def counts(self) -> tuple[int, int, int]:
        """Runs that reopened, that did not, and of which it is not known."""
        reopened, ended, censored = (
            int((self.outcomes == each).sum()) for each in (REOPENED, ENDED, CENSORED)
        )
        return reopened, ended, censored

    @property
    def share(self) -> float:
        """Reopened of those of which it is known; NaN of none."""
        reopened, ended, _ = self.counts
        return reopened / (reopened + ended) if reopened + ended else float("nan")

    @property
    def share_of_all(self) -> float:
        """Reopened of all runs, the cut ones counted as not reopened; NaN of none."""
        return self.counts[0] / len(self.outcomes) if len(self.outcomes) else float("nan")


def cycles(states: Codes, cut: bool) -> Cycles:
    """The runs of collapse of one output, and what became of each.

    A run reopens where any later step of the output is rivalry, also after another run of collapse.

    Args:
        states: [step] from `classify`.
        cut: the token limit ended the output, so that what would have followed is not known.

    Returns:
        In order of time.

    Example:
        >>> found = cycles(np.array([0, 0, 2, 1, 0, 2], dtype=np.int8), cut=True)
        >>> found.lengths.tolist(), found.waits.tolist(), found.outcomes.tolist()
        ([2, 1], [2, 1], [1, 0])
    """
    n_steps = len(states)
    inside = np.concatenate([[False], states == COLLAPSE, [False]])
    starts = np.flatnonzero(inside[1:] & ~inside[:-1])
    ends = np.flatnonzero(inside[:-1] & ~inside[1:])  # one past the last step
    rivals = np.flatnonzero(states == RIVALRY)
    following = np.searchsorted(rivals, ends)
    reopens = following < len(rivals)
    end = n_steps - 1 if cut else n_steps
    until = np.where(reopens, np.append(rivals, 0)[np.minimum(following, len(rivals))], end)
    outcomes = np.where(reopens, REOPENED, CENSORED if cut else ENDED).astype(np.int8)
    return Cycles((ends - starts).astype(np.intp), (until - (ends - 1)).astype(np.intp), outcomes)


def joined(parts: list[Cycles]) -> Cycles:
    """The runs of several outputs as one list."""
    if not parts:
        nothing = np.zeros(0, dtype=np.intp)
        return Cycles(nothing, nothing, np.zeros(0, dtype=np.int8))
    return Cycles(
        np.concatenate([each.lengths for each in parts]),
        np.concatenate([each.waits for each in parts]),
        np.concatenate([each.outcomes for each in parts]),
    )


def dwells(states: Codes) -> list[tuple[int, int]]:
    """(state, steps) of every maximal run.

    Example:
        >>> dwells(np.array([0, 0, 2, 1], dtype=np.int8))
        [(0, 2), (2, 1), (1, 1)]
    """
    if not len(states):
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(states)) + 1])
    lengths = np.diff(np.append(starts, len(states)))
    return [(int(states[start]), int(length)) for start, length in zip(starts, lengths, strict=True)]


def exits(outputs: list[Codes]) -> float:
    """Share of the steps in collapse, of those with a step after them, that are left at once.

    The other side of the mean dwell: 1 / dwell where no run is cut.

    Args:
        outputs: for each [step] states.

    Returns:
        0 to 1 per step; NaN without such a step.

    Example:
        >>> exits([np.array([0, 0, 2, 0], dtype=np.int8)])
        0.5
    """
    at_risk = sum(int((each[:-1] == COLLAPSE).sum()) for each in outputs)
    left = sum(int(((each[:-1] == COLLAPSE) & (each[1:] != COLLAPSE)).sum()) for each in outputs)
    return left / at_risk if at_risk else float("nan")
