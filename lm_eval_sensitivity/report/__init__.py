"""Showing results: statements as documents of typed blocks, documents in every form, figures, the page.

blocks.py     tables, sentences and documents as records
documents/    one per statement, and the page of a report
wording/      the sentences about statements
marks.py      shape and colors of every verdict      plane.py      the two axes      shades.py  colors of a heatmap
labels.py     names beside marks                   windows.py    lengths of output that say something
figures/      one file per figure, and how all of them look
render/       terminal, Markdown, CSV, JSON, HTML (with page.html and page.css)
"""

from __future__ import annotations

from lm_eval_sensitivity.report.blocks import (
    FORMATS,
    GATE_FORMATS,
    Column,
    Document,
    Format,
    GateFormat,
    ResultTable,
    table_of,
)
from lm_eval_sensitivity.report.render import render

__all__ = [
    "FORMATS",
    "GATE_FORMATS",
    "Column",
    "Document",
    "Format",
    "GateFormat",
    "ResultTable",
    "render",
    "table_of",
]
