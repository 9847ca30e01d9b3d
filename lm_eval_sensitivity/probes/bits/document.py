"""The finding as one table, the floors, and the sentences of reading."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.probes.bits.finding import BitsFinding, Floor, Width
from lm_eval_sensitivity.probes.bits.floors import MOST_PERPLEXITY
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.blocks import Block, Column, ResultTable, table_of
from lm_eval_sensitivity.statements.records import SystemDrift
from lm_eval_sensitivity.stats import Interval
from lm_eval_sensitivity.text.format import in_print, percent
from lm_eval_sensitivity.types import Note


def document(result: ProbeResult[BitsFinding]) -> Sequence[Block]:
    """The sentences of reading, then every width, then the floors."""
    finding = result.finding
    tolerance = float(result.settings.get("tolerance") or 0)
    return (
        *(Note("finding", text) for text in reading(finding, tolerance)),
        *_widths_tables(finding),
        _floors_table(finding),
        *_how(finding, tolerance),
    )


# ---- sentences


def reading(finding: BitsFinding, tolerance: float) -> Iterator[str]:
    """Static floor, dynamic floor, and what lies between them.

    Args:
        finding: of one model.
        tolerance: of the static check.
    """
    static, dynamic = finding.static_floor, finding.dynamic_floor
    if static.bits is None:
        yield f"There is no static floor: {static.reason}."
    elif finding.check == "divergence":
        most = f"{math.log1p(tolerance):.3f} nats"
        yield f"KL to the unrounded model stays within {most} down to {static.bits:g} bits{_range(static)}."
    else:
        yield f"Perplexity stays within {percent(tolerance)} down to {static.bits:g} bits{_range(static)}."
    if dynamic.bits is None:
        yield f"There is no dynamic floor: {dynamic.reason}."
    else:
        than = finding.drift.constants.in_words("the unrounded model than {moved}")
        yield f"Outputs stay nearer to {than} down to {dynamic.bits:g} bits{_range(dynamic)}."
    yield from _silent_zone(finding)


def _range(floor: Floor) -> str:
    """How far a floor may be off: both ends, where they are not the floor itself."""
    if floor.lowest == floor.highest:
        return ""
    low, high = ("none" if each is None else f"{each:g}" for each in (floor.lowest, floor.highest))
    return f" (range {low} to {high})"


def _silent_zone(finding: BitsFinding) -> Iterator[str]:
    if finding.static_floor.bits is None or (finding.dynamic_floor.reason and not finding.silent):
        return
    if not finding.silent:
        yield "No width passes the static check and fails the dynamic one: there is no silent zone here."
        return
    names = ", ".join(f"{bits:g}" for bits in finding.silent)
    yield f"Silent zone: at {names} bits the static check passes and the dynamic one does not."


def _how(finding: BitsFinding, tolerance: float) -> Iterator[Note]:
    text, reference = finding.text, finding.reference
    share = finding.n_rounded / finding.n_weights if finding.n_weights else math.nan
    yield Note(
        "method",
        f"Bits are of the linear layers of the blocks, {finding.n_rounded:,} of {finding.n_weights:,} weights "
        f"({percent(share)}), relative to the weights as they were loaded: those of a file that was quantized before "
        "are already rounded.",
    )
    yield Note(
        "method",
        f"Text: {text.n_tokens} tokens in {text.n_windows} windows, sha256 {text.sha256[:16]}; perplexity of the "
        f"reference {in_print(reference.perplexity, 2)}.",
    )
    if finding.check == "divergence":
        yield Note(
            "caution",
            f"Perplexity is not usable: {_why_unusable(finding)}. KL to the reference on its own outputs takes its "
            f"place, with the same limit: log {1 + tolerance:g} = {math.log1p(tolerance):.4f} nats.",
        )


def _why_unusable(finding: BitsFinding) -> str:
    if finding.reference.perplexity >= MOST_PERPLEXITY:
        return (
            f"the reference has {in_print(finding.reference.perplexity, 0)} on this text, {MOST_PERPLEXITY:g} or "
            "more, and on such a text it may fall while a model breaks"
        )
    return "it is missing at a width"


# ---- tables


@dataclass(frozen=True)
class _Row:
    """One system with both checks."""

    width: Width
    axes: SystemDrift

    @property
    def bits(self) -> str:
        return "as loaded" if self.width.bits is None else f"{self.width.bits:g}"

    @property
    def drift(self) -> str:
        return "-" if self.axes.drift is None else with_interval(self.axes.drift.mean)

    @property
    def perturbation(self) -> str:
        return with_interval(self.axes.preserving.mean)

    @property
    def same(self) -> str:
        """Outputs to base prompts that are the reference's."""
        different, compared = self.axes.answers
        return f"{compared - different}/{compared}" if compared else "-"

    @property
    def verdict(self) -> str:
        return self.axes.in_words


