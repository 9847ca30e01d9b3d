"""The page: HTML as a pure function of results and address. Nothing here knows of a server or a browser."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report.wording.finding import in_part
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.learn import view as learn
from lm_eval_sensitivity.space.pages import (
    answers,
    axes,
    clusters,
    compare,
    heatmap,
    length,
    method,
    pairs,
    probes,
)
from lm_eval_sensitivity.space.query import CARRIED, DEFAULTS, Query
from lm_eval_sensitivity.space.texts import LONGEST, LONGEST_NAME, ends, in_plain_text, shown
from lm_eval_sensitivity.space.view import VIEWS, View
from lm_eval_sensitivity.text.format import between, in_print, percent

SHOWS: dict[str, Callable[[Results, Query], View]] = {
    "clusters": clusters.show,
    "answers": answers.show,
    "axes": axes.show,
    "heatmap": heatmap.show,
    "pairs": pairs.show,
    "length": length.show,
    "compare": compare.show,
    "probes": probes.show,
    "learn": learn.show,
    "method": method.show,
}
"""What makes each view."""
assert list(SHOWS) == list(VIEWS)

MISSING = "–"
"""A number that is missing, in print; its reason stands beside it."""


def render(results: Results, query: Mapping[str, str]) -> str:
    """The page of an address.

    Args:
        results: from `open_results`.
        query: the values of the address; wrong ones are complained of on the page, and never an error.

    Returns:
        HTML of the whole page; nothing of a stranger in it acts.
    """
    asked, name, here = _asked(results, query)
    view = _view(name, results, here)
    navigation = [(words, here.link(view=each), each == name) for each, words in views_of(results).items()]
    return _html(
        view,
        here,
        # A complaint of a name of the address is in both.
        complaints=list(dict.fromkeys((*asked.complaints, *here.complaints))),
        navigation=navigation,
        signature=results.manifest.signature.in_words(),
        names=tuple(system.name for system in results.systems),
        is_empty=False,
        of_answers=results.manifest.is_of_answers,
    )


def _asked(results: Results, query: Mapping[str, str]) -> tuple[Query, str, Query]:
    """The address as it was received, the view that it means, and the address of that view."""
    first = first_view(results)
    asked = Query(query, first)
    name = asked.choice("view", tuple(VIEWS))
    return asked, name, Query({**query, "view": name}, first)


def first_view(results: Results) -> str:
    """The view of an address that names none: of a wrapped task what became of its answers."""
    return "answers" if results.manifest.is_of_answers else DEFAULTS["view"]


def views_of(results: Results) -> dict[str, str]:
    """Words of the navigation by view, the first one first; a view of nothing is no place to go."""
    of_answers = results.manifest.is_of_answers
    nothing = {
        "answers": not results.statements.answers,
        "axes": of_answers and not results.drift,
        "length": of_answers,
        "probes": not results.probes,
    }
    names = dict.fromkeys((first_view(results), *VIEWS))
    return {each: VIEWS[each] for each in names if not nothing.get(each)}


def render_message(problem: str) -> str:
    """The page that stands where there are no results: what is wrong, and how to make some.

    Args:
        problem: whole sentences, as an `InputError` has them.

    Returns:
        HTML, as `render`; it holds no example data.
    """
    view = View("No results to show", "message.html", {"problem": problem})
    return _html(
        view, Query({}), complaints=[], navigation=[], signature="", names=(), is_empty=True, of_answers=False
    )


def view_of(results: Results, query: Mapping[str, str]) -> View:
    """The view of an address, before it is HTML.

    Args:
        results: from `open_results`.
        query: the values of the address.

    Returns:
        What `render` shows.
    """
    _, name, here = _asked(results, query)
    return _view(name, results, here)


def _view(name: str, results: Results, query: Query) -> View:
    """The view, or what is wrong with the file that it needed: large files are first read when they are asked for."""
    try:
        return SHOWS[name](results, query)
    except InputError as error:
        return View("This cannot be shown", "message.html", {"problem": str(error)})


def _html(view: View, query: Query, **frame: Any) -> str:
    template = environment().get_template(view.template)
    return template.render({**view.context, **frame, "title": view.title, "query": query})


@cache
def environment() -> Environment:
    """The templates. Everything is escaped, and a name that a template misspells is an error.

    Returns:
        The same one at every call.
    """
    made = Environment(
        loader=PackageLoader("lm_eval_sensitivity.space", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "shown": shown,
        "in_plain_text": in_plain_text,
        "ends": ends,
        "number": number,
        "percent": percent,
        "between": between,
        "in_part": in_part,
    }
    made.tests["measured"] = is_measured
    made.globals |= {
        "CARRIED": CARRIED,
        "LONGEST": LONGEST,
        "LONGEST_NAME": LONGEST_NAME,
    }
    return made


def is_measured(value: float | None) -> bool:
    """Whether a number is there; one that is missing is NaN, or None."""
    return value is not None and not math.isnan(value)


def number(value: float | None, digits: int = 3) -> str:
    """A number in print.

    Args:
        value: None or NaN where it is missing.
        digits: decimal places.

    Returns:
        Text with `digits` decimal places; a dash for None and NaN.

    Example:
        >>> number(0.12345), number(None), number(0.00001)
        ('0.123', '–', '<0.001')
    """
    shown = MISSING if value is None else in_print(value, digits)
    return MISSING if shown == "-" else shown
