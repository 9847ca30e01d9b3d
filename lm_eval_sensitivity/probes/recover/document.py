"""What the probe `recover` found, in tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.probes.recover.finding import Overall, RecoverFinding
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.blocks import Block, Column, columns, interval, table_of
from lm_eval_sensitivity.stats import Interval
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Note

_CELLS = (
    Column("layer", 0),
    Column("alpha", 2),
    *columns(4, "peak", "at push", "lag 1", "lag 4", "lag 16"),
    *interval("recovered", 3),
    Column("steps", 0),
    Column("half-life", 0, "half_life"),
    Column("KL", 4, "kl"),
    Column("path unchanged", 3, "unchanged.estimate"),
    Column("cosine", 4, "cosine.estimate"),
    Column("cosine if changed", 4, "cosine_changed"),
    Column("prompts", 0, "n_prompts"),
)
_PUSHES = (
    Column("prompt", path="prompt_id"),
    Column("layer", 0),
    Column("alpha", 2),
    Column("peak", 4),
    Column("peak step", 0),
    *columns(4, "at push", "lag 1", "lag 4", "lag 16"),
    Column("steps", 0),
    Column("half-life", 0, "half_life"),
    Column("KL", 4, "kl"),
    Column("parts at", 0, "first_divergence"),
    Column("cosine", 4),
)
MOST = 0.5
"""Share of states that came back, of all and of those whose text changed, from which the sentence says what carries the
difference."""


def document(result: ProbeResult[RecoverFinding]) -> Sequence[Block]:
    """Tables of one system, the reading first.

    Args:
        result: of the probe.

    Returns:
        Blocks in reading order.
    """
    return tuple(_blocks(result.finding))


def _blocks(found: RecoverFinding) -> Iterator[Block]:
    yield reading(found)
    yield from _controls(found)
    yield table_of(
        "recover",
        "What a push does, by layer and size",
        _CELLS,
        found.cells,
        [
            f"A vector of alpha times the length of the state is added to the output of a block, of {found.n_layers} "
            f"counted from 0, at generated token {found.step}, once, in a random direction. peak, at push, lag: "
            "|h' - h| / |h| after the final norm on the recorded tokens, median over prompts. recovered: share of "
            "prompts whose distance stays below a tenth of its peak for 5 steps in a row; lower, upper: 95 % half "
            "points. steps, half-life: from the peak, medians of those that got there. KL: nats, at the push.",
            "path unchanged: share of prompts that choose the same tokens to the end when they choose freely. cosine: "
            "distance of the texts of the free paths, mean over prompts"
            + (f"; {found.embedder}." if found.embedder else "."),
        ],
    )
    if found.cosine_missing:
        yield Note("reason", f"Texts have no distance: {found.cosine_missing.rstrip('.')}.")
    yield from _together(found)
    yield table_of("recover pushes", "Every push", _PUSHES, found.pushes, is_detail=True)


def reading(found: RecoverFinding) -> Note:
    """The one sentence that is read first.

    Args:
        found: of one system.

    Returns:
        How often the state came back, how often the text changed, and what carries the difference where both are clear.
    """
    all_of = found.overall
    if not all_of.n_decided:
        words = "Too few generated tokens follow the push to say whether a state comes back."
        return Note("finding", words if all_of.n_pushes else "No push was asked for but the control.")
    words = (
        f"After a push the state came back in {all_of.n_recovered} of {all_of.n_decided} runs when the tokens were "
        f"held fixed ({found.n_prompts} prompts). When they were free the text changed in {all_of.n_changed} of "
        f"{all_of.n_pushes}"
    )
    return Note("finding", words + _carried(all_of))


def _carried(all_of: Overall) -> str:
    """What carries the difference: only where most states came back, also of the texts that changed."""
    if all_of.n_changed == 0:
        return "."
    back = f", in {all_of.n_both} of them although the state had come back"
    most = all_of.n_recovered >= MOST * all_of.n_decided and all_of.n_both >= MOST * all_of.n_changed
    return f"{back}: the path, not the state, carries the difference." if most else f"{back}."


def _controls(found: RecoverFinding) -> Iterator[Note]:
    if found.control_distance or found.control_changed:
        yield Note(
            "caution",
            f"A push of length 0 moved a state by {found.control_distance:.1g} and changed {found.control_changed} "
            "paths: rows of one batch are not computed alike here, and smaller distances are noise.",
        )
    else:
        yield Note("method", "A push of length 0 moves no state and changes no path, exactly.")
    if found.n_own_paths < found.n_prompts:
        yield Note(
            "caution",
            f"Decoded again without a push, {found.n_prompts - found.n_own_paths} of {found.n_prompts} outputs are not "
            "the recorded ones; free paths are held against the new ones.",
        )


def _together(found: RecoverFinding) -> Iterator[Note]:
    all_of = found.overall
    parts = [
        f"{words} {in_print(share.estimate, 3)} ({_bounds(share)})"
        for words, share in (
            ("state recovered", all_of.recovered),
            ("text changed", all_of.changed),
            ("both", all_of.both),
        )
        if not math.isnan(share.lower)
    ]
    if parts:
        yield Note("finding", f"Shares of a prompt's pushes, mean over prompts: {', '.join(parts)}.")
    if not math.isnan(all_of.rank_correlation):
        within = (
            ""
            if math.isnan(all_of.rank_correlation_changed)
            else f", {in_print(all_of.rank_correlation_changed, 2)} among those whose path changed"
        )
        yield Note(
            "finding",
            f"Rank correlation of peak state distance and text distance over {all_of.n_pushes} pushes: "
            f"{in_print(all_of.rank_correlation, 2)}{within}. Pushes of one prompt are not independent.",
        )


def _bounds(share: Interval) -> str:
    return f"95 % interval {in_print(share.lower, 3)} to {in_print(share.upper, 3)}"
