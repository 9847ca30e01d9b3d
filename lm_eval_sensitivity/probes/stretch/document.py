"""What is said of stretching: one sentence, growth by range of layers, shares by convention, profiles of edits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.stretch.finding import (
    EditProfile,
    LayerGrowth,
    NetworkGrowth,
    RangeGrowth,
    Shares,
    StretchFinding,
)
from lm_eval_sensitivity.probes.stretch.settings import JACOBIAN_PROMPTS
from lm_eval_sensitivity.report.blocks import Block, Column, table_of
from lm_eval_sensitivity.stats import Interval
from lm_eval_sensitivity.text.format import in_print, percent
from lm_eval_sensitivity.types import Note


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


def _by(interval: Interval) -> str:
    return in_print(interval.estimate, 3)


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
class _OfRange:
    network: NetworkGrowth
    growth: RangeGrowth

    @property
    def magnitude(self) -> str:
        return _with_interval(self.growth.magnitude)

    @property
    def disturbance(self) -> str:
        return _with_interval(self.growth.disturbance)

    @property
    def relative(self) -> str:
        return _with_interval(self.growth.relative)


def _with_interval(interval: Interval, factor: float = 1.0, digits: int = 4) -> str:
    estimate, low, high = (
        in_print(factor * each, digits) for each in (interval.estimate, interval.lower, interval.upper)
    )
    return estimate if math.isnan(interval.lower) else f"{estimate} [{low}, {high}]"


def _growth_tables(finding: StretchFinding) -> Iterator[Block]:
    records = [_OfRange(network, each) for network in finding.networks for each in network.ranges]
    first = (
        Column("network", path="network.network"),
        Column("range", path="growth.range"),
        Column("layers", path="growth.layers"),
    )
    last = (
        Column("all positions", 4, "growth.frobenius.estimate"),
        Column("relative in total", 4, "growth.relative_total.estimate"),
        Column("prompts", 0, "network.n_prompts"),
    )
    quantities = ("magnitude", "disturbance", "relative")
    numbers = [
        Column(name, 4, f"growth.{quantity}.{bound}")
        for quantity in quantities
        for name, bound in (
            (quantity, "estimate"),
            (f"{quantity} lower", "lower"),
            (f"{quantity} upper", "upper"),
        )
    ]
    notes = (
        _where(finding),
        "Factors per layer, geometric means with 95 % intervals over prompts. inner: without the first and the last "
        "layer. magnitude: |x| behind a block over |x| before it. disturbance: the same of a difference of "
        f"{percent(finding.size)} that was added before block 0; all positions: of its norm over all positions "
        "together, which few steps can dominate. relative: disturbance over magnitude.",
        *_reasons(finding),
    )
    title = "Growth per layer"
    shown = (*first, *map(Column, quantities), *last)
    yield table_of("stretch", title, shown, records, notes, only=("table", "markdown"))
    yield table_of("stretch", title, (*first, *numbers, *last), records, only=("csv", "json"))


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


@dataclass(frozen=True)
class _OfShares:
    network: NetworkGrowth
    shares: Shares

    @property
    def embedding(self) -> str:
        return _share(self.shares.embedding)

    @property
    def attention(self) -> str:
        return _share(self.shares.attention)

    @property
    def mlp(self) -> str:
        return _share(self.shares.mlp)


def _share(interval: Interval) -> str:
    if math.isnan(interval.estimate):
        return "-"
    if math.isnan(interval.lower):
        return percent(interval.estimate)
    return f"{percent(interval.estimate)} [{100 * interval.lower:.3g}, {100 * interval.upper:.3g}]"


def _share_tables(finding: StretchFinding) -> Iterator[Block]:
    records = [_OfShares(network, each) for network in finding.networks for each in network.shares]
    parts = ("embedding", "attention", "mlp")
    network = Column("network", path="network.network")
    notes = (
        "Of x, which goes into the final norm: c is the embedding, or the sum of what attention or the MLPs add. "
        "projection: <c, x>/|x|², which may be negative or above 100 %; squared: |c|² over their sum; norm: |c| over "
        "their sum. Conventions and positions give other numbers from the same pass: compare only "
        "equal ones.",
        f"The parts add up to the residual within {finding.loaded.sum_error:.1g} of it.",
    )
    title = "Whose the residual is"
    convention = Column("convention", path="shares.convention")
    shown = (network, convention, *map(Column, parts))
    yield table_of("stretch_shares", title, shown, records, notes, only=("table", "markdown"))
    numbers = [
        Column(name, 6, f"shares.{part}.{bound}")
        for part in parts
        for name, bound in ((part, "estimate"), (f"{part} lower", "lower"), (f"{part} upper", "upper"))
    ]
    yield table_of("stretch_shares", title, (network, convention, *numbers), records, only=("csv", "json"))


def _routes(finding: StretchFinding) -> Iterator[Note]:
    for network in finding.networks:
        if network.routes_changed is not None:
            yield Note(
                "remark",
                f"The disturbance sent {percent(network.routes_changed)} of all tokens to other experts "
                f"({network.network}): its growth includes these jumps.",
            )


@dataclass(frozen=True)
class _OfEdit:
    profile: EditProfile

    @property
    def quarter(self) -> float:
        return self.profile.at(0.25)

    @property
    def half(self) -> float:
        return self.profile.at(0.5)

    @property
    def three_quarters(self) -> float:
        return self.profile.at(0.75)

    @property
    def end(self) -> float:
        return self.profile.sizes[-1]


def _edit_table(finding: StretchFinding) -> Iterator[Block]:
    if not finding.edits:
        return
    columns = (
        Column("edit", path="profile.edit"),
        Column("first layer", 0, "profile.first_defined"),
        Column("1/4", 4, "quarter"),
        Column("1/2", 4, "half"),
        Column("3/4", 4, "three_quarters"),
        Column("end", 4, "end"),
        Column("behind the norm", 4, "profile.normalized"),
        Column("largest before layer", 0, "profile.peak"),
        Column("prompts", 0, "profile.n_prompts"),
    )
    note = (
        "How far the edit has moved the residual at the end of the prompt, relative to the residual, after a quarter "
        "of the layers, half of them, and so on; medians over prompts. first layer: before which it is there first; "
        "under a chat template all prompts end in the same token, and nothing has arrived before layer 1."
    )
    yield table_of(
        "stretch_edits", "Edits over depth", columns, [_OfEdit(each) for each in finding.edits], (note,)
    )


def _sweep_table(finding: StretchFinding) -> Iterator[Block]:
    if not finding.sweep:
        return
    columns = (
        Column("size", 7),
        Column("relative per layer", 4, "per_layer"),
        Column("relative in total", 4, "total"),
        Column("prompts", 0, "n_prompts"),
    )
    note = (
        "One direction per prompt, in all sizes. Where the numbers do not depend on the size, growth is that of an "
        "infinitely small disturbance; the smallest sizes show rounding, the largest ones the nonlinear part."
    )
    yield table_of("stretch_sweep", "Sizes of a disturbance", columns, finding.sweep, (note,))


def _jacobian_table(finding: StretchFinding) -> Iterator[Block]:
    if not finding.jacobian:
        return
    columns = (Column("layer", 0), Column("rms", 4), Column("largest, at least", 4, "largest"))
    note = (
        "Of each block as a map of one position, all others held: how much a random small change is stretched, and "
        f"the most stretched one that was found. At the end of {JACOBIAN_PROMPTS} prompts at most, geometric means."
    )
    yield table_of("stretch_jacobian", "Jacobian norms", columns, finding.jacobian, (note,), is_detail=True)


@dataclass(frozen=True)
class _OfLayer:
    network: NetworkGrowth
    growth: LayerGrowth


def _layer_table(finding: StretchFinding) -> Block:
    columns = (
        Column("network", path="network.network"),
        Column("layer", 0, "growth.layer"),
        *(Column(name, 4, f"growth.{name}.middle") for name in ("magnitude", "disturbance", "relative")),
    )
    records = [_OfLayer(network, each) for network in finding.networks for each in network.layers]
    note = "Factors, geometric means over prompts."
    return table_of(
        "stretch_layers", "Layer by layer", columns, records, (note,), only=("csv", "json"), is_detail=True
    )
