"""A document as comma-separated values."""

from __future__ import annotations

import csv
import io
import math

from lm_eval_sensitivity.report.blocks import Cell, Document


def as_csv(document: Document) -> str:
    """A document for spreadsheets and programs.

    Returns:
        All tables below each other with an empty line between, each with its name in the first column, and last the
        sentences.

    Example:
        >>> from lm_eval_sensitivity.report.blocks import Column, ResultTable
        >>> table = ResultTable("means", "Means", (Column("system"), Column("mean", 3)), (("m", 0.12345),))
        >>> print(as_csv(Document("Example", (table, "A note."))))
        table,system,mean
        means,m,0.12345
        <BLANKLINE>
        table,text
        text,Example
        text,A note.
        <BLANKLINE>
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for table in document.tables_in("csv"):
        writer.writerow(["table", *(csv_cell(column.name) for column in table.columns)])
        writer.writerows([csv_cell(table.name), *(csv_cell(cell) for cell in row)] for row in table.rows)
        stream.write("\n")
    writer.writerow(["table", "text"])
    writer.writerows(["text", csv_cell(text)] for text in (document.title, *document.text_in("csv")))
    return stream.getvalue()


def csv_cell(cell: Cell) -> Cell:
    """A cell that a spreadsheet does not run.

    Returns:
        The cell as it is; empty where a number is missing; a text that looks like a formula gets a quote in front.

    Example:
        >>> csv_cell("=1+1"), csv_cell(float("nan")), csv_cell(0.5)
        ("'=1+1", '', 0.5)
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return cell
