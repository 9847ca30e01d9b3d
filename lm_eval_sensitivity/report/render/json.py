"""A document as JSON."""

from __future__ import annotations

import json

from lm_eval_sensitivity.report.blocks import Document
from lm_eval_sensitivity.text.format import to_json


def as_json(document: Document) -> str:
    """A document for programs.

    Returns:
        JSON: `title`, `tables` (by name, one object per row), `text`, and all data without rounding; a missing number
        is null.
    """
    tables = {
        table.name: [
            {column.name: cell for column, cell in zip(table.columns, row, strict=True)} for row in table.rows
        ]
        for table in document.tables_in("json")
    }
    text = document.text_in("json")
    content = {"title": document.title, "tables": tables, "text": text, **document.data}
    dumped = json.dumps(to_json(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Nothing that a terminal would obey, nor half a character.
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in dumped)
