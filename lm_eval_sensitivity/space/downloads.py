"""What the views show as files: the documents of the commands, in their own forms."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial

from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.report.blocks import COUNTS, MEAN, Column, Document, Format, table_of
from lm_eval_sensitivity.report.documents.clusters import clusters_document
from lm_eval_sensitivity.report.documents.drift import drift_document
from lm_eval_sensitivity.report.documents.flips import flips_document
from lm_eval_sensitivity.report.documents.heatmap import heatmap_document
from lm_eval_sensitivity.report.documents.parts import closing, run_data
from lm_eval_sensitivity.report.render import render
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.space.query import DEFAULTS
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.types import Note

MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_WINDOWS = (
    Column("system"),
    *(Column(name, path=f"selection.{name}") for name in ("metric", "filter_name", "rung_set")),
    *MEAN,
    *COUNTS,
    Column("mostly scaffold", path="scaffold_dominates"),
    Column("reason", path="mean.reason"),
)


def documents(results: Results) -> dict[str, Callable[[], Document]]:
    """What there is to download.

    Args:
        results: from `open_results`.

    Returns:
        By the name of its files, what makes the document; what the results do not hold is left out.
    """
    found, signed = results.statements, results.manifest.signature
    runs = runs_of(results)
    made: dict[str, Callable[[], Document]] = {}
    if found.answers:
        made["answers"] = lambda: flips_document(found.answers)
    if found.clusters:
        made["clusters"] = lambda: clusters_document(found.clusters, runs, signed, pairwise=False)
    for each in found.drift:
        made[f"drift_{each.selection.filter_name}"] = partial(drift_document, each, runs, signed)
    if found.heatmaps:
        made["heatmap"] = lambda: heatmap_document(found.heatmaps, runs, signed)
    if found.windows:
        rows = [row for points in results.windows.values() for row in points]
        table = table_of("windows", "Mean distance by length of the output", _WINDOWS, rows)
        data = {"windows": found.windows, **run_data(runs, signed)}
        made["windows"] = lambda: Document("By length", (table, *closing(runs, signed)), data)
    return made


def make_download(results: Results, name: object) -> dict[str, str] | None:
    """A file for a browser.

    Args:
        results: from `open_results`.
        name: as a browser sent it, such as `clusters.csv`; it is compared, and never used as a path.

    Returns:
        `name`, `media_type` and the content as `base64`; None for a name that the page does not offer.
    """
    for table, document in documents(results).items():
        for form in MEDIA_TYPES:
            if name == f"{table}.{form}":
                return _file(name, document(), form)
    return None


def make_table(view: View, address: Mapping[str, str], table: object) -> dict[str, str] | None:
    """One table of a view, as the command writes it.

    Args:
        view: that the reader looks at.
        address: of it.
        table: the first word of the table's name, as a browser sent it; it is compared, and never used as a path.

    Returns:
        As `make_download`, in CSV; None where the view has no such table.
    """
    document = view.document() if view.document else None
    for each in document.tables_in("csv") if document else ():
        kind = each.name.split()[0]
        if kind == table:
            name = f"{address.get('view', DEFAULTS['view'])}_{kind}.csv"
            return _file(name, Document(document.title if document else "", (each,)), "csv")
    return None


def runs_of(results: Results) -> Runs:
    """What a document says of the runs that were exported."""
    remarks = tuple(Note("remark", each) for each in results.manifest.remarks)
    return Runs((), SCHEMA.empty_table(), results.manifest.left_out, remarks)


def _file(name: str, document: Document, form: Format) -> dict[str, str]:
    # Spreadsheets read UTF-8 as something else without a byte order mark.
    encoding = "utf-8-sig" if form == "csv" else "utf-8"
    content = render(document, form).encode(encoding, errors="backslashreplace")
    return {
        "name": name,
        "media_type": MEDIA_TYPES[form],
        "base64": base64.b64encode(content).decode(),
    }
