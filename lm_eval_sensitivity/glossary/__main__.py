"""Print the glossary as docs/glossary.md: `python -m lm_eval_sensitivity.glossary > docs/glossary.md`."""

from __future__ import annotations

from collections.abc import Iterable

from lm_eval_sensitivity.glossary import GLOSSARY, Kind, Term
from lm_eval_sensitivity.metrics.catalogue import METRICS

_HEADINGS: dict[Kind, str] = {
    "thing": "Things",
    "view": "Views: commands, pages, sections of a report",
    "rung": "Rungs, mildest first",
    "rung set": "Sets of rungs",
    "edit": "Edits",
    "filter": "Filters",
    "verdict": "Words of verdicts",
    "label": "Labels",
    "count": "Counts",
    "column": "Columns",
    "letter": "Letters in formulas",
}
_TYPED: tuple[Kind, ...] = ("view", "rung", "rung set", "edit", "filter")
"""Names that are typed."""


def document() -> str:
    """The glossary as Markdown.

    Returns:
        The whole file, with its last line break.
    """
    lines = [
        "# Glossary",
        "",
        "Written by `make docs` from `lm_eval_sensitivity/glossary/`. One name per thing, in every command, report and",
        "page; what can be typed is written as it is typed.",
    ]
    for kind, terms in GLOSSARY.items():
        lines += ["", f"## {_HEADINGS[kind]}", "", *_table(kind, terms.values())]
    lines += [
        "",
        "## Metrics",
        "",
        "Each has a card in [metrics.md](metrics.md).",
        "",
        "| name | meaning |",
        "|---|---|",
    ]
    lines += [f"| `{card.name}` | {_cell(card.what)} |" for card in METRICS.values()]
    return "\n".join(lines) + "\n"


def _table(kind: Kind, terms: Iterable[Term]) -> list[str]:
    rows = [
        f"| {f'`{each.name}`' if kind in _TYPED else each.name} | {_cell(each.meaning)} |" for each in terms
    ]
    return ["| name | meaning |", "|---|---|", *rows]


def _cell(text: str) -> str:
    """A text that stays within its cell; what looks like a tag outside of code is escaped."""
    parts = text.split("`")
    parts[::2] = [each.replace("<", "&lt;").replace("|", "\\|") for each in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    print(document(), end="")
