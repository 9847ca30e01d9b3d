"""The finding as tables and one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lm_eval_sensitivity.probes.radius.finding import Direction, RadiusFinding, RadiusRow
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.blocks import Block, Column, columns, interval, table_of
from lm_eval_sensitivity.types import Note

_RADII = (
    Column("tau", 3),
    Column("direction"),
    Column("n", 0, "n_lines"),
    Column("prompts", 0, "n_prompts"),
    *columns(4, "predicted", "measured"),
    Column("median error", 4, "error"),
    Column("p90", 4, "error_p90"),
    *interval("within", 3, "within 50 %", "lower", "upper"),
    Column("calibrated error", 4),
    Column("calibrated within", 3),
    Column("rank with confidence", 2),
    Column("unreachable", 0, "n_unreachable"),
    Column("flat", 0, "n_flat"),
)
_SHIFTS = (
    Column("direction"),
    Column("pairs", 0, "n_pairs"),
    Column("prompts", 0, "n_prompts"),
    Column("shift", 4),
    Column("divergence", 4, "actual"),
    Column("actual / predicted", 3, "quotient"),
    Column("first quartile", 3, "quotient_lower"),
    Column("third quartile", 3, "quotient_upper"),
)
_STATES = (
    Column("states"),
    Column("n", 0, "n_states"),
    Column("prompts", 0, "n_prompts"),
    Column("argmax radius", 5),
    Column("p10", 5, "argmax_radius_p10"),
    Column("1 / |J_W|", 5, "constraint_bound"),
    Column("rank: radius, margin", 3, "rank_argmax_with_margin"),
    Column("rank: bound, margin", 3, "rank_bound_with_margin"),
    Column("rank: bound, radius", 3, "rank_bound_with_argmax"),
)


def document(result: ProbeResult[RadiusFinding]) -> Sequence[Block]:
    """The sentence of reading, then radii, real edits, and radii without a tau."""
    finding = result.finding
    side = "before" if finding.side == "pre" else "after"
    return (
        Note("finding", reading(finding)),
        table_of(
            "radius",
            "Radius that the formula predicts, and the measured one",
            _RADII,
            finding.rows,
            [
                f"Lengths are shares of the length of the state, {side} the final norm; medians over lines. "
                "tau in nats. The interval is over prompts."
            ],
        ),
        table_of(
            "edits",
            "How far real variants move the state at the prompt end, and the distribution with it",
            _SHIFTS,
            finding.shifts,
            ["Medians over pairs; the divergence in nats; predicted is half the curvature along the move."],
        ),
        table_of(
            "states",
            "Distance to the nearest other most probable token",
            _STATES,
            finding.state_rows,
            [
                "Medians over states, after the final norm, as shares of the length of the state; ranks: Spearman."
            ],
        ),
    )


def reading(finding: RadiusFinding) -> str:
    """How far the formula is off, and what real edits do, a sentence each.

    Args:
        finding: of one system.
    """
    parts = []
    first, last = _row(finding, "top", 0), _row(finding, "top", -1)
    if first and last:
        also = "" if last is first else f" and {_percent(last.error)} at {last.tau:g}"
        parts.append(
            f"Along the most sensitive direction the formula is {_percent(first.error)} off at tau = {first.tau:g}"
            f"{also} (medians over {last.n_lines} states of {last.n_prompts} prompts)."
        )
    for row in finding.shifts[:1]:
        if not math.isnan(row.quotient):
            kept = "meaning-preserving edit" if row.direction == "edit" else "control"
            parts.append(
                f"A {kept} changes the distribution {row.quotient:.2f} times as much as the formula says (median over "
                f"{row.n_pairs} pairs of {row.n_prompts} prompts)."
            )
    return " ".join(parts) or "No radius could be measured."


def _row(finding: RadiusFinding, direction: Direction, at: int) -> RadiusRow | None:
    rows = [row for row in finding.rows if row.direction == direction and not math.isnan(row.error)]
    return rows[at] if rows else None


def _percent(error: float) -> str:
    return f"{100 * error:.2g} %" if error < 1 else f"{error:.1f} times"
