"""Open a results folder: strangers' data, checked before anything of it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.results.manifest import read_manifest
from lm_eval_sensitivity.results.records import (
    AxesPage,
    ClusterPage,
    HeatmapPage,
    HubOrigin,
    LadderPair,
    Manifest,
    PairDetail,
    PairLine,
    SelectionKey,
    SystemRecord,
    WindowRow,
)
from lm_eval_sensitivity.results.summaries import Summaries, read_summaries
from lm_eval_sensitivity.results.system_files import Details, read_pairs
from lm_eval_sensitivity.text.escape import one_line, shown, shown_path

NO_REFERENCE = "No reference was given when these results were exported, so that drift is not defined."

Key = TypeVar("Key")
Page = TypeVar("Page")


def open_results(folder: Path, origin: HubOrigin | None = None) -> Results:
    """Open and check a results folder.

    The manifest and all small tables are read and compared with their checksums now; pairs and details of a
    system when they are first asked for.

    Args:
        folder: written by `lm-eval-sensitivity export`, by whoever.
        origin: where it was fetched from, for a page to say so; None for a folder of this machine.

    Raises:
        InputError: missing, damaged, hostile or of another format; one sentence names file and field.

    Example:
        >>> try:
        ...     open_results(Path("no_such_results"))
        ... except ValueError as error:
        ...     print(error)
        Results folder `no_such_results` does not exist. Give a folder that `lm-eval-sensitivity export` wrote.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(
            f"Results folder `{shown_path(folder)}` {problem}. Give a folder that `lm-eval-sensitivity export` wrote."
        )
    try:
        manifest = read_manifest(folder)
        return Results(folder, manifest, read_summaries(folder, manifest), origin)
    except InputError as error:
        raise InputError(one_line(error)) from None


def check_results(folder: Path) -> Results:
    """Open a results folder and read every file, every row and every array of it now.

    Raises:
        InputError: as `open_results`.
    """
    results = open_results(folder)
    for system in results.systems:
        results.check(system.index)
    return results


