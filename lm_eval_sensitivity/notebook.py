"""The package in a notebook: runs, and statements about them, each as text, HTML, a frame or a figure.

Loaded by `import lm_eval_sensitivity as les` when it is first used; docs/python.md has examples.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.report.blocks import Document
from lm_eval_sensitivity.report.documents.clusters import clusters_document
from lm_eval_sensitivity.report.documents.compare import compare_document
from lm_eval_sensitivity.report.documents.drift import drift_document
from lm_eval_sensitivity.report.documents.flips import SystemAnswers, flips_document, statements_of
from lm_eval_sensitivity.report.documents.pairs import pairs_document
from lm_eval_sensitivity.report.documents.summary import summary_document
from lm_eval_sensitivity.report.figures import clusters as clusters_figure
from lm_eval_sensitivity.report.figures import two_axes
from lm_eval_sensitivity.report.figures.style import NotDrawn, Picture, figure_of
from lm_eval_sensitivity.report.render import render
from lm_eval_sensitivity.report.render.html import as_html
from lm_eval_sensitivity.runs import Runs, System, load_runs
from lm_eval_sensitivity.runs.beside import folders_beside, read_answers, system_of
from lm_eval_sensitivity.runs.texts import with_texts
from lm_eval_sensitivity.statements import Selection, Signature, TablePartition
from lm_eval_sensitivity.statements.clusters import ALPHA, check_metric, clusters_statement
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import check_drift_metric, measure_drifts
from lm_eval_sensitivity.statements.records import ClustersStatement, ComparisonStatement, DriftStatement
from lm_eval_sensitivity.statements.selection import (
    PRIMARY_FILTER,
    PRIMARY_METRIC,
    PRIMARY_RUNGS,
    WEIGHTS,
    Weights,
    primary_metric,
)
from lm_eval_sensitivity.statements.signature import signature
from lm_eval_sensitivity.statements.summary import SummaryStatement
from lm_eval_sensitivity.stats import DRAWS, RESAMPLES, Constants
from lm_eval_sensitivity.stats.equivalence import MARGIN_SHARE
from lm_eval_sensitivity.stats.intervals import FEWEST_RESAMPLES, MOST_RESAMPLES
from lm_eval_sensitivity.text.escape import shown

if TYPE_CHECKING:
    import pandas

    from lm_eval_sensitivity.report.figures.style import Figure

_WIDTH = 120
"""Columns of a finding that is printed."""


@dataclass(frozen=True)
class Finding:
    """What was found, to be printed, shown in a notebook, or worked on."""

    statement: (
        ClustersStatement
        | ComparisonStatement
        | DriftStatement
        | tuple[SummaryStatement, ...]
        | tuple[SystemAnswers, ...]
        | None
    )
    """The numbers as records, one of each system in a summary; None where only contents are shown."""
    document: Document
    """The same as tables and sentences."""
    picture: Picture | NotDrawn | None = None

    def to_frame(self, table: str | None = None) -> pandas.DataFrame:
        """One of its tables as a data frame.

        Args:
            table: its name, as in CSV; None takes the first.

        Returns:
            The table with all digits; a missing number is NaN.

        Raises:
            InputError: there is no such table.
        """
        import pandas

        tables = {each.name: each for each in self.document.tables_in("csv")}
        name = next(iter(tables)) if table is None else table
        if name not in tables:
            raise InputError(
                f"`to_frame({name[:60]!r})`: there is no such table; there are {', '.join(map(repr, tables))}."
                f"{did_you_mean(name[:60], tuple(tables))}"
            )
        found = tables[name]
        return pandas.DataFrame(list(found.rows), columns=[column.name for column in found.columns])

    def plot(self) -> Figure:
        """Its figure, to be shown or saved: `finding.plot().savefig("clusters.png")`.

        Returns:
            A matplotlib figure that belongs to no window.

        Raises:
            InputError: it has none, or matplotlib is not installed.
        """
        if not isinstance(self.picture, Picture):
            reason = "Clusters and drift have a figure." if self.picture is None else self.picture.reason
            raise InputError(f"There is no figure of {self.document.title!r}. {reason}")
        return figure_of(self.picture)

    def __str__(self) -> str:
        return render(self.document, "table", width=_WIDTH)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.document)


@dataclass(frozen=True, eq=False)
class LoadedRuns:
    """Runs that were read and checked."""

    runs: Runs
    folders: tuple[Path, ...]

    @property
    def systems(self) -> tuple[System, ...]:
        """In the order of the folders."""
        return self.runs.systems

    def contents(self) -> Finding:
        """What was loaded: counts per system and filter, remarks, and what was left out with its reason.

        Returns:
            A finding without statement or figure.
        """
        return Finding(None, pairs_document(self.runs))

    def pairs(self, text: bool = False) -> pa.Table:
        """One row per system, pair and filter.

        Args:
            text: base and variant, and what the filter shows of both outputs, beside the numbers.

        Returns:
            An Arrow table whose fields carry their `description`; `missing_<metric>` says why a number is null.
        """
        return with_texts(self.runs.table, self.runs.systems) if text else self.runs.table

    def to_pandas(self, text: bool = False) -> pandas.DataFrame:
        """The same as `pairs`, as a data frame.

        Args:
            text: as for `pairs`.

        Returns:
            One row per system, pair and filter; a missing number is NaN.
        """
        return self.pairs(text).to_pandas()

    def __str__(self) -> str:
        return str(self.contents())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(pairs_document(self.runs))


OPTIONS = ("subset", "ladder", "exclude_mismatched", "labels", "row")
"""Of every function here that takes runs: which are read, and how strictly."""
RunsOrFolders = LoadedRuns | str | Path | Sequence[str | Path]
"""Loaded already, or a folder, or several."""


def load(runs: RunsOrFolders, **options: Any) -> LoadedRuns:
    """Read finished runs.

    Args:
        runs: a folder that was `--output_path` of lm_eval with `--log_samples`, or several.
        **options: `subset`, `ladder`, `exclude_mismatched`, `labels`, `row`: see `runs.load_runs`.

    Returns:
        The runs. In a notebook they show what is in them.

    Raises:
        InputError: nothing to load, a broken file, or runs that cannot be compared.

    Example:
        >>> import lm_eval_sensitivity as les
        >>> try:
        ...     les.load("runs/no_such_folder")
        ... except ValueError as error:
        ...     print(error)
        Run folder `runs/no_such_folder` does not exist. Give the folder that was `--output_path`.
    """
    if isinstance(runs, LoadedRuns):
        return runs
    given = [runs] if isinstance(runs, (str, Path)) else runs
    if not isinstance(given, Sequence) or not all(
        isinstance(each, (str, Path)) and str(each) for each in given
    ):
        raise InputError(
            f"`runs` is {shown(runs)}; accepted are the folder that was `--output_path`, as a text or a path, a list "
            "of them, or what `load` gave."
        )
    unknown = set(options) - set(OPTIONS)
    if unknown:
        name = min(unknown)
        raise InputError(
            f"`{name}` is no option of runs.{did_you_mean(name, OPTIONS)} Accepted: {', '.join(OPTIONS)}."
        )
    folders = tuple(map(Path, given))
    return LoadedRuns(load_runs(folders, **options), folders)


def from_results(results: Mapping[str, Any]) -> LoadedRuns:
    """Runs from memory.

    Args:
        results: what `lm_eval.simple_evaluate(..., log_samples=True)` returned.

    Returns:
        The runs, as `load` would read them from the folder that the command line writes.

    Raises:
        InputError: there are no samples of a prompt_sensitivity task in them.
    """
    from lm_eval_sensitivity.harness.in_memory import save_results

    folder = Path(tempfile.mkdtemp(prefix="lm_eval_sensitivity_"))
    try:
        save_results(results, folder)
        loaded = load(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # The files are read again for texts and for drift; they stay as long as the runs.
    weakref.finalize(loaded, shutil.rmtree, folder, ignore_errors=True)
    return loaded


def summary(
    runs: RunsOrFolders,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    weights: Weights = "rung",
    **options: Any,
) -> Finding:
    """What a run printed last, of each system; the numbers of `lm-eval-sensitivity show`.

    Args:
        runs: loaded, or their folders.
        seed: of resamples.
        resamples: of each interval.
        weights: `rung` or `edit`: what has the same weight in the mean of a prompt.
        **options: of `load`.

    Returns:
        A `SummaryStatement` of each system in its forms; of wrapped tasks a `SystemAnswers`, as `flips` prints it.

    Raises:
        InputError: nothing to load, or an option is not accepted.
    """
    _check_options(weights, seed=seed, resamples=resamples)
    read, loaded = read_answers(load(runs, **options).runs)
    answers, signed = statements_of(read), _signed(loaded, seed, resamples, 0, weights)
    if signed.is_of_answers:
        return Finding(tuple(answers), flips_document(answers))
    partition = TablePartition(loaded.table, resamples, seed, weights)
    document = summary_document(partition, loaded, signed, answers, every_row=False, width=_WIDTH)
    return Finding((*document.data["summaries"], *answers), document)


def clusters(
    runs: RunsOrFolders,
    *,
    metric: str | None = None,
    filter: str = PRIMARY_FILTER,
    rungs: str = PRIMARY_RUNGS,
    alpha: float = ALPHA,
    seed: int = 0,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    weights: Weights = "rung",
    **options: Any,
) -> Finding:
    """Which systems the data can tell apart, and which not; the numbers of `lm-eval-sensitivity clusters`.

    Args:
        runs: loaded, or their folders.
        metric: column of the pairs table; None takes that of the runs, `answer_flip` for wrapped tasks.
        filter: `raw` or `answer`.
        rungs: one of `statements.RUNG_SETS`.
        alpha: family-wise error.
        seed: of resamples and sign draws.
        resamples: of each interval.
        draws: of signs, above 14 prompts.
        weights: `rung` or `edit`: what has the same weight in the mean of a prompt.
        **options: of `load`.

    Returns:
        A `ClustersStatement` in its forms.

    Raises:
        InputError: no system has a pair in the selection, or an option is not accepted.
    """
    selection = _selection(metric, filter, rungs)
    _check_options(weights, seed=seed, resamples=resamples, draws=draws)
    if not isinstance(alpha, float) or not 0 < alpha < 1:
        raise InputError(
            f"`alpha` is {shown(alpha)}; accepted is a share between 0 and 1, as in `alpha=0.05`."
        )
    check_metric(selection.metric)
    loaded = load(runs, **options).runs
    selection = _in_metric_of(selection, metric, loaded)
    partition = TablePartition(loaded.table, resamples, seed, weights)
    found = clusters_statement(partition, selection, alpha=alpha, draws=draws)
    signed = _signed(loaded, seed, resamples, draws, weights)
    return Finding(
        found, clusters_document([found], loaded, signed, pairwise=True), clusters_figure.picture(found)
    )


def compare(
    first: str | Path,
    second: str | Path,
    *,
    metric: str | None = None,
    filter: str = PRIMARY_FILTER,
    rungs: str = PRIMARY_RUNGS,
    margin: float = MARGIN_SHARE,
    seed: int = 0,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    weights: Weights = "rung",
    **options: Any,
) -> Finding:
    """Two systems by prompt, on the pairs that are scored in both; the numbers of `lm-eval-sensitivity compare`.

    Args:
        first: folder of one system; its mean sets the margin.
        second: folder of the other one. Differences are second minus first.
        metric: column of the pairs table; None takes that of the runs, `answer_flip` for wrapped tasks.
        filter: `raw` or `answer`.
        rungs: one of `statements.RUNG_SETS`.
        margin: share of the first system's mean within which systems count as equal.
        seed: of resamples and sign draws.
        resamples: of each interval.
        draws: of signs, above 14 prompts.
        weights: `rung` or `edit`: what has the same weight in the mean of a prompt.
        **options: of `load`.

    Returns:
        A `ComparisonStatement` in its forms.

    Raises:
        InputError: a folder does not hold one system of its own, or an option is not accepted.
    """
    selection = _selection(metric, filter, rungs)
    _check_options(weights, seed=seed, resamples=resamples, draws=draws)
    if not isinstance(margin, (int, float)) or not 0 < margin < math.inf:
        raise InputError(f"`margin` is {shown(margin)}; accepted is a share above 0, as in `margin=0.25`.")
    loaded = load([first, second], **options).runs
    selection = _in_metric_of(selection, metric, loaded)
    ours, theirs = (system_of(loaded, Path(folder)).name for folder in (first, second))
    partition = TablePartition(loaded.table, resamples, seed, weights)
    found = comparison_statement(partition, ours, theirs, selection, margin_share=margin, draws=draws)
    return Finding(found, compare_document(found, loaded, _signed(loaded, seed, resamples, draws, weights)))


def drift(
    runs: RunsOrFolders,
    *,
    reference: str | Path | None = None,
    metric: str | None = None,
    filter: str = PRIMARY_FILTER,
    embedder: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    constants: Constants | None = None,
    weights: Weights = "rung",
    **options: Any,
) -> Finding:
    """Systems on two axes, with a verdict; the numbers of `lm-eval-sensitivity drift`.

    Args:
        runs: loaded, or their folders.
        reference: folder of the run that the others are compared with.
        metric: `cosine_distance` or a window of it; None takes that of the runs.
        filter: `raw` or `answer`.
        embedder: of the runs, where drift is recomputed and it is not the default one.
        seed: of resamples.
        resamples: of each interval.
        constants: of the rules; None takes the declared ones.
        weights: `rung` or `edit`: what has the same weight in the mean of a prompt.
        **options: of `load`.

    Returns:
        A `DriftStatement` in its forms.

    Raises:
        InputError: the reference holds no system of its own, or an option is not accepted.
    """
    selection = _selection(metric, filter)
    _check_options(weights, seed=seed, resamples=resamples)
    check_drift_metric(selection)
    loaded = load(runs, **options)
    beside = None if reference is None else Path(reference)
    if beside is not None and beside not in loaded.folders:
        loaded = load(folders_beside(loaded.folders, beside), **options)
    selection = _in_metric_of(selection, metric, loaded.runs)
    theirs = None if beside is None else system_of(loaded.runs, beside)
    found = drift_statement(
        TablePartition(loaded.runs.table, resamples, seed, weights),
        [system.name for system in sorted(loaded.systems, key=lambda system: system is not theirs)],
        selection,
        reference=None if theirs is None else theirs.name,
        drifts={} if theirs is None else measure_drifts(loaded.runs, theirs, selection, embedder),
        constants=constants,
    )
    document = drift_document(found, loaded.runs, _signed(loaded.runs, seed, resamples, 0, weights))
    return Finding(found, document, two_axes.picture(found))


def _selection(metric: str | None, filter: str, rungs: str = PRIMARY_RUNGS) -> Selection:
    metric = PRIMARY_METRIC if metric is None else metric
    for name, value in (("metric", metric), ("filter", filter), ("rungs", rungs)):
        if not isinstance(value, str):
            raise InputError(f"`{name}` is {shown(value)}; accepted is a name, as in `{name}='...'`.")
    return Selection(metric, filter, rungs)


def _in_metric_of(selection: Selection, metric: str | None, runs: Runs) -> Selection:
    return (
        selection
        if metric is not None
        else replace(selection, metric=primary_metric(runs.table.column_names))
    )


def _check_options(weights: Weights, **numbers: int) -> None:
    """The doors of what argparse would have refused."""
    if weights not in WEIGHTS:
        raise InputError(f"`weights` is {shown(weights)}; accepted are {', '.join(WEIGHTS)}.")
    for name, value in numbers.items():
        least, most = (0, 2**63) if name == "seed" else (FEWEST_RESAMPLES, MOST_RESAMPLES)
        if type(value) is not int or not least <= value <= most:
            raise InputError(
                f"`{name}` is {shown(value)}; accepted is a whole number from {least} to {most}."
            )


def _signed(runs: Runs, seed: int, resamples: int, draws: int, weights: Weights) -> Signature:
    return signature(runs, seed=seed, resamples=resamples, draws=draws, weights=weights)
