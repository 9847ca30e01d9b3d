"""One name per thing: the words of commands, reports, the page and the docs, each with what it means.

What can be typed is written as it is typed, everywhere: `double_space`, `answer`, `semantic_change`.

terms.py     what a term is
views.py     the ways to look at runs: commands, pages, sections of a report
numbers.py   counts, columns, letters of formulas
verdicts.py  the words and labels of verdicts
things.py    what the other words are about: system, pair, reference, ...
__main__.py  `python -m lm_eval_sensitivity.glossary > docs/glossary.md`
"""

from __future__ import annotations

from lm_eval_sensitivity.glossary import things, verdicts
from lm_eval_sensitivity.glossary.numbers import COLUMNS, COUNTS, LETTERS
from lm_eval_sensitivity.glossary.terms import Kind, Term, by_name
from lm_eval_sensitivity.glossary.views import VIEWS, title_of
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.meanings import AUTHORED_MEANINGS, RUNG_MEANINGS, edit_meaning

__all__ = ["GLOSSARY", "VIEWS", "Kind", "Term", "meaning", "title_of"]

GLOSSARY: dict[Kind, dict[str, Term]] = {
    "thing": things.THINGS,
    "view": VIEWS,
    "rung": by_name(Term(rung, f"Changed: {changed}.") for rung, changed in RUNG_MEANINGS.items()),
    "rung set": things.RUNG_SETS,
    "edit": by_name(
        Term(edit, edit_meaning(edit)) for edit in (*EDITS, *AUTHORED_MEANINGS) if edit != "identical"
    ),
    "filter": things.FILTERS,
    "verdict": verdicts.VERDICTS,
    "label": verdicts.LABELS,
    "count": COUNTS,
    "column": COLUMNS,
    "letter": LETTERS,
}
"""Every term by kind and name, in the order of the page `docs/glossary.md`."""


def meaning(kind: Kind, name: str) -> str:
    """What a word means, for whoever prints it.

    Args:
        kind: of the term: one name may be a view and a count.
        name: as it is written.

    Returns:
        One sentence or two.

    Example:
        >>> meaning("filter", "answer")
        'The output without its reasoning; the whole output where there is none.'
    """
    return GLOSSARY[kind][name].meaning
