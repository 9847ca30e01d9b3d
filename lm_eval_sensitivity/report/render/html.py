"""One HTML page that needs nothing but itself: no script, no address of another place, figures inside.

A policy in the page forbids everything else, too. All texts are escaped here; names of systems come from
strangers' files.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib import resources
from string import Template

from lm_eval_sensitivity.report.blocks import (
    Document,
    Folded,
    Part,
    ResultTable,
    Section,
    Verbatim,
    in_words,
    shown,
)
from lm_eval_sensitivity.report.figures.style import Drawn, NotDrawn, page_rules
from lm_eval_sensitivity.report.wording import NOT_TO_CONCLUDE


def as_page(title: str, introduction: Iterable[str], sections: Iterable[Section], signature: str) -> str:
    """The whole page.

    Args:
        title: of the report.
        introduction: paragraphs at the top; what not to conclude follows them.
        sections: in reading order.
        signature: what all numbers were computed from, in words.

    Returns:
        HTML that is a whole file: styles are in it, nothing is loaded, and every text is escaped.

    Example:
        >>> from lm_eval_sensitivity.report.blocks import Section
        >>> page = as_page("A report", ["Of <m>."], [Section("Means", ("None.",))], "made by hand")
        >>> "<p>Of &lt;m&gt;.</p>" in page, "<script" in page
        (True, False)
    """
    named = [(f"part-{number}", section) for number, section in enumerate(sections, 1)]
    warning = "".join(f"<p>{escape(text)}</p>\n" for text in NOT_TO_CONCLUDE)
    contents = [("not-to-conclude", "What not to conclude"), *((name, each.title) for name, each in named)]
    return Template(_resource("page.html")).substitute(
        title=escape(title),
        style=f"{_resource('page.css')}{page_rules()}\n",
        introduction="\n".join(f"<p>{escape(text)}</p>" for text in introduction),
        contents="\n".join(f'<li><a href="#{name}">{escape(words)}</a></li>' for name, words in contents),
        sections="\n".join(
            [
                '<section id="not-to-conclude" class="warning">\n<h2>What not to conclude</h2>\n'
                f"{warning}</section>",
                *(_section(name, section, signature) for name, section in named),
            ]
        ),
        signature=escape(signature),
    )


def _resource(name: str) -> str:
    return resources.files("lm_eval_sensitivity.report").joinpath(name).read_text(encoding="utf-8")


def _section(name: str, section: Section, signature: str) -> str:
    parts = "\n".join(_part(part, signature) for part in section.parts)
    return f'<section id="{name}">\n<h2>{escape(section.title)}</h2>\n{parts}\n</section>'


def _part(part: Part, signature: str) -> str:
    if isinstance(part, Drawn):
        return _figure(part, signature)
    if isinstance(part, NotDrawn):
        return f'<p class="missing">No figure “{escape(part.title)}”. {escape(part.reason)}</p>'
    if isinstance(part, ResultTable):
        return _table(part)
    if isinstance(part, Folded):
        inner = "\n".join(_part(each, signature) for each in part.parts)
        return f"<details>\n<summary>{escape(part.title)}</summary>\n{inner}\n</details>"
    if isinstance(part, Verbatim):
        title = f"<p>{escape(part.title)}:</p>\n" if part.title else ""
        return f"{title}<pre>{escape(part.text)}</pre>"
    return f"<p>{escape(in_words(part))}</p>"


def as_html(document: Document) -> str:
    """A document as a piece of a page: its title, tables that scroll by themselves, and sentences.

    Returns:
        HTML under an `<h2>`, every text escaped.

    Example:
        >>> print(as_html(Document("Of <m>", ("A note.",))))
        <h2>Of &lt;m&gt;</h2>
        <p>A note.</p>
        <BLANKLINE>
    """
    parts = "\n".join(_part(part, "") for part in document.parts_in("markdown"))
    return f"<h2>{escape(document.title)}</h2>\n{parts}\n"


def _wide(label: str, content: str) -> str:
    """What may be wider than the screen scrolls by itself, with the keyboard, too."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">\n{content}\n</div>'


def _figure(drawn: Drawn, signature: str) -> str:
    picture, caption = drawn.picture, drawn.picture.caption
    return (
        f'<figure id="{picture.name}">\n{_wide(picture.title, drawn.inline)}\n<figcaption>\n'
        f"<p><strong>{escape(picture.title)}.</strong> {escape(caption.shows)}</p>\n"
        f"<p><strong>n:</strong> {escape(caption.n)}</p>\n"
        f"<p><strong>What could fake it:</strong> {escape(caption.could_fake)}</p>\n"
        f'<p class="signature">Signature: {escape(signature)} Files: {picture.name}.svg, {picture.name}.png.</p>\n'
        "</figcaption>\n</figure>"
    )


def _table(table: ResultTable) -> str:
    numbers = [column.is_number for column in table.columns]
    head = "".join(
        _cell("th", column.name, is_number, "col")
        for column, is_number in zip(table.columns, numbers, strict=True)
    )
    rows = []
    for row in table.rows:
        texts = [shown(value, column) for value, column in zip(row, table.columns, strict=True)]
        # The first cell names its row.
        cells = [
            _cell("th", texts[0], numbers[0], "row"),
            *map(_cell, ["td"] * len(row), texts[1:], numbers[1:]),
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    content = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    note = f"\n<p><small>{escape(table.note)}</small></p>" if table.note else ""
    return f"<h3>{escape(table.title)}</h3>\n{_wide(table.title, content)}{note}"


def _cell(tag: str, text: str, is_number: bool, scope: str = "") -> str:
    look = (' class="number"' if is_number else "") + (f' scope="{scope}"' if scope else "")
    return f"<{tag}{look}>{escape(text)}</{tag}>"
