"""Everything that is asked of one state."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.radius.finding import Curve, Direction, EditShift, Line, State
from lm_eval_sensitivity.probes.radius.local import Local
from lm_eval_sensitivity.probes.radius.ray import Ray

Floats = NDArray[np.float64]

REACH = 1e3
"""Lengths of a state after which the search for a radius ends."""
FLAT = 1e-12
"""Curvature times squared length, in nats, below which a direction is flat."""
CURVE_POINTS = 41


@dataclass(frozen=True, eq=False)
class Move:
    """To the state after a variant of the prompt."""

    edit: str
    direction: Literal["edit", "control"]
    vector: Floats
    """[width]"""


@dataclass(frozen=True, eq=False)
class AtState:
    """What was found at one state."""

    state: State
    lines: tuple[Line, ...]
    edits: tuple[EditShift, ...]
    curve: Curve
    """Along the top direction."""


def look_at(
    local: Local,
    name: tuple[str, int],
    moves: Sequence[Move],
    taus: Sequence[float],
    lanczos_steps: int,
    seed: int,
) -> AtState:
    """Radii along the top direction, a random one and those of variants.

    Args:
        local: the state.
        name: prompt id and step.
        moves: of variants; empty but at the end of a prompt.
        taus: nats, ascending.
        lanczos_steps: most products for the top direction.
        seed: with the name it gives the random direction, and the vector that Lanczos starts from.
    """
    draws = np.random.default_rng([seed, zlib.crc32(name[0].encode()), name[1]])
    top = local.top(draws.normal(size=len(local.state)), lanczos_steps)
    random = draws.normal(size=len(local.state))
    vectors = [top.direction, random, *(move.vector for move in moves)]
    lengths = [float(np.linalg.norm(vector)) for vector in vectors]
    rays = local.rays(np.stack([v / length for v, length in zip(vectors, lengths, strict=True)]))
    kinds: list[tuple[Direction, str]] = [("top", ""), ("random", "")]
    kinds += [(move.direction, move.edit) for move in moves]
    lines = [_line(local, name, kind, ray, taus) for kind, ray in zip(kinds, rays, strict=True)]
    edits = [
        EditShift(
            name[0],
            move.edit,
            move.direction,
            length / local.length,
            ray.curvature * length**2 / 2,
            ray.divergence(length),
        )
        for move, length, ray in zip(moves, lengths[2:], rays[2:], strict=True)
    ]
    state = _state(local, name, rays[0].curvature, top.residual)
    return AtState(state, tuple(lines), tuple(edits), _curve(local, name, rays[0], max(taus)))


def _line(
    local: Local, name: tuple[str, int], kind: tuple[Direction, str], ray: Ray, taus: Sequence[float]
) -> Line:
    flat = not ray.curvature * local.length**2 >= FLAT
    none = [math.nan] * len(taus)
    predicted = none if flat else [ray.predicted(tau) for tau in taus]
    measured = none if flat else ray.measured(taus, REACH * local.length)
    return Line(
        *name,
        *kind,
        float(local.still.probabilities.max()),
        flat,
        tuple(each / local.length for each in predicted),
        tuple(_finite(each / local.length) for each in measured),
    )


def _state(local: Local, name: tuple[str, int], curvature: float, residual: float) -> State:
    after = float(np.linalg.norm(local.hidden))
    return State(
        *name,
        local.length,
        float(local.still.probabilities.max()),
        local.margin,
        _finite(local.argmax_radius / after),
        _finite(local.constraint_bound / after),
        curvature * local.length**2,
        residual,
    )


def _curve(local: Local, name: tuple[str, int], ray: Ray, tau: float) -> Curve:
    reach = ray.predicted(tau) / local.length
    reach = min(reach, REACH) * 1.5
    shifts = np.linspace(-reach, reach, CURVE_POINTS)
    divergences = tuple(ray.divergence(float(shift) * local.length) for shift in shifts)
    return Curve(*name, ray.curvature * local.length**2, tuple(shifts.tolist()), divergences)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
