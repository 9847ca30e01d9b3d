"""One HTML page that needs nothing but itself: no script, no address of another place, figures inside.

A policy in the page forbids everything else, too. All texts are escaped here; names of systems come from
strangers' files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from lm_eval_sensitivity.report.blocks import ResultTable, shown
from lm_eval_sensitivity.report.figures.style import Drawn, Missing, page_rules

NOT_TO_CONCLUDE = (
    "A small distance is no merit. A system that always says the same has the smallest there is; read every distance "
    "beside the positive control, where the output should move. Nothing here says that an output is right or good.",
    "No order is stated between systems that share a cluster, and none is to be read from the figures, which stand in "
    "the order of letters. Not told apart is not equal: a difference smaller than the detectable one may be there.",
    "Erased edits are not edits that a system withstood: they never reached it. Unscored pairs are not distances of 0. "
    "Where coverage differs, means beside each other are over different pairs; contrasts are over shared pairs.",
    "All numbers are of this ladder, in its language, under greedy decoding, up to this token limit, in the scale of "
    "this embedder. They say nothing of other prompts or of sampled outputs, and compare with no other report unless "
    "the signatures agree.",
)


@dataclass(frozen=True)
class Folded:
    """What only some readers want to see."""

    title: str
    parts: tuple[ResultTable | str, ...]


Part = Drawn | Missing | ResultTable | Folded | str


@dataclass(frozen=True)
class Section:
    """One part of the page under a heading."""

    title: str
    parts: tuple[Part, ...]


def make_page(title: str, introduction: Iterable[str], sections: Iterable[Section], signature: str) -> str:
    """The whole page.

    Args:
        title: of the report.
        introduction: paragraphs at the top; what not to conclude follows them.
        sections: in reading order.
        signature: what all numbers were computed from, in words.

    Example:
        >>> page = make_page("A report", ["Of <m>."], [Section("Means", ("None.",))], "made by hand")
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
    if isinstance(part, Missing):
        return f'<p class="missing">No figure “{escape(part.title)}”. {escape(part.reason)}</p>'
    if isinstance(part, ResultTable):
        return _table(part)
    if isinstance(part, Folded):
        inner = "\n".join(_part(each, signature) for each in part.parts)
        return f"<details>\n<summary>{escape(part.title)}</summary>\n{inner}\n</details>"
    return f"<p>{escape(part)}</p>"


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
