"""What a predictor may know: the base run up to a step, or as a whole; never the edited prompt's run."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.boundary.density import bins_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BaseRun:
    """One output to an unedited prompt."""

    margins: Floats
    """[step] nats."""
    entropies: Floats
    """[step] nats."""
    top1: Floats
    """[step] log-probability of the most probable token, nats."""
    tokens: tuple[str, ...]
    """[step] texts."""


def token_kind(text: str) -> tuple[bool, ...]:
    """What a token looks like.

    Args:
        text: of one token.

    Returns:
        Only spaces; a line break in it; only punctuation or symbols; begins with a space; begins with a capital; has a
        digit.

    Example:
        >>> token_kind(" The"), token_kind(".\\n")
        ((False, False, False, True, True, False), (False, True, True, False, False, False))
    """
    core = text.strip()
    return (
        bool(text) and not core and "\n" not in text,
        "\n" in text,
        bool(core) and all(unicodedata.category(each)[0] in "PS" for each in core),
        text.startswith(" ") and bool(core),
        core[:1].isupper(),
        any(each.isdigit() for each in text),
    )


def next_step_features(run: BaseRun, threshold: float) -> dict[str, Floats]:
    """What is known at steps 0 to T-2 about the step after each.

    Args:
        run: the base run.
        threshold: below it a step is thin, nats.

    Returns:
        Name -> [step, feature]: `position` (the span that the next step is in), `last margin`, `history` (margin,
        entropy, top-1 log-probability, running mean of log margins, running share of thin steps, log(1 + t)) and
        `token kind` of the token just chosen.

    Example:
        >>> run = BaseRun(np.array([1.0, 0.1, 2.0]), np.ones(3), -np.ones(3), ("A", "\\n", "b"))
        >>> found = next_step_features(run, 0.5)
        >>> found["history"].shape, found["position"].ravel().tolist(), found["history"][:, 4].tolist()
        ((2, 6), [1.0, 1.0], [0.0, 0.5])
    """
    n = max(len(run.margins) - 1, 0)
    steps = np.arange(n)
    margins = _scaled(run.margins[:n])
    thin = run.margins[:n] < threshold
    so_far = steps + 1
    history = [
        margins,
        run.entropies[:n],
        run.top1[:n],
        np.cumsum(margins) / so_far,
        np.cumsum(thin) / so_far,
        np.log1p(steps),
    ]
    kinds = np.array([token_kind(each) for each in run.tokens[:n]], dtype=np.float64).reshape(n, 6)
    return {
        "position": bins_of(steps + 1).astype(np.float64)[:, None],
        "last margin": margins[:, None],
        "history": np.stack(history, axis=1),
        "token kind": kinds,
    }


def base_run_features(run: BaseRun) -> list[float]:
    """What a base run says of itself: B(0.5), B(1), mean entropy, margin of step 0, first thin step.

    Example:
        >>> base_run_features(BaseRun(np.array([1.5, 0.1]), np.ones(2), -np.ones(2), ("a", "b")))[:3]
        [0.5, 0.5, 1.0]
    """
    first = first_thin_step(run.margins, 0.5)
    return [
        float((run.margins < 0.5).mean()),
        float((run.margins < 1.0).mean()),
        float(run.entropies.mean()),
        float(_scaled(run.margins[:1])[0]),
        math.log1p(len(run.margins) if first is None else first),
    ]


def first_thin_step(margins: Floats, threshold: float) -> int | None:
    """The first step with a margin below the threshold; None where there is none.

    Example:
        >>> first_thin_step(np.array([1.0, 0.2]), 0.5), first_thin_step(np.array([1.0]), 0.5)
        (1, None)
    """
    thin = margins < threshold
    return int(thin.argmax()) if thin.any() else None


def one_hot(kinds: Sequence[str]) -> Floats:
    """[case, kind] flags, kinds by letters."""
    names = sorted(set(kinds))
    return np.array([[each == name for name in names] for each in kinds], dtype=np.float64)


def _scaled(margins: Floats) -> Floats:
    """Margins are skewed, and infinite where one token alone is allowed."""
    return np.log1p(np.minimum(margins, 1e3))
