"""Many lines, shifts and states as the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.numbers import by_prompt, median, quantile, rank_correlation
from lm_eval_sensitivity.probes.radius.calibration import calibrated, relative_errors
from lm_eval_sensitivity.probes.radius.finding import (
    DIRECTIONS,
    Direction,
    EditShift,
    Line,
    RadiusRow,
    ShiftRow,
    State,
    StateRow,
)
from lm_eval_sensitivity.stats import mean_interval

Floats = NDArray[np.float64]

NEAR = 0.5
"""A relative error up to which a radius is within."""
NEARLY_CERTAIN = 0.9999
"""Probability of the most probable token above which second order says least, and the argmax radius is read instead."""


def radius_rows(lines: Sequence[Line], taus: Sequence[float]) -> tuple[RadiusRow, ...]:
    """A row for each direction that has lines, and each tau; directions in the order of `DIRECTIONS`."""
    return tuple(
        _radius_row([line for line in lines if line.direction == direction], direction, at, tau)
        for direction in DIRECTIONS
        if any(line.direction == direction for line in lines)
        for at, tau in enumerate(taus)
    )


def _radius_row(lines: Sequence[Line], direction: Direction, at: int, tau: float) -> RadiusRow:
    used = [line for line in lines if not np.isnan(line.predicted[at] + line.measured[at])]
    predicted = np.array([line.predicted[at] for line in used])
    measured = np.array([line.measured[at] for line in used])
    prompts = [line.prompt_id for line in used]
    errors = relative_errors(predicted, measured)
    corrected = relative_errors(calibrated(predicted, measured, prompts), measured)
    n_flat = sum(line.flat for line in lines)
    return RadiusRow(
        tau,
        direction,
        len(used),
        len(set(prompts)),
        len(lines) - len(used) - n_flat,
        n_flat,
        median(predicted),
        median(measured),
        median(errors),
        quantile(errors, 0.9),
        mean_interval(_of_prompts(errors, prompts), largest=1.0),
        median(corrected),
        float(np.mean(_of_prompts(corrected, prompts))) if used else np.nan,
        rank_correlation(errors, [line.top_probability for line in used]),
    )


def shift_rows(edits: Sequence[EditShift]) -> tuple[ShiftRow, ...]:
    """A row for each kind of variant that is there."""
    kinds: tuple[Literal["edit", "control"], ...] = ("edit", "control")
    rows = []
    for kind in kinds:
        chosen = [each for each in edits if each.direction == kind]
        quotients = [each.actual / each.predicted for each in chosen if each.predicted > 0]
        if chosen:
            rows.append(
                ShiftRow(
                    kind,
                    len(chosen),
                    len({each.prompt_id for each in chosen}),
                    median([each.shift for each in chosen]),
                    median([each.actual for each in chosen]),
                    *(quantile(quotients, share) for share in (0.5, 0.25, 0.75)),
                )
            )
    return tuple(rows)


def state_rows(states: Sequence[State]) -> tuple[StateRow, ...]:
    """A row of all states, and one of those that are nearly certain, where there are any."""
    certain = [state for state in states if state.top_probability > NEARLY_CERTAIN]
    rows = [_state_row("all", states)]
    return (*rows, _state_row("nearly certain", certain)) if certain else tuple(rows)


def _state_row(name: Literal["all", "nearly certain"], states: Sequence[State]) -> StateRow:
    radius = [state.argmax_radius for state in states]
    bound = [state.constraint_bound for state in states]
    margin = [state.margin for state in states]
    return StateRow(
        name,
        len(states),
        len({state.prompt_id for state in states}),
        median(radius),
        quantile(radius, 0.1),
        median(bound),
        rank_correlation(radius, margin),
        rank_correlation(bound, margin),
        rank_correlation(bound, radius),
    )


def _of_prompts(errors: Floats, prompts: Sequence[str]) -> list[float]:
    """[prompt] share of lines that are near."""
    near = np.where(np.isnan(errors), np.nan, errors <= NEAR)
    return list(by_prompt(near.tolist(), prompts).values())
