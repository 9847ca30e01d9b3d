"""Analyses as the records of a results folder: the same numbers and sentences, systems by their index."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

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
from lm_eval_sensitivity.statements.records import (
    ClustersStatement,
    DriftStatement,
    HeatmapCell,
    HeatmapStatement,
    ProfilesStatement,
    SystemDrift,
    SystemMean,
    SystemRow,
    TestedContrast,
)
from lm_eval_sensitivity.stats import AxisContrast, Constants
from lm_eval_sensitivity.types import Note

Indices = Mapping[str, int]
"""Index of a system by its display name."""


def number(value: float | None) -> float | None:
    """A number, or None where there is none.

    Example:
        >>> number(0.5), number(math.nan), number(None)
        (0.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None


def texts(notes: Iterable[Note]) -> tuple[str, ...]:
    """Their sentences alone."""
    return tuple(note.text for note in notes)


# ---- clusters


def cluster_page(found: ClustersStatement, indices: Indices) -> ClusterPage:
    """Everything that is said of one selection."""
    selection = found.selection
    return ClusterPage(
        key=SelectionKey(selection.metric, selection.filter_name, selection.rung_set),
        title=selection.in_words(),
        rows=tuple(sorted((_cluster_row(each, indices) for each in found.systems), key=_place)),
        contrasts=tuple(sorted((_contrast_row(each, indices) for each in found.contrasts), key=_places)),
        cautions=texts(found.cautions),
        words=ClusterWords(
            reasons=texts(reasons_in_words(found.systems)),
            clusters=texts(clusters_in_words(found)),
            family=next(iter(texts(family_in_words(found))), None),
            detectable=next(iter(texts(detectable_in_words(found))), None),
        ),
    )


def _place(row: ClusterRow) -> int:
    """Rows stand in alphabetical order, as the systems of the manifest."""
    return row.system


def _places(row: ContrastRow) -> tuple[int, ...]:
    """Which of the two is first stays as it is in the sentences about the contrast."""
    return tuple(sorted((row.first, row.second)))


def _cluster_row(each: SystemRow, indices: Indices) -> ClusterRow:
    return ClusterRow(
        system=indices[each.system],
        mean=number(each.mean.estimate),
        lower=number(each.mean.lower),
        upper=number(each.mean.upper),
        interval_method=each.mean.method,
        reason=each.mean.reason,
        n_prompts=each.counts.n_prompts,
        n_pairs=each.counts.n_pairs,
        n_erased=each.counts.n_erased,
        n_unscored=each.counts.n_unscored,
        noise_floor=number(each.noise.estimate),
        noise_prompts=each.noise.n,
        noise_reason=each.noise.reason if math.isnan(each.noise.estimate) else None,
        letters=each.letters,
        alive=each.responsiveness,
    )


def _contrast_row(each: TestedContrast, indices: Indices) -> ContrastRow:
    return ContrastRow(
        first=indices[each.first],
        second=indices[each.second],
        difference=number(each.difference.estimate),
        lower=number(each.difference.lower),
        upper=number(each.difference.upper),
        p_adjusted=number(each.p_adjusted),
        attainable_p=each.attainable_p,
        n_prompts=each.counts.n_prompts,
        n_pairs=each.counts.n_pairs,
        n_lost=each.n_pairs_lost,
        finding=each.finding,
        reason=each.reason or each.difference.reason,
        caution=str(each.caution) if each.caution else None,
    )


# ---- axes


def axes_page(found: DriftStatement, indices: Indices) -> AxesPage:
    """Two axes of all systems.

    Args:
        found: beside a reference.
        indices: of the systems.
    """
    assert found.reference is not None
    placements = sorted(found.systems, key=lambda each: indices[each.system])
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
        cautions=texts((*found.cautions, *interval_cautions(found))),
        symbols=str(symbols_in_words(found)),
        constants=str(constants_in_words(found)),
    )


def _axes_row(each: SystemDrift, found: DriftStatement, indices: Indices) -> AxesRow:
    return AxesRow(
        system=indices[each.system],
        is_reference=each.is_reference,
        verdict=each.label,
        verdict_words=None if each.is_reference else str(verdict_in_words(each, found.constants)),
        possible=() if each.verdict is None else each.verdict.possible,
        **_axis("p", each.preserving),
        **_axis("c", each.control),
        **_axis("f", each.identical),
        **_axis("b", each.drift),
        b_zeros=0 if each.drift is None else each.drift.n_zero,
        n_pairs=each.preserving.counts.n_pairs,
        n_erased=each.preserving.counts.n_erased,
        n_unscored=each.preserving.counts.n_unscored,
        ratio=number(harmless_over_control(each, found)),
        silent_share=number(each.silent_share),
        reasons=() if each.verdict is None else each.verdict.reasons,
        drift_message=each.drift_message or None,
    )


def _axis(symbol: str, axis: SystemMean | None) -> dict[str, Any]:
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


def heatmap_page(found: HeatmapStatement, indices: Indices) -> HeatmapPage:
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
        cautions=texts(found.cautions),
    )


def _heatmap_cell(each: HeatmapCell, indices: Indices) -> HeatmapCellRow:
    return HeatmapCellRow(
        rung=each.rung,
        edit=each.edit,
        system=indices[each.system],
        mean=number(each.mean.estimate),
        lower=number(each.mean.lower),
        upper=number(each.mean.upper),
        n_given=each.n_given,
        n_scored=each.counts.n_pairs,
        n_erased=each.counts.n_erased,
        n_unscored=each.counts.n_unscored,
        reason=each.mean.reason,
    )


def window_rows(found: ProfilesStatement, indices: Indices) -> Iterable[WindowRow]:
    """Means by window, of one filter and rung set.

    Args:
        found: of all systems.
        indices: of the systems.
    """
    for point in sorted(found.points, key=lambda each: indices[each.system]):
        yield WindowRow(
            system=indices[point.system],
            filter_name=point.selection.filter_name,
            window=point.selection.window,
            mean=number(point.mean.estimate),
            lower=number(point.mean.lower),
            upper=number(point.mean.upper),
            n_prompts=point.counts.n_prompts,
            n_pairs=point.counts.n_pairs,
            n_erased=point.counts.n_erased,
            n_unscored=point.counts.n_unscored,
            reason=point.mean.reason,
            scaffold_dominates=point.scaffold_dominates,
        )
