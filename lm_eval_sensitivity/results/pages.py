"""Analyses as the records of a results folder: the same numbers and sentences, systems by their index."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.report.wording.clusters import (
    clusters_in_words,
    detectable_in_words,
    family_in_words,
    reasons_in_words,
)
from lm_eval_sensitivity.report.wording.drift import (
    SIGNS,
    constants_in_words,
    contrast_in_words,
    harmless_over_control,
    interval_cautions,
    symbols_in_words,
    verdict_in_words,
)
from lm_eval_sensitivity.results.records import (
    AxesContrastRow,
    AxesPage,
    AxesRow,
    ClusterPage,
    ClusterRow,
    ClusterWords,
    ContrastRow,
    HeatmapCellRow,
    HeatmapPage,
    SelectionKey,
    WindowRow,
)
from lm_eval_sensitivity.statements.cautions import unknown_audits
from lm_eval_sensitivity.statements.clusters import ClusterAnalysis, TestedContrast
from lm_eval_sensitivity.statements.drift import Axis, Placement, Sweep
from lm_eval_sensitivity.statements.heatmap import Heatmap, HeatmapCell
from lm_eval_sensitivity.statements.means import SystemMean
from lm_eval_sensitivity.statements.profiles import Profile
from lm_eval_sensitivity.statements.responsiveness import alive_in_a_cell
from lm_eval_sensitivity.statements.windows import dominated_windows, outputs_of
from lm_eval_sensitivity.stats import AxisContrast, Constants

Indices = Mapping[str, int]
"""Index of a system by its display name."""


def number(value: float | None) -> float | None:
    """A number, or None where there is none.

    Example:
        >>> number(0.5), number(math.nan), number(None)
        (0.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None


# ---- clusters


def cluster_page(found: ClusterAnalysis, indices: Indices) -> ClusterPage:
    """Everything that is said of one selection."""
    selection = found.selection
    tested = found.tests is not None
    return ClusterPage(
        key=SelectionKey(selection.metric, selection.filter_name, selection.rung_set),
        title=selection.in_words(),
        rows=tuple(sorted((_cluster_row(each, indices) for each in found.systems), key=_place)),
        contrasts=tuple(sorted((_contrast_row(each, indices) for each in found.contrasts), key=_places)),
        cautions=found.cautions,
        words=ClusterWords(
            reasons=tuple(reasons_in_words(found.systems)),
            clusters=tuple(clusters_in_words(found)),
            family=family_in_words(found) if tested else None,
            detectable=detectable_in_words(found) if tested else None,
        ),
    )


def _place(row: ClusterRow) -> int:
    """Rows stand in alphabetical order, as the systems of the manifest."""
    return row.system


def _places(row: ContrastRow) -> tuple[int, ...]:
    """Which of the two is first stays as it is in the sentences about the contrast."""
    return tuple(sorted((row.first, row.second)))


def _cluster_row(each: SystemMean, indices: Indices) -> ClusterRow:
    return ClusterRow(
        system=indices[each.system],
        mean=number(each.interval.estimate),
        lower=number(each.interval.lower),
        upper=number(each.interval.upper),
        interval_method=each.interval.method,
        reason=each.interval.reason,
        n_prompts=each.counts.n_prompts,
        n_pairs=each.counts.n_pairs,
        n_erased=each.counts.n_erased,
        n_unscored=each.counts.n_unscored,
        noise_floor=number(each.noise.mean),
        noise_prompts=each.noise.n_prompts,
        noise_reason=each.noise.reason,
        letters=each.letters,
        alive=alive_in_a_cell(each.life),
    )


def _contrast_row(each: TestedContrast, indices: Indices) -> ContrastRow:
    return ContrastRow(
        first=indices[each.first],
        second=indices[each.second],
        difference=number(each.interval.estimate),
        lower=number(each.interval.lower),
        upper=number(each.interval.upper),
        p_adjusted=number(each.p_adjusted),
        attainable_p=each.attainable_p,
        n_prompts=each.counts.n_prompts,
        n_pairs=each.counts.n_pairs,
        n_lost=each.n_pairs_lost,
        finding=each.finding,
        reason=each.reason or each.interval.reason,
        caution=each.caution,
    )


# ---- axes


def axes_page(found: Sweep, table: pa.Table, indices: Indices) -> AxesPage:
    """Two axes of all systems.

    Args:
        found: beside a reference.
        table: from `load_pairs`.
        indices: of the systems.
    """
    assert found.reference is not None
    placements = sorted(found.placements, key=lambda each: indices[each.system])
    contrasts = [_axes_contrast(each, None, found.constants) for each in found.probe]
    for each in placements:
        judged = each.verdict.contrasts if each.verdict is not None else ()
        contrasts += [_axes_contrast(contrast, indices[each.system], found.constants) for contrast in judged]
    return AxesPage(
        metric=found.selection.metric,
        filter_name=found.selection.filter_name,
        reference=indices[found.reference],
        title=f"{found.selection.metric}, filter {found.selection.filter_name}",
        rows=tuple(_axes_row(each, found, indices) for each in placements),
        contrasts=tuple(contrasts),
        cautions=(*found.cautions, *interval_cautions(found), *unknown_audits(table, found.selection)),
        symbols=symbols_in_words(found),
        constants=constants_in_words(found),
    )


def _axes_row(each: Placement, found: Sweep, indices: Indices) -> AxesRow:
    return AxesRow(
        system=indices[each.system],
        is_reference=each.is_reference,
        verdict=each.label,
        verdict_words=verdict_in_words(each, found.constants),
        possible=() if each.verdict is None else each.verdict.possible,
        **_axis("p", each.harmless),
        **_axis("c", each.control),
        **_axis("f", each.identical),
        **_axis("b", each.drift),
        b_zeros=0 if each.drift is None else each.drift.n_zero,
        n_pairs=each.harmless.counts.n_pairs,
        n_erased=each.harmless.counts.n_erased,
        n_unscored=each.harmless.counts.n_unscored,
        ratio=number(harmless_over_control(each, found)),
        silent_share=number(each.silent_share),
        reasons=() if each.verdict is None else each.verdict.reasons,
        drift_message=each.drift_message or None,
    )


def _axis(symbol: str, axis: Axis | None) -> dict[str, Any]:
    if axis is None:
        absent = "The reference has no drift from itself."
        return {symbol: None, **_ends(symbol, None, None), f"{symbol}_n": 0, f"{symbol}_reason": absent}
    mean = axis.mean
    return {
        symbol: number(mean.estimate),
        **_ends(symbol, number(mean.lower), number(mean.upper)),
        f"{symbol}_n": mean.n,
        f"{symbol}_reason": mean.reason,
    }


def _ends(symbol: str, lower: float | None, upper: float | None) -> dict[str, float | None]:
    return {f"{symbol}_lower": lower, f"{symbol}_upper": upper}


def _axes_contrast(contrast: AxisContrast, system: int | None, constants: Constants) -> AxesContrastRow:
    bounds = contrast.bounds
    return AxesContrastRow(
        system=system,
        name=contrast.name,
        formula=contrast.formula,
        estimate=number(bounds.estimate),
        lower=number(bounds.lower),
        upper=number(bounds.upper),
        n=bounds.n,
        sign=SIGNS[contrast.sign],
        words=contrast_in_words(contrast, constants),
        reason=bounds.reason,
    )


# ---- heatmap and windows


def heatmap_page(found: Heatmap, indices: Indices) -> HeatmapPage:
    """Edit by system."""
    edits = [edit for _, edit in found.edits]
    cells = sorted(
        (_heatmap_cell(each, indices) for each in found.cells),
        key=lambda cell: (edits.index(cell.edit), cell.system),
    )
    return HeatmapPage(
        metric=found.metric,
        filter_name=found.filter_name,
        edits=found.edits,
        cells={(each.edit, each.system): each for each in cells},
        cautions=found.cautions,
    )


def _heatmap_cell(each: HeatmapCell, indices: Indices) -> HeatmapCellRow:
    return HeatmapCellRow(
        rung=each.rung,
        edit=each.edit,
        system=indices[each.system],
        mean=number(each.interval.estimate),
        lower=number(each.interval.lower),
        upper=number(each.interval.upper),
        n_given=each.n_given,
        n_scored=each.counts.n_pairs,
        n_erased=each.counts.n_erased,
        n_unscored=each.counts.n_unscored,
        reason=each.interval.reason,
    )


def window_rows(profiles: Sequence[Profile], table: pa.Table, indices: Indices) -> Iterable[WindowRow]:
    """Means by window, of one filter and rung set.

    Args:
        profiles: one per system.
        table: from `load_pairs`.
        indices: of the systems.
    """
    for profile in sorted(profiles, key=lambda each: indices[each.system]):
        whole = profile.points[-1].selection
        dominated: tuple[int | None, ...] = ()
        if whole.filter_name == "raw":
            windows = [point.selection.window for point in profile.points]
            dominated = dominated_windows(outputs_of(table, whole, profile.system), windows)
        for point in profile.points:
            yield WindowRow(
                system=indices[profile.system],
                filter_name=point.selection.filter_name,
                window=point.selection.window,
                mean=number(point.interval.estimate),
                lower=number(point.interval.lower),
                upper=number(point.interval.upper),
                n_prompts=point.counts.n_prompts,
                n_pairs=point.counts.n_pairs,
                n_erased=point.counts.n_erased,
                n_unscored=point.counts.n_unscored,
                reason=point.interval.reason,
                scaffold_dominates=point.selection.window in dominated,
            )