def with_interval(found: Interval) -> str:
    """An estimate with its bounds, where it has some."""
    estimate, low, high = (in_print(each, 3) for each in (found.estimate, found.lower, found.upper))
    return estimate if math.isnan(found.lower) else f"{estimate} [{low}, {high}]"


_BITS = Column("bits")
_STATIC = (
    Column("weight error", 4, "width.weight_error"),
    Column("perplexity", 2, "width.perplexity"),
    Column("ratio", 3, "width.ratio"),
    Column("KL", 4, "width.divergence.estimate"),
    Column("other token", 3, "width.disagreement.estimate"),
)
_DYNAMIC = (
    Column("drift"),
    Column("perturbation"),
    Column("spread", 3, "width.spread"),
    Column("same output", path="same"),
    Column("verdict"),
)


def _bounded(name: str, path: str) -> tuple[Column, ...]:
    ends = (("", "estimate"), (" lower", "lower"), (" upper", "upper"))
    return tuple(Column(f"{name}{end}", 4, f"{path}.{field}") for end, field in ends)


_PROGRAMS = (
    _BITS,
    Column("system", path="width.system"),
    *_STATIC[:3],
    *_bounded("rise", "width.rise"),
    *_bounded("KL", "width.divergence"),
    *_bounded("other token", "width.disagreement"),
    *_bounded("drift", "axes.drift.mean"),
    *_bounded("perturbation", "axes.preserving.mean"),
    Column("spread", 4, "width.spread"),
    Column("thin share", 4, "width.thin_share"),
    Column("same output", path="same"),
    Column("loops", 0, "axes.outputs.n_loop"),
    Column("empty", 0, "axes.outputs.n_empty"),
    Column("verdict"),
    Column("missing", path="width.missing"),
)
_FLOORS = (Column("floor"), Column("bits"), Column("lowest"), Column("highest"), Column("reason"))


def _widths_tables(finding: BitsFinding) -> Iterator[ResultTable]:
    rows = [_Row(each, finding.axes(each)) for each in (finding.reference, *finding.widths)]
    name = finding.reference.system
    static = (
        "KL, nats, and the share of steps with another most probable token: teacher-forced on the reference's own "
        "outputs."
    )
    dynamic = (
        "Drift: from the reference's outputs on the identical prompts. Perturbation: distance under harmless edits "
        "within a width. Spread: how far outputs to different prompts are apart. Intervals: 95 %, over prompts."
    )
    read = {"only": ("table", "markdown")}
    yield table_of("bits_static", f"{name}: static check", (_BITS, *_STATIC), rows, [static], **read)
    yield table_of("bits_dynamic", f"{name}: what it says", (_BITS, *_DYNAMIC), rows, [dynamic], **read)
    both = f"{static} {dynamic}"
    yield table_of("bits", f"{name} and its widths", _PROGRAMS, rows, [both], only=("csv", "json"))


def _floors_table(finding: BitsFinding) -> ResultTable:
    def row(name: str, floor: Floor) -> tuple[str | None, ...]:
        ends = (floor.bits, floor.lowest, floor.highest)
        return name, *(None if each is None else f"{each:g}" for each in ends), floor.reason or None

    return ResultTable(
        "bits_floors",
        "Floors: the smallest width that passes, with every larger one",
        _FLOORS,
        (row("static", finding.static_floor), row("dynamic", finding.dynamic_floor)),
        "Lowest and highest: the floor if every width that is in doubt passed, and if it failed. Doubt of the static "
        "floor: 95 % intervals over windows of the text, or over prompts; of the dynamic one: a width that is neither "
        "near nor far by one-sided 95 % bounds over prompts. Each width is judged by itself.",
    )
