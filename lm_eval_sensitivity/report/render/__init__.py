"""Documents in their forms: one file each for terminal, Markdown, CSV, JSON and HTML.

comment.py   A document as a comment on a pull request
csv.py       A document as comma-separated values
html.py      One HTML page that needs nothing but itself: no script, no address of another place
json.py      A document as JSON
junit.py     A document as JUnit XML
markdown.py  A document in Markdown
terminal.py  A document on a terminal
"""

from __future__ import annotations

from lm_eval_sensitivity.report.blocks import Document, Format, GateFormat
from lm_eval_sensitivity.report.render.comment import as_comment
from lm_eval_sensitivity.report.render.csv import as_csv
from lm_eval_sensitivity.report.render.json import as_json
from lm_eval_sensitivity.report.render.junit import as_junit
from lm_eval_sensitivity.report.render.markdown import as_markdown
from lm_eval_sensitivity.report.render.terminal import as_terminal


def render(document: Document, form: Format | GateFormat, *, width: int | None = None) -> str:
    """A document in one of its forms.

    Args:
        document: what to show. Its texts may come from strangers' files and must be inert already.
        form: `table` for a terminal, `markdown`, `csv` (every table, each with its name in the first
            column, and last a table `text` of paragraphs and notes), or `json`; of a document with a gate also `junit`
            and `comment`.
        width: columns of the terminal; None where nothing may wrap, as in a file.

    Returns:
        The text, with a final newline; a missing number is `-` in print, empty in CSV and null in JSON.

    Example:
        >>> from lm_eval_sensitivity.report import Column, ResultTable
        >>> table = ResultTable("means", "Means", (Column("system"), Column("mean", 3)), (("m", 0.12345),))
        >>> print(render(Document("Example", (table, "A note.")), "markdown"))
        # Example
        <BLANKLINE>
        ## Means
        <BLANKLINE>
        | system | mean |
        |---|---:|
        | m | 0.123 |
        <BLANKLINE>
        A note.
        <BLANKLINE>
    """
    if form == "table":
        return as_terminal(document, width)
    if form in ("junit", "comment"):
        assert document.gate is not None, "commands offer these forms where there is one"
        return (as_junit if form == "junit" else as_comment)(document.title, document.gate)
    return {"markdown": as_markdown, "csv": as_csv, "json": as_json}[form](document)
