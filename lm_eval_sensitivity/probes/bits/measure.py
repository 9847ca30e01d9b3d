"""Runs and models -> finding. Drift and verdicts are those of `drift`; what needs the models is measured here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path as FilePath

import numpy as np

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics.margins import low_margin_density
from lm_eval_sensitivity.probes.bits.finding import BitsFinding, Text, Width, from_nats
from lm_eval_sensitivity.probes.bits.floors import dynamic_floor, static_floor, usable_check
from lm_eval_sensitivity.probes.bits.series import Series
from lm_eval_sensitivity.probes.bits.settings import BitsSettings
from lm_eval_sensitivity.probes.bits.static import Floats, beside, sizes, surprise, weight_error, windows_of
from lm_eval_sensitivity.probes.numbers import mean
from lm_eval_sensitivity.probes.outputs import RunOutputs, outputs_of
from lm_eval_sensitivity.probes.replay import Path, Replay
from lm_eval_sensitivity.probes.result import Measured
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import measure_drifts
from lm_eval_sensitivity.statements.records import DriftStatement
from lm_eval_sensitivity.statements.responsiveness import OUTPUT_SPREAD, responds
from lm_eval_sensitivity.stats import Constants, Interval, mean_interval
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.text.escape import one_line, shown_path
from lm_eval_sensitivity.types import Note

THIN = 0.5
"""Nats: B(0.5) of the probe boundary."""
MOST_TEXT = 10 * 2**20
"""Bytes."""


def measure(
    series: Series, replay: Replay, outputs: RunOutputs, settings: BitsSettings
) -> Measured[BitsFinding]:
    """Both checks of every width, and their floors.

    Args:
        series: the runs.
        replay: of the reference.
        outputs: of the reference.
        settings: what was asked for.

    Raises:
        InputError: a text that cannot be read.
    """
    text = _text(settings.text)
    windows = windows_of(replay.tokenizer, text.decode("utf-8", "replace"))
    partition = TablePartition(series.runs.table, settings.resamples, settings.seed)
    drift = _drift(series, partition, settings)
    static = _Static(series, replay, outputs, windows, settings)
    reference, *widths = (
        _width(static, partition, settings.filter, system) for system in _ordered(series, drift)
    )
    check = usable_check(reference, widths)
    judged = responds(partition, settings.filter, series.reference.name)
    finding = BitsFinding(
        check=check,
        static_floor=static_floor(widths, check, settings.tolerance),
        dynamic_floor=dynamic_floor(
            [each.bits or 0 for each in widths],
            drift.systems[1:],
            judged is not None and judged.label == LIFELESS,
        ),
        reference=reference,
        widths=tuple(widths),
        text=Text(
            hashlib.sha256(text).hexdigest(), len(windows), sum(len(each.output_ids) for each in windows)
        ),
        **dict(zip(("n_rounded", "n_weights"), sizes(replay), strict=True)),
        drift=drift,
    )
    return Measured(finding, notes=(*drift.cautions, *_missing(widths)))


def _text(path: str) -> bytes:
    """The text of the package, or a user's."""
    if not path:
        return files("lm_eval_sensitivity.probes.bits").joinpath("text.txt").read_bytes()
    try:
        found = FilePath(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"`--text {shown_path(FilePath(path))}` cannot be read ({error.strerror}). Give a text file."
        ) from None
    if len(found) > MOST_TEXT:
        raise InputError(
            f"`--text {shown_path(FilePath(path))}` has {len(found):,} bytes; accepted are at most {MOST_TEXT:,}."
        )
    return found


def _ordered(series: Series, drift: DriftStatement) -> Sequence[System]:
    """The systems as the statement has them."""
    by_name = {each.name: each for each in series.runs.systems}
    return [by_name[each.system] for each in drift.systems]


def _drift(series: Series, partition: TablePartition, settings: BitsSettings) -> DriftStatement:
    selection = Selection(filter_name=settings.filter)
    drifts = measure_drifts(series.runs, series.reference, selection, settings.embedder or None)
    return drift_statement(
        partition,
        sorted(series.bits, key=lambda name: -series.bits[name]),
        selection,
        reference=series.reference.name,
        drifts=drifts,
        constants=Constants(drift_factor=settings.drift_factor),
    )


def _width(static: _Static, partition: TablePartition, filter_name: str, system: System) -> Width:
    """All of one system that `drift` does not have."""
    measured = static.of(system)
    return Width(
        bits=static.series.bits.get(system.name),
        system=system.name,
        weight_error=measured.weight_error,
        perplexity=from_nats(float(measured.surprise.mean())) if len(measured.surprise) else math.nan,
        rise=static.interval(measured.surprise - static.surprise) if len(measured.surprise) else None,
        divergence=static.interval(measured.divergence) if len(measured.divergence) else None,
        disagreement=static.interval(measured.disagreement, 1.0) if len(measured.disagreement) else None,
        missing=measured.missing,
        spread=mean(_spread(partition, filter_name, system.name).values()),
        thin_share=_thin_share(outputs_of(system)),
    )


def _spread(partition: TablePartition, filter_name: str, system: str) -> Mapping[str, float]:
    columns = (partition.column(name) for name in ("name", "filter", "prompt_id", OUTPUT_SPREAD))
    return {
        prompt: value
        for name, kind, prompt, value in zip(*columns, strict=True)
        if (name, kind) == (system, filter_name) and value is not None
    }


def _thin_share(outputs: RunOutputs) -> float:
    margins = (each.margins for each in outputs.bases.values())
    return mean(low_margin_density(each, (THIN,))[0] for each in margins if each is not None)


def _none() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class _Measured:
    """What needs the model of a system; empty where it is missing."""

    weight_error: float = math.nan
    surprise: Floats = field(default_factory=_none)
    """[window]"""
    divergence: Floats = field(default_factory=_none)
    """[prompt]"""
    disagreement: Floats = field(default_factory=_none)
    """[prompt]"""
    missing: str = ""


class _Static:
    """The reference in memory, and one width after the other beside it."""

    def __init__(
        self,
        series: Series,
        replay: Replay,
        outputs: RunOutputs,
        windows: Sequence[Path],
        settings: BitsSettings,
    ) -> None:
        self.series = series
        self._replay = replay
        self._windows = windows
        self._settings = settings
        self._paths = [Path.of(each) for each in outputs.bases.values()]
        self.surprise = surprise(replay, windows)
        """[window] of the reference."""

    def of(self, system: System) -> _Measured:
        """One system; a model that cannot be loaded costs its static numbers only."""
        if system is self.series.reference:
            none = np.zeros(len(self._paths))
            return _Measured(0.0, self.surprise, none, none)
        try:
            other = self.series.load(system)
        except InputError as error:
            return _Measured(missing=one_line(error))
        if other.tokenizer.get_vocab() != self._replay.tokenizer.get_vocab():
            return _Measured(missing="it has another tokenizer than the reference")
        moved = weight_error(self._replay, other)
        return _Measured(
            math.nan if moved is None else moved,
            surprise(other, self._windows),
            *beside(self._replay, other, self._paths),
            ""
            if moved is not None
            else "its linear layers are packed or others, so that nobody sees their error",
        )

    def interval(self, values: Floats, largest: float | None = None) -> Interval:
        """Over windows or prompts."""
        settings = self._settings
        return mean_interval(values, largest=largest, resamples=settings.resamples, seed=settings.seed)


def _missing(widths: Sequence[Width]) -> list[Note]:
    return [
        Note("caution", f"{each.system}: {each.missing}.", (each.system,)) for each in widths if each.missing
    ]
