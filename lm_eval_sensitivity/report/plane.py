"""The plane of two axes: which axis is which, where the rules of the verdicts draw their lines, and how far it reaches.

Across, how far harmless edits move a system (p); upwards, how far it is from the reference (b). The page, the report
and the pictures of the docs all draw it this way round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.stats.alive import ALIVE

ROOM = 1.06
"""Of an axis beyond what it must hold."""
LONGEST_BEYOND = 1.35
"""What an axis must hold is not squeezed further than this for the sake of an interval's end."""


def reach(musts: Iterable[float], ends: Iterable[float]) -> float:
    """How far an axis goes: over all that must be seen, and over the ends of intervals as long as they squeeze nothing.

    Args:
        musts: numbers that have a mark; NaN where one is missing.
        ends: upper ends of intervals; NaN where one is missing.

    Returns:
        Above 0. An interval that ends beyond it is drawn with an arrow.

    Example:
        >>> round(reach([0.1, 0.5], [0.2, 0.6]), 3), round(reach([0.1, 0.5], [0.2, 4.0]), 3), reach([0.0], [])
        (0.636, 0.716, 1.0)
    """
    least = max((each for each in musts if math.isfinite(each)), default=0.0)
    longest = max((each for each in ends if math.isfinite(each)), default=0.0)
    most = max(least, min(longest, LONGEST_BEYOND * least) if least > 0 else longest)
    return ROOM * most if most > 0 else 1.0


def place_of(system: SystemDrift) -> tuple[float, float] | None:
    """Where a system stands.

    Returns:
        (p, b), with b = 0 for the reference; None where one of the numbers is missing.
    """
    across = system.preserving.mean.estimate
    up = 0.0 if system.is_reference else math.nan if system.drift is None else system.drift.mean.estimate
    return None if math.isnan(up) or math.isnan(across) else (across, up)


@dataclass(frozen=True)
class Region:
    """Where a verdict lies, of a system that still responds to meaning: the plane alone does not show that."""

    label: str
    left: float
    right: float
    low: float
    high: float
    words: str
    """What stands in it."""


@dataclass(frozen=True)
class Plane:
    """Ends of both axes, and the lines between the verdicts."""

    across: float
    up: float
    more: float | None
    """p from which a system is more sensitive than the reference; None where the reference has no p."""
    far: float | None
    """b from which a system is far from the reference."""
    regions: tuple[Region, ...]


def plane_of(found: DriftStatement) -> Plane:
    """The plane that holds all systems of a statement and the lines between the verdicts.

    Args:
        found: beside a reference.

    Returns:
        The plane; without lines and regions where the reference has no p.
    """
    places = [place for each in found.systems if (place := place_of(each)) is not None]
    reference = next((p for each in found.systems if each.is_reference and (p := place_of(each))), None)
    lines = () if reference is None else lines_of(reference[0], found)
    across = reach(
        [*(p for p, _ in places), *lines[:1]], [each.preserving.mean.upper for each in found.systems]
    )
    drifts = [each.drift.mean.upper for each in found.systems if each.drift is not None]
    up = reach([*(b for _, b in places), *lines[1:]], drifts)
    if not lines:
        return Plane(across, up, None, None, ())
    more, far = lines
    verdicts = (
        ("STABLE", 0.0, more, 0.0, far),
        ("DRIFTED", 0.0, more, far, up),
        ("RESPONSIVE", more, across, 0.0, up),
    )
    condition = "" if found.selection.of_answers else f" if {ALIVE}"
    return Plane(across, up, more, far, tuple(Region(*each, f"{each[0]}{condition}") for each in verdicts))


def axes_in_words(found: DriftStatement) -> tuple[str, str]:
    """What stands at the axes: across, upwards."""
    if found.selection.of_answers:
        return (
            "share of harmless edits that change the answer (p)",
            "share of other answers than the reference’s (b)",
        )
    return "distance under harmless edits (p)", "distance from the reference’s outputs (b)"


def lines_of(p_reference: float, found: DriftStatement) -> tuple[float, ...]:
    """(p, b) at which the rules draw their lines; empty where the reference is not moved at all."""
    k = found.constants
    return ((1 + k.k_harmless) * p_reference, k.drift_factor * p_reference) if p_reference > 0 else ()
