"""Showing results: documents in four forms, figures, and the self-contained page.

document.py   tables and paragraphs as records; terminal, Markdown, CSV, JSON
cluster_words.py, drift_words.py   the sentences beside clusters and axes
figures/      one file per figure, and how all of them look
page.py       the HTML page around figures and tables; page.html, page.css
"""

from __future__ import annotations

from lm_eval_sensitivity.report.blocks import FORMATS, Column, Document, Format, ResultTable, render

__all__ = ["FORMATS", "Column", "Document", "Format", "ResultTable", "render"]