class Results:
    """A results folder, checked; safe to read from several threads. See `open_results`."""

    def __init__(
        self, folder: Path, manifest: Manifest, summaries: Summaries, origin: HubOrigin | None = None
    ) -> None:
        self.manifest = manifest
        self.origin = origin
        """The dataset and the commit that the folder was fetched from; None for a folder of this machine."""
        self.axes_missing = NO_REFERENCE if manifest.reference is None else None
        """Why there are no axes; None where there are."""
        self._folder = folder
        self._summaries = summaries
        self._pairs: dict[int, pa.Table] = {}
        self._details: dict[int, Details] = {}
        self._lock = RLock()

    @property
    def systems(self) -> tuple[SystemRecord, ...]:
        """In alphabetical order, capitals among small letters; `systems[i].index` is i."""
        return self.manifest.systems

    def selections(self) -> tuple[SelectionKey, ...]:
        """The selections that have clusters."""
        return tuple(self._summaries.clusters)

    def clusters(self, key: SelectionKey) -> ClusterPage:
        """Clusters of one selection.

        Raises:
            InputError: it was not exported.
        """
        return _exported(self._summaries.clusters, key, "clusters")

    def axes_keys(self) -> tuple[tuple[str, str], ...]:
        """(metric, filter) of the axes that were exported."""
        return tuple(self._summaries.axes)

    def axes(self, metric: str, filter_name: str) -> AxesPage | None:
        """Two axes; None where there is no reference, as `axes_missing` says.

        Raises:
            InputError: other axes were exported, and not these.
        """
        if self.manifest.reference is None:
            return None
        return _exported(self._summaries.axes, (metric, filter_name), "axes")

    def heatmap_keys(self) -> tuple[tuple[str, str], ...]:
        """(metric, filter) of the heatmaps that were exported."""
        return tuple(self._summaries.heatmaps)

    def heatmap(self, metric: str, filter_name: str) -> HeatmapPage:
        """Edit by system.

        Raises:
            InputError: it was not exported.
        """
        return _exported(self._summaries.heatmaps, (metric, filter_name), "a heatmap")

    def window_rung_sets(self) -> tuple[str, ...]:
        """Rung sets that `windows` has."""
        return tuple(self._summaries.windows)

    def windows(self, rung_set: str) -> tuple[WindowRow, ...]:
        """Means by window; by filter, system and window, the whole text last.

        Raises:
            InputError: they were not exported.
        """
        return _exported(self._summaries.windows, rung_set, "windows")

    def ladder_pairs(self) -> tuple[LadderPair, ...]:
        """Every pair that was asked, by rung (mildest first), edit and prompt."""
        return tuple(self._summaries.ladder.values())

    def ladder_pair(self, pair_id: str) -> LadderPair:
        """One pair of the ladder.

        Raises:
            InputError: there is no such pair.
        """
        found = self._summaries.ladder.get(pair_id)
        if found is None:
            raise InputError(
                f"There is no pair {shown(pair_id)} in these results. Choose one of their pairs."
            )
        return found

    def pairs(self, system: int) -> pa.Table:
        """The pairs table of one system, with the columns of `runs.columns.SCHEMA`; cached.

        Raises:
            InputError: no such system, or a damaged file.
        """
        record = self._system(system)
        with self._lock:
            if system not in self._pairs:
                self._pairs[system] = read_pairs(self._folder, self.manifest, record, self._summaries.ladder)
            return self._pairs[system]

    def pairs_of_cell(self, system: int, edit: str, metric: str, filter_name: str) -> tuple[PairLine, ...]:
        """The pairs of one edit and system, by prompt; none where the system was not run on the edit.

        Raises:
            InputError: no such system, metric or filter.
        """
        for what, received, accepted in (
            ("metric", metric, tuple(METRICS)),
            ("filter", filter_name, FILTERS),
        ):
            if received not in accepted:
                raise InputError(
                    f"There is no {what} {shown(received)}; there are {', '.join(accepted)}."
                    f"{did_you_mean(received[:80], accepted)}"
                )
        table = self.pairs(system)
        rows = table.filter(pc.and_(pc.equal(table["edit"], edit), pc.equal(table["filter"], filter_name)))
        names = (
            *("pair_id", "prompt_id", "category", metric, f"missing_{metric}", "audit_status"),
            "first_divergence",
        )
        lines = (
            PairLine(
                pair_id, prompt_id, category, value, missing, status, None if step is None else int(step)
            )
            for pair_id, prompt_id, category, value, missing, status, step in zip(
                *(rows[name].to_pylist() for name in names), strict=True
            )
        )
        return tuple(sorted(lines, key=lambda line: (line.prompt_id, line.pair_id)))

    def detail(self, system: int, pair_id: str) -> PairDetail:
        """Outputs, spans, margins and curves of one pair; one row group is read for it.

        Raises:
            InputError: no such system or pair, or a damaged file.
        """
        with self._lock:
            return self._details_of(system).read(pair_id)

    def check(self, system: int) -> None:
        """Read what is otherwise read when it is first asked for; one row group of details is in memory at a time.

        Raises:
            InputError: a damaged file.
        """
        with self._lock:
            self._details_of(system).check()

    def _details_of(self, system: int) -> Details:
        record = self._system(system)
        if system not in self._details:
            pair_ids = set(self.pairs(system)["pair_id"].to_pylist())
            self._details[system] = Details(self._folder, self.manifest, record, pair_ids)
        return self._details[system]

    def _system(self, system: int) -> SystemRecord:
        if not 0 <= system < len(self.systems):
            raise InputError(f"There is no system {system}; there are systems 0 to {len(self.systems) - 1}.")
        return self.systems[system]


def _exported(pages: Mapping[Key, Page], key: Key, what: str) -> Page:
    if key not in pages:
        raise InputError(
            f"These results hold no {what.removeprefix('a ')} of {shown(str(key))}. Choose another."
        )
    return pages[key]
