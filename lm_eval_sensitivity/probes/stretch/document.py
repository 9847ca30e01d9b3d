"""What is said of stretching: one sentence, growth by range of layers, shares by convention, profiles of edits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.stretch.finding import NetworkGrowth, RangeGrowth, StretchFinding
from lm_eval_sensitivity.probes.stretch.settings import JACOBIAN_PROMPTS
from lm_eval_sensitivity.report.blocks import Block, Column, ResultTable, columns, interval, table_of
from lm_eval_sensitivity.stats import Interval
from lm_eval_sensitivity.text.format import in_print, percent
from lm_eval_sensitivity.types import Note

_NETWORK = Column("network", path="network.network")
_QUANTITIES = ("magnitude", "disturbance", "relative")
_DEPTHS = (0.25, 0.5, 0.75, 1.0)


def document(result: ProbeResult[StretchFinding]) -> list[Block]:
    """The sentence, and the tables behind it.

    Args:
        result: of one system.
    """
    finding = result.finding
    return [
        Note("finding", sentence(finding)),
        *_growth_tables(finding),
        *first_ten(finding),
        *_share_tables(finding),
        *_routes(finding),
        *_edit_table(finding),
        *_sweep_table(finding),
        *_jacobian_table(finding),
        _layer_table(finding),
    ]


def sentence(finding: StretchFinding) -> str:
    """What the growth of the inner layers is, absolute and beside what the next block reads."""
    loaded = finding.loaded
    found, whole = _main(loaded), loaded.over("all")
    assert whole is not None
    if math.isnan(found.magnitude.estimate):
        return f"No growth is given: {found.magnitude.reason}"
    where = (
        f"In layer {found.first}"
        if found.first == found.last
        else f"From layer {found.first} to {found.last}"
    )
    words = f"{where} the residual grows by {_by(found.magnitude)} per layer"
    if math.isnan(found.relative.estimate):
        return f"{words} ({found.magnitude.n} prompts); no disturbance was measured."
    return (
        f"{words}, and a disturbance of {percent(finding.size)} by {_by(found.disturbance)} ({found.magnitude.n} "
        f"prompts). Relative to what the next block reads, it changes by {_by(found.relative)} per layer, and by "
        f"{_by(whole.relative_total)} from the first layer to the last{_beside(finding)}."
    )


def _main(network: NetworkGrowth) -> RangeGrowth:
    found = network.over("inner") or network.over("all")
    assert found is not None
    return found


def _by(found: Interval) -> str:
    return in_print(found.estimate, 3)


def _beside(finding: StretchFinding) -> str:
    twin = finding.untrained
    if twin is None or math.isnan(_main(twin).relative.estimate):
        return ""
    whole = twin.over("all")
    assert whole is not None
    return f" (untrained: by {_by(_main(twin).relative)}, and by {_by(whole.relative_total)})"


def first_ten(finding: StretchFinding) -> Iterator[Note]:
    """That a rate over the first ten layers is no mark of training, where this network shows it."""
    twin = finding.untrained
    ours = finding.loaded.over("first ten")
    theirs = None if twin is None else twin.over("first ten")
    if ours is None or theirs is None or math.isnan(ours.magnitude.estimate + theirs.magnitude.estimate):
        return
    first = finding.loaded.over("first")
    assert first is not None
    yield Note(
        "remark",
        f"Over layers 0 to 9 the residual grows by {_by(ours.magnitude)} per layer as loaded, and by "
        f"{_by(theirs.magnitude)} untrained. Layer 0 alone, which adds to small embeddings, is "
        f"{_by(first.magnitude)}: a rate that includes it says little of what was learned.",
    )


# ---- tables


@dataclass(frozen=True)
class _Of:
    """A part of a network, with its network."""

    network: NetworkGrowth
    part: Any


def _parts(finding: StretchFinding, name: str) -> list[_Of]:
    return [_Of(network, each) for network in finding.networks for each in getattr(network, name)]


def _twice(
    name: str,
    title: str,
    records: Sequence[_Of],
    sides: tuple[Sequence[Column], Sequence[Column]],
    intervals: dict[str, int],
    in_a_cell: Callable[[Interval], str],
    notes: Iterable[str],
) -> Iterator[Block]:
    """A table whose intervals stand in a cell each for reading, and in three columns for programs.

    Args:
        name: of the table.
        title: its caption.
        records: a row each.
        sides: columns before and behind the intervals.
        intervals: by name, and the digits that they have for programs.
        in_a_cell: of one interval.
        notes: below the table for reading.
    """
    first, last = sides
    rows = tuple(
        (
            *(column.cell(each) for column in first),
            *(in_a_cell(getattr(each.part, quantity)) for quantity in intervals),
            *(column.cell(each) for column in last),
        )
        for each in records
    )
    shown = (*first, *columns(None, *intervals), *last)
    yield ResultTable(name, title, shown, rows, " ".join(notes), only=("table", "markdown"))
    numbers = [
        column
        for each, digits in intervals.items()
        for column in interval(f"part.{each}", digits, each, f"{each} lower", f"{each} upper")
    ]
    yield table_of(name, title, (*first, *numbers, *last), records, only=("csv", "json"))


def _with_interval(found: Interval) -> str:
    estimate, low, high = (in_print(each, 4) for each in (found.estimate, found.lower, found.upper))
    return estimate if math.isnan(found.lower) else f"{estimate} [{low}, {high}]"


def _growth_tables(finding: StretchFinding) -> Iterator[Block]:
    first = (_NETWORK, Column("range", path="part.range"), Column("layers", path="part.layers"))
    last = (
        Column("all positions", 4, "part.frobenius.estimate"),
        Column("relative in total", 4, "part.relative_total.estimate"),
        Column("prompts", 0, "network.n_prompts"),
    )
    notes = (
        _where(finding),
        "Factors per layer, geometric means with 95 % intervals over prompts. inner: without the first and the last "
        "layer. magnitude: |x| behind a block over |x| before it. disturbance: the same of a difference of "
        f"{percent(finding.size)} that was added before block 0; all positions: of its norm over all positions "
        "together, which few steps can dominate. relative: disturbance over magnitude.",
        *_reasons(finding),
    )
    records, numbers = _parts(finding, "ranges"), dict.fromkeys(_QUANTITIES, 4)
    yield from _twice("stretch", "Growth per layer", records, (first, last), numbers, _with_interval, notes)


def _where(finding: StretchFinding) -> str:
    """The position set, and how much of it."""
    loaded = finding.loaded
    if finding.positions == "prompt_end":
        return f"Read at the end of {loaded.n_prompts} prompts."
    return f"Read at {loaded.n_positions} steps of the outputs to {loaded.n_prompts} prompts."


def _reasons(finding: StretchFinding) -> Iterator[str]:
    """Why there are no intervals; each once."""
    found = (_main(network).magnitude.reason for network in finding.networks)
    yield from dict.fromkeys(each for each in found if each)


def _share(found: Interval) -> str:
    if math.isnan(found.estimate):
        return "-"
    if math.isnan(found.lower):
        return percent(found.estimate)
    return f"{percent(found.estimate)} [{100 * found.lower:.3g}, {100 * found.upper:.3g}]"


def _share_tables(finding: StretchFinding) -> Iterator[Block]:
    notes = (
        "Of x, which goes into the final norm: c is the embedding, or the sum of what attention or the MLPs add. "
        "projection: <c, x>/|x|², which may be negative or above 100 %; squared: |c|² over their sum; norm: |c| over "
        "their sum. Conventions and positions give other numbers from the same pass: compare only "
        "equal ones.",
        f"The parts add up to the residual within {finding.loaded.sum_error:.1g} of it.",
    )
    first = (_NETWORK, Column("convention", path="part.convention"))
    records, numbers = _parts(finding, "shares"), dict.fromkeys(("embedding", "attention", "mlp"), 6)
    title = "Whose the residual is"
    yield from _twice("stretch_shares", title, records, (first, ()), numbers, _share, notes)


def _routes(finding: StretchFinding) -> Iterator[Note]:
    for network in finding.networks:
        if network.routes_changed is not None:
            yield Note(
                "remark",
                f"The disturbance sent {percent(network.routes_changed)} of all tokens to other experts "
                f"({network.network}): its growth includes these jumps.",
            )


def _edit_table(finding: StretchFinding) -> Iterator[Block]:
    if not finding.edits:
        return
    headings = (
        Column("edit"),
        Column("first layer", 0),
        *columns(4, "1/4", "1/2", "3/4", "end", "behind the norm"),
        *columns(0, "largest before layer", "prompts"),
    )
    rows = tuple(
        (each.edit, each.first_defined, *map(each.at, _DEPTHS), each.normalized, each.peak, each.n_prompts)
        for each in finding.edits
    )
    note = (
        "How far the edit has moved the residual at the end of the prompt, relative to the residual, after a quarter "
        "of the layers, half of them, and so on; medians over prompts. first layer: before which it is there first; "
        "under a chat template all prompts end in the same token, and nothing has arrived before layer 1."
    )
    yield ResultTable("stretch_edits", "Edits over depth", headings, rows, note)


def _sweep_table(finding: StretchFinding) -> Iterator[Block]:
    if not finding.sweep:
        return
    numbers = (
        Column("size", 7),
        Column("relative per layer", 4, "per_layer"),
        Column("relative in total", 4, "total"),
        Column("prompts", 0, "n_prompts"),
    )
    note = (
        "One direction per prompt, in all sizes. Where the numbers do not depend on the size, growth is that of an "
        "infinitely small disturbance; the smallest sizes show rounding, the largest ones the nonlinear part."
    )
    yield table_of("stretch_sweep", "Sizes of a disturbance", numbers, finding.sweep, (note,))


def _jacobian_table(finding: StretchFinding) -> Iterator[Block]:
    if not finding.jacobian:
        return
    numbers = (Column("layer", 0), Column("rms", 4), Column("largest, at least", 4, "largest"))
    note = (
        "Of each block as a map of one position, all others held: how much a random small change is stretched, and "
        f"the most stretched one that was found. At the end of {JACOBIAN_PROMPTS} prompts at most, geometric means."
    )
    yield table_of("stretch_jacobian", "Jacobian norms", numbers, finding.jacobian, (note,), is_detail=True)


def _layer_table(finding: StretchFinding) -> Block:
    numbers = (
        _NETWORK,
        Column("layer", 0, "part.layer"),
        *(Column(name, 4, f"part.{name}.middle") for name in _QUANTITIES),
    )
    records, note = _parts(finding, "layers"), "Factors, geometric means over prompts."
    return table_of(
        "stretch_layers", "Layer by layer", numbers, records, (note,), only=("csv", "json"), is_detail=True
    )
