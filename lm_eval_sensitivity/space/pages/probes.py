"""What probes found inside one system: the picture, the sentence and the tables of its command."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Any

from markupsafe import Markup, escape

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.probes.catalogue import probe_named
from lm_eval_sensitivity.probes.document import probe_document
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.blocks import Document, ResultTable, Verbatim, in_words
from lm_eval_sensitivity.report.figures import NotDrawn, check_matplotlib, render
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.manifest import probe_name
from lm_eval_sensitivity.space.choices import Choice, address_of, choose_system
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View, plain_table


def show(results: Results, query: Query) -> View:
    """The view of one probe of one system.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        Its document, or a page that says that nobody looked.
    """
    if not results.probes:
        return View(title_of("probes"), "nothing.html", {"what": "results of probes"})
    name = query.choice("probe", tuple(results.probes))
    of_systems = results.probes[name]
    asked = choose_system(query, results, default=min(of_systems))
    index = asked if asked in of_systems else min(of_systems)
    result, probe = of_systems[index], probe_named(name)
    return View(
        title_of("probes"),
        "probes.html",
        {
            "choices": (
                Choice("probe", "Probe", tuple((each, each) for each in results.probes), name),
                Choice("system", "System", _systems(results, of_systems), address_of(results.systems[index])),
            ),
            "heading": probe.title,
            "lacking": asked not in of_systems and results.systems[asked].name,
            "name": result.name,
            "caption": _caption(result),
            "picture": _picture(result, results.manifest.files[probe_name(index, name)].sha256),
            "parts_of_probe": _parts(probe_document([result])),
        },
        lambda: probe_document([of_systems[each] for each in sorted(of_systems)]),
    )


def _systems(results: Results, indices: Any) -> tuple[tuple[str, str], ...]:
    return tuple((address_of(results.systems[each]), results.systems[each].name) for each in sorted(indices))


def _parts(document: Document) -> list[dict[str, Any]]:
    """Its parts as plain values: `words`; or of a table `title`, `head`, `rows`, `note`, and whether it is folded."""
    found: list[dict[str, Any]] = []
    for part in document.parts:
        if isinstance(part, ResultTable):
            if "markdown" in part.only:
                found.append(plain_table(part))
        else:
            found.append({"words": part.text if isinstance(part, Verbatim) else in_words(part)})
    return found


def _caption(result: ProbeResult[Any]) -> tuple[str, ...]:
    """What the picture shows, of how many, and what could fake it."""
    picture = probe_named(result.probe).picture(result)
    if isinstance(picture, NotDrawn):
        return ()
    caption = picture.caption
    return (caption.shows, caption.n, f"What could fake it: {caption.could_fake}")


def _picture(result: ProbeResult[Any], sha256: str) -> Markup | str:
    """Its drawing as SVG; in words why there is none."""
    try:
        check_matplotlib()
    except InputError as error:
        return str(error)
    picture = probe_named(result.probe).picture(result)
    if isinstance(picture, NotDrawn):
        return picture.reason
    with _ONE_AT_A_TIME:  # the drawing library has one state for all threads
        if sha256 not in _DRAWN:
            _DRAWN[sha256] = render(replace(picture, name=f"probe_{result.probe}"), "").inline
    named = f'role="img" aria-label="{escape(picture.title)}; all numbers stand in the tables below."'
    # Made here, and every text of it escaped.
    return Markup(_DRAWN[sha256].replace('role="img"', named, 1))  # noqa: S704


_DRAWN: dict[str, str] = {}
"""By the checksum of the file: a drawing takes half a second."""
_ONE_AT_A_TIME = Lock()
