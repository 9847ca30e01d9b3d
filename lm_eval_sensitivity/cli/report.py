"""`lm-eval-sensitivity report`: one page with figures and tables, and the figures as files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import add_run_options, add_statistics_options, load_runs
from lm_eval_sensitivity.cli.chosen_runs import system_of
from lm_eval_sensitivity.cli.clusters import clusters_document
from lm_eval_sensitivity.cli.drift import drift_document
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report import Column, Document, ResultTable
from lm_eval_sensitivity.report.documents.parts import runs_in_words
from lm_eval_sensitivity.report.figures import (
    Drawn,
    Missing,
    Picture,
    check_matplotlib,
    clusters,
    disagreement,
    heatmap,
    profiles,
    render,
    traces,
    two_axes,
)
from lm_eval_sensitivity.report.page import Folded, Part, Section, make_page
from lm_eval_sensitivity.runs import Pairs, System
from lm_eval_sensitivity.statements import Selection, Signature, signature
from lm_eval_sensitivity.statements.clusters import ClusterAnalysis, analyse_clusters
from lm_eval_sensitivity.statements.drift import Sweep, sweep
from lm_eval_sensitivity.statements.drift_distance import measure_drifts
from lm_eval_sensitivity.statements.heatmap import make_heatmap
from lm_eval_sensitivity.statements.profiles import rung_profiles, window_profiles
from lm_eval_sensitivity.statements.traces import read_traces

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

EPILOG = """\
examples:
  lm-eval-sensitivity report runs/qwen3-4b runs/qwen3-4b-int8 runs/qwen3-4b-int4 -o report/
  lm-eval-sensitivity report runs/* --reference runs/qwen3-4b -o report/

The page is index.html: one file that works without a network and can be sent alone. Beside it every figure stands as
SVG and PNG. Figures need an extra: pip install "lm-eval-sensitivity[report]"."""


@dataclass(frozen=True)
class _Findings:
    """Everything that the page shows, computed."""

    clusters: ClusterAnalysis | str
    """The sentence that says why not, where no system has a pair."""
    sweep: Sweep | None
    pictures: dict[str, Picture | Missing]


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "report",
        help="make one HTML page with figures and tables of finished runs",
        description="Make one self-contained HTML page of finished runs: figures, tables, and what not to conclude.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder that was --output_path")
    parser.add_argument("--output", "-o", type=Path, required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument(
        "--reference", type=Path, metavar="RUN", help="the run that drift is measured from; adds the two axes"
    )
    parser.add_argument(
        "--embedder",
        metavar="NAME",
        help="folder or Hub id of the embedder of the runs, where drift is recomputed and it is not the default one",
    )
    add_run_options(parser)
    add_statistics_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, compute, draw, write; the files are named on stdout."""
    check_matplotlib()
    _check_folder(options.output)
    pairs, reference = _load(options)
    findings = _compute(pairs, reference, options)
    signed = signature(pairs, seed=options.seed, resamples=options.resamples, draws=options.draws)
    drawn = _draw(findings.pictures, signed)
    files = {PAGE: _page(pairs, findings, drawn, signed).encode()}
    for each in drawn.values():
        if isinstance(each, Drawn):
            files |= {f"{each.picture.name}.svg": each.svg, f"{each.picture.name}.png": each.png}
    _write(options.output, files)
    print(f"{options.output / PAGE}: {_count(drawn)} figures, {len(pairs.systems)} systems")
    return 0


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"`--output {folder}` is a file. Give a folder.")


def _load(options: argparse.Namespace) -> tuple[Pairs, System | None]:
    folder = options.reference
    # The reference may stand among the runs, too; it is loaded once.
    others = [each for each in options.runs if folder is None or each.resolve() != folder.resolve()]
    pairs = load_runs([*([] if folder is None else [folder]), *others], options)
    if folder is None:
        return pairs, None
    if len(pairs.systems) == 1:
        raise InputError(
            "The reference is the only system. Give a run of at least one other to compare with it."
        )
    return pairs, system_of(pairs, folder)


def _compute(pairs: Pairs, reference: System | None, options: argparse.Namespace) -> _Findings:
    from tqdm import tqdm

    table, selection = pairs.table, Selection()
    resampling = {"resamples": options.resamples, "seed": options.seed}
    # By name, so that the order in which folders were given changes nothing.
    systems = sorted(pairs.systems, key=lambda system: system.name)
    with tqdm(total=5 + len(systems), desc="Computing", delay=2, disable=None, file=sys.stderr) as bar:
        found = _analyse(table, selection, options)
        bar.update()
        placed = _place(pairs, reference, selection, options)
        bar.update()
        along = rung_profiles(table, selection.metric, selection.filter_name, **resampling)
        bar.update()
        windows = (
            window_profiles(table, "raw", selection.rung_set, **resampling),
            window_profiles(table, "answer", selection.rung_set, **resampling),
        )
        bar.update()
        edits = make_heatmap(table, selection.metric, selection.filter_name, **resampling)
        bar.update()
        read = []
        for system in systems:
            read.append(read_traces(table, system))
            bar.update()
    pictures = (
        Missing(clusters.NAME, clusters.TITLE, found) if isinstance(found, str) else clusters.picture(found),
        two_axes.picture(placed),
        profiles.rungs_picture(along),
        heatmap.picture(edits),
        profiles.windows_picture(*windows),
        disagreement.picture(table),
        traces.paths_picture(read),
        traces.margins_picture(read),
    )
    return _Findings(found, placed, {picture.name: picture for picture in pictures})


def _analyse(table: Any, selection: Selection, options: argparse.Namespace) -> ClusterAnalysis | str:
    try:
        return analyse_clusters(
            table, selection, resamples=options.resamples, draws=options.draws, seed=options.seed
        )
    except InputError as error:
        # Runs of other rungs only still have figures of these rungs.
        return str(error)


def _place(
    pairs: Pairs, reference: System | None, selection: Selection, options: argparse.Namespace
) -> Sweep | None:
    if reference is None:
        return None
    return sweep(
        pairs.table,
        sorted(system.name for system in pairs.systems),
        selection,
        reference=reference.name,
        drifts=measure_drifts(pairs, reference, selection, options.embedder),
        resamples=options.resamples,
        seed=options.seed,
    )


def _draw(pictures: dict[str, Picture | Missing], signed: Signature) -> dict[str, Drawn | Missing]:
    from tqdm import tqdm

    drawn: dict[str, Drawn | Missing] = {}
    for name in tqdm(FIGURES, desc="Drawing", delay=2, disable=None, file=sys.stderr):
        picture = pictures[name]
        drawn[name] = picture if isinstance(picture, Missing) else render(picture, signed.in_words())
    return drawn


def _count(drawn: dict[str, Drawn | Missing]) -> int:
    return sum(isinstance(each, Drawn) for each in drawn.values())


# ---- the page


def _page(pairs: Pairs, findings: _Findings, drawn: dict[str, Drawn | Missing], signed: Signature) -> str:
    n_systems = len(pairs.systems)
    introduction = [
        "How far the output of a language model moves when its prompt barely does: "
        f"{n_systems} system{'s' if n_systems > 1 else ''}, {_prompts(pairs)} prompts, ladder "
        f"{signed.ladder_version} {signed.subset}.",
        "The prompt is the unit: every mean is over prompts, and every interval is a 95 % bootstrap-t over prompts, or "
        "Student's t where so many prompts have one number that the bootstrap-t has no bound. "
        "Systems stand in the order of letters.",
    ]
    titles = {
        profiles.RUNGS: "Along the ladder",
        heatmap.NAME: "Every edit",
        profiles.WINDOWS: "By length of the output",
        disagreement.NAME: "Do the metrics agree?",
        traces.PATHS: "Token by token",
        traces.MARGINS: "Where outputs part",
    }
    sections = [
        Section("Who can be told apart", (drawn[clusters.NAME], *_cluster_parts(pairs, findings, signed))),
        Section(
            "Two axes beside a reference", (drawn[two_axes.NAME], *_drift_parts(pairs, findings, signed))
        ),
        *(Section(title, (drawn[name],)) for name, title in titles.items()),
        Section("What was left out, and remarks", tuple(runs_in_words(pairs)) or ("Nothing was left out.",)),
        Section("Systems", (_systems(pairs),)),
    ]
    return make_page("Prompt sensitivity report", introduction, sections, f"{signed.in_words()}.")


def _prompts(pairs: Pairs) -> int:
    return len(set(pairs.table["prompt_id"].to_pylist()))


def _cluster_parts(pairs: Pairs, findings: _Findings, signed: Signature) -> Iterator[Part]:
    if isinstance(findings.clusters, str):
        return
    document = clusters_document([findings.clusters], pairs, signed, pairwise=False)
    yield from _own_parts(document, pairs, folded=lambda part: "table" not in part.only)


def _drift_parts(pairs: Pairs, findings: _Findings, signed: Signature) -> Iterator[Part]:
    if findings.sweep is None:
        return
    document = drift_document(findings.sweep, pairs, signed)
    yield from _own_parts(
        document, pairs, folded=lambda part: part.name.startswith(("contrasts of ", "probe"))
    )


def _own_parts(document: Document, pairs: Pairs, *, folded: Callable[[ResultTable], bool]) -> Iterator[Part]:
    """The parts of one document; what stands on the page anyway is left out, and details are folded."""
    elsewhere = {*runs_in_words(pairs)}
    details: list[ResultTable | str] = []
    for part in document.parts_in("markdown"):
        if isinstance(part, ResultTable) and folded(part):
            details.append(part)
        elif not (isinstance(part, str) and (part in elsewhere or part.startswith("Signature: "))):
            yield part
    if details:
        yield Folded("Every contrast behind these statements", tuple(details))


def _systems(pairs: Pairs) -> ResultTable:
    rows = tuple(
        (
            system.name,
            system.fingerprint,
            system.n_pairs,
            system.n_expected,
        )
        for system in sorted(pairs.systems, key=lambda system: system.name)
    )
    columns = (
        Column("system"),
        Column("fingerprint"),
        Column("pairs run", 0),
        Column("pairs of the ladder", 0),
    )
    note = (
        "Equal fingerprints, equal systems: weights, precision, template, decoding, whatever changes outputs."
    )
    return ResultTable("systems", "Systems of this report", columns, rows, note)


# ---- files


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files, and remove figures of an earlier report that this one does not have."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        for name in FIGURES:
            for ending in ("svg", "png"):
                if f"{name}.{ending}" not in files:
                    (folder / f"{name}.{ending}").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"`--output {folder}` cannot be written ({error.strerror}). Choose another folder."
        ) from None
