"""The page of a report: every statement about some runs, with its figures, in one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import VIEWS, title_of
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.report.blocks import (
    Block,
    Card,
    Column,
    Folded,
    Part,
    ResultTable,
    Section,
    table_of,
)
from lm_eval_sensitivity.report.documents.clusters import clusters_document
from lm_eval_sensitivity.report.documents.drift import drift_document
from lm_eval_sensitivity.report.documents.flips import flips_document, statements_of
from lm_eval_sensitivity.report.documents.glance import card_of, glance_table
from lm_eval_sensitivity.report.documents.parts import runs_in_words
from lm_eval_sensitivity.report.figures import (
    Drawn,
    NotDrawn,
    Picture,
    clusters,
    disagreement,
    heatmap,
    profiles,
    render,
    traces,
    two_axes,
)
from lm_eval_sensitivity.report.render.html import as_page
from lm_eval_sensitivity.report.wording.finding import finding_in_words
from lm_eval_sensitivity.runs import Runs, System
from lm_eval_sensitivity.runs.beside import read_answers
from lm_eval_sensitivity.statements import Selection, Signature, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import Drift, measure_drifts
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import rung_profiles, window_profiles
from lm_eval_sensitivity.statements.records import ClustersStatement, DriftStatement
from lm_eval_sensitivity.statements.selection import primary_metric
from lm_eval_sensitivity.statements.summary import summary_statement
from lm_eval_sensitivity.statements.traces import Traces, read_traces
from lm_eval_sensitivity.types import Note, NoteKind

PAGE = "index.html"
FIGURES = (
    clusters.NAME,
    two_axes.NAME,
    profiles.RUNGS,
    heatmap.NAME,
    profiles.WINDOWS,
    disagreement.NAME,
    traces.PATHS,
    traces.MARGINS,
)
"""File names without endings, in the order of the page."""

_ELSEWHERE: tuple[NoteKind, ...] = ("remark", "left_out", "signature")
"""Sentences of a document that have their own place on the page."""


@dataclass(frozen=True)
class Further:
    """A section that others bring: their figures are drawn here."""

    title: str
    short: str
    parts: tuple[Picture | Part, ...]


def report_files(
    pairs: Runs,
    reference: System | None,
    signed: Signature,
    embedder: str | None,
    further: Sequence[Further] = (),
) -> dict[str, bytes]:
    """The page and its figures as files, by name.

    Args:
        pairs: the runs.
        reference: one of their systems, for the two axes.
        signed: seed, resamples and draws are taken from it.
        embedder: of the runs, where drift is recomputed and it is not the default one.
        further: sections of others.

    Returns:
        `index.html`, and of every figure that could be drawn an `.svg` and a `.png`.

    Raises:
        InputError: a samples file has changed since it was loaded, or is damaged.
    """
    partition = TablePartition(pairs.table, signed.resamples, signed.seed, signed.weights)
    selection = Selection(primary_metric(pairs.table.column_names))
    # By name, so that the order in which folders were given changes nothing.
    systems = sorted(pairs.systems, key=lambda system: system.name)
    with progress("Computing", 6 + len(systems), "table") as bar:
        apart = _clusters(partition, selection, signed.draws)
        bar.update()
        drifts = {} if reference is None else measure_drifts(pairs, reference, selection, embedder)
        axes = None if reference is None else _drift(partition, selection, reference, drifts)
        bar.update()
        found = [
            summary_statement(
                partition, system.name, reference=None if reference is None else reference.name, drifts=drifts
            )
            for system in systems
        ]
        bar.update()
        along = rung_profiles(partition, selection.metric, selection.filter_name)
        bar.update()
        windows = (window_profiles(partition, name, selection.rung_set) for name in ("raw", "answer"))
        by_window = profiles.windows_picture(*windows)
        bar.update()
        edits = heatmap_statement(partition, selection.metric, selection.filter_name)
        bar.update()
        read = []
        for system in systems:
            read.append(_traces(pairs, system))
            bar.update()
    pictures = (
        NotDrawn(clusters.NAME, clusters.TITLE, apart) if isinstance(apart, str) else clusters.picture(apart),
        two_axes.picture(axes),
        profiles.rungs_picture(along),
        heatmap.picture(edits),
        by_window,
        disagreement.picture(pairs.table),
        traces.paths_picture(read),
        traces.margins_picture(read),
    )
    brought = [part for each in further for part in each.parts if isinstance(part, Picture)]
    drawn = _draw((*pictures, *brought), signed)
    first: Card | ResultTable
    first = card_of(found[0], systems[0]) if len(systems) == 1 else glance_table(found, systems)
    answers, pairs = read_answers(pairs)
    if answers:
        said = flips_document(statements_of(answers)).parts
        if signed.is_of_answers and isinstance(said[0], ResultTable):  # the scores are what is read first
            first, said = said[0], said[1:]
        further = (Further("What edits do to the answers of the task", "Answers", said), *further)
    sections = [Section(each.title, tuple(_drawn_parts(each, drawn)), each.short) for each in further]
    files = {PAGE: _page(pairs, apart, axes, first, drawn, sections, signed).encode()}
    for each in drawn.values():
        if isinstance(each, Drawn):
            files |= {f"{each.picture.name}.svg": each.svg, f"{each.picture.name}.png": each.png}
    return files


def _traces(pairs: Runs, system: System) -> Traces:
    if system.rungs[0].metadata.wrapped is None:
        return read_traces(pairs.table, system)
    return Traces(system.name, None, None, "of a wrapped task answers are kept, and no margins.")


def _clusters(partition: TablePartition, selection: Selection, draws: int) -> ClustersStatement | str:
    try:
        return clusters_statement(partition, selection, draws=draws)
    except InputError as error:
        # Runs of other rungs only still have figures of these rungs.
        return str(error)


def _drift(
    partition: TablePartition, selection: Selection, reference: System, drifts: Mapping[str, Drift]
) -> DriftStatement:
    return drift_statement(partition, partition.systems, selection, reference=reference.name, drifts=drifts)


def _draw(pictures: Sequence[Picture | NotDrawn], signed: Signature) -> dict[str, Drawn | NotDrawn]:
    drawn: dict[str, Drawn | NotDrawn] = {}
    for picture in progress("Drawing", len(pictures), "figure", iterable=pictures):
        is_drawn = not isinstance(picture, NotDrawn)
        drawn[picture.name] = render(picture, signed.in_words()) if is_drawn else picture
    return drawn


def _drawn_parts(section: Further, drawn: Mapping[str, Drawn | NotDrawn]) -> Iterator[Part]:
    """The parts of a section, details folded at its end."""
    parts = [
        drawn[part.name] if isinstance(part, Picture) else part
        for part in section.parts
        if not isinstance(part, ResultTable) or "markdown" in part.only
    ]
    yield from (part for part in parts if not (isinstance(part, ResultTable) and part.is_detail))
    if details := tuple(part for part in parts if isinstance(part, ResultTable) and part.is_detail):
        yield Folded("Details", details)


def _page(
    pairs: Runs,
    apart: ClustersStatement | str,
    axes: DriftStatement | None,
    first: Card | ResultTable,
    drawn: dict[str, Drawn | NotDrawn],
    further: Sequence[Section],
    signed: Signature,
) -> str:
    n_systems = len(pairs.systems)
    n_prompts = len(set(pairs.table["prompt_id"].to_pylist()))
    introduction = [
        "How far the output of a language model moves when its prompt barely does: "
        f"{n_systems} system{'s' if n_systems > 1 else ''}, {n_prompts} prompts, ladder "
        f"{signed.ladder_version} {signed.subset}.",
        *([] if isinstance(apart, str) or isinstance(first, Card) else [_sentence(apart)]),
    ]
    views = {
        profiles.RUNGS: "rungs",
        heatmap.NAME: "heatmap",
        profiles.WINDOWS: "length",
        disagreement.NAME: "disagreement",
        traces.PATHS: "token_paths",
        traces.MARGINS: "margins",
    }
    if signed.is_of_answers:  # which have no length and no tokens
        views = {name: views[name] for name in (profiles.RUNGS, heatmap.NAME)}
    tested = () if isinstance(apart, str) else clusters_document([apart], pairs, signed, pairwise=False).parts
    sections = [_section("clusters", drawn[clusters.NAME], *_own_parts(tested))]
    if axes is not None:
        sections.append(
            _section("drift", drawn[two_axes.NAME], *_own_parts(drift_document(axes, pairs, signed).parts))
        )
    sections += [*(_section(view, drawn[name]) for name, view in views.items()), *further]
    left_out: list[Part] = [*([] if axes is not None else [drawn[two_axes.NAME]]), *runs_in_words(pairs)]
    sections += [
        Section("What was left out, and remarks", tuple(left_out) or ("Nothing was left out.",), "Left out"),
        Section("Systems", (_systems(pairs),)),
    ]
    return as_page(
        "Prompt sensitivity report", introduction, first, sections, METHOD, f"{signed.in_words()}."
    )


def _sentence(found: ClustersStatement) -> str:
    return " ".join(note.text for note in finding_in_words(found))


METHOD = (
    "The prompt is the unit: every mean is over prompts, and every interval is of 95 % over prompts: by half points "
    "where the metric has a largest value (differences: corner points), else by the bootstrap-t. Systems stand in the "
    "order of letters.",
)


def _section(view: str, *parts: Part) -> Section:
    return Section(title_of(view), parts, VIEWS[view].title)


def _own_parts(parts: Iterable[Block]) -> Iterator[Part]:
    """The parts of a document; what stands on the page anyway is left out, and details are folded."""
    shown = [
        part
        for part in parts
        if isinstance(part, str)
        or (part.kind not in _ELSEWHERE if isinstance(part, Note) else "markdown" in part.only)
    ]
    details = [part for part in shown if isinstance(part, ResultTable) and part.is_detail]
    yield from (part for part in shown if part not in details)
    if details:
        yield Folded("Every contrast behind these statements", tuple(details))


def _systems(pairs: Runs) -> ResultTable:
    columns = (
        Column("system", path="name"),
        Column("fingerprint"),
        Column("pairs run", 0, "n_pairs"),
        Column("pairs of the ladder", 0, "n_expected"),
    )
    note = (
        "Equal fingerprints, equal systems: weights, precision, template, decoding, whatever changes outputs."
    )
    systems = sorted(pairs.systems, key=lambda system: system.name)
    return table_of("systems", "Systems of this report", columns, systems, [note])
