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
    Card,
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


def as_page(
    title: str,
    introduction: Iterable[str],
    first: Card | ResultTable,
    sections: Iterable[Section],
    method: Iterable[str],
    signature: str,
) -> str:
    """The whole page.

    Args:
        title: of the report.
        introduction: paragraphs at the top.
        first: what is said before everything else: one system at a glance, or a row of each.
        sections: in reading order.
        method: paragraphs on how the numbers are made, folded below them beside what not to conclude.
        signature: what all numbers were computed from, in words.

    Returns:
        HTML that is a whole file: styles are in it, nothing is loaded, and every text is escaped.

    Example:
        >>> from lm_eval_sensitivity.report.blocks import Section
        >>> table, sections = ResultTable("t", "T", (), ()), [Section("Means", ("None.",))]
        >>> page = as_page("A report", ["Of <m>."], table, sections, [], "made by hand")
        >>> "<p>Of &lt;m&gt;.</p>" in page, "<script" in page
        (True, False)
    """
    named = [(f"part-{number}", section) for number, section in enumerate(sections, 1)]
    last = (
        ("method", "How the numbers are made", method),
        ("not-to-conclude", "What not to conclude", NOT_TO_CONCLUDE),
    )
    contents = [(name, each.short or each.title) for name, each in named]
    contents += [(name, words) for name, words, _ in last]
    return Template(_resource("page.html")).substitute(
        title=escape(title),
        style=f"{_resource('page.css')}{page_rules()}\n",
        introduction=_paragraphs(introduction),
        first=_card(first) if isinstance(first, Card) else _table(first),
        contents="\n".join(f'<li><a href="#{name}">{escape(words)}</a></li>' for name, words in contents),
        sections="\n".join(_section(name, section) for name, section in named),
        last="\n".join(
            f'<details id="{name}">\n<summary>{escape(words)}</summary>\n{_paragraphs(said)}\n</details>'
            for name, words, said in last
        ),
        signature=escape(signature),
    )


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def _card(card: Card) -> str:
    numbers = "\n".join(
        f"<div><dt>{escape(each.words)}</dt><dd><strong>{escape(each.value)}</strong> {escape(each.note)}</dd></div>"
        for each in card.numbers
    )
    cautions = ""
    if card.cautions:
        words = f"{len(card.cautions)} caution{'s' if len(card.cautions) > 1 else ''}"
        cautions = f"\n<details>\n<summary>{words}</summary>\n{_paragraphs(card.cautions)}\n</details>"
    return (
        f'<section class="card">\n<h2>{escape(card.title)}</h2>\n<p class="verdict">{escape(card.verdict)}</p>\n'
        f"<dl>\n{numbers}\n</dl>\n{_paragraphs(filter(None, card.lines))}{cautions}\n</section>"
    )


def _resource(name: str) -> str:
    return resources.files("lm_eval_sensitivity.report").joinpath(name).read_text(encoding="utf-8")


def _section(name: str, section: Section) -> str:
    parts = "\n".join(_part(part) for part in section.parts)
    return f'<section id="{name}">\n<h2>{escape(section.title)}</h2>\n{parts}\n</section>'


def _part(part: Part) -> str:
    if isinstance(part, Drawn):
        return _figure(part)
    if isinstance(part, NotDrawn):
        return f'<p class="missing">No figure “{escape(part.title)}”. {escape(part.reason)}</p>'
    if isinstance(part, ResultTable):
        return _table(part)
    if isinstance(part, Folded):
        inner = "\n".join(_part(each) for each in part.parts)
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
    parts = "\n".join(_part(part) for part in document.parts_in("markdown"))
    return f"<h2>{escape(document.title)}</h2>\n{parts}\n"


def _wide(label: str, content: str) -> str:
    """What may be wider than the screen scrolls by itself, with the keyboard, too."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">\n{content}\n</div>'


def _figure(drawn: Drawn) -> str:
    picture, caption = drawn.picture, drawn.picture.caption
    return (
        f'<figure id="{picture.name}">\n{_wide(picture.title, drawn.inline)}\n<figcaption>\n'
        f"<p><strong>{escape(picture.title)}.</strong> {escape(caption.shows)}</p>\n"
        "<details>\n<summary>How many prompts, what could fake it, files</summary>\n"
        f"<p><strong>n:</strong> {escape(caption.n)}</p>\n"
        f"<p><strong>What could fake it:</strong> {escape(caption.could_fake)}</p>\n"
        f"<p>Files: {picture.name}.svg, {picture.name}.png.</p>\n"
        "</details>\n</figcaption>\n</figure>"
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
