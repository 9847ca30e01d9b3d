"""Code, numbers, links and quotations of the base stand unchanged in synonyms and paraphrases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation
from lm_eval_sensitivity.ladder.edits import ProtectedSpan, protected_spans
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import Pair

_NUMBER = re.compile(r"(?:^[-−±])?\d+(?:[.,:/٫٬]\d+)*")
_UNIT = re.compile(r"[^\W\d_]+|[%‰°$€£¥₹]")
_UNIT_NAMES = {
    "%": "percent",
    "$": "dollar",
    "€": "euro",
    "£": "pound",
    "g": "gram",
    "kg": "kilogram",
    "m": "metre",
    "meter": "metre",
    "km": "kilometre",
    "kilometer": "kilometre",
    "l": "litre",
    "liter": "litre",
    "ml": "millilitre",
    "milliliter": "millilitre",
    "h": "hour",
    "min": "minute",
    "s": "second",
    "°": "degree",
}
"""Spellings of one unit, without the plural's s."""
_END_MARKS = ".,;:?! "


def protected_spans_are_kept(pairs: Sequence[Pair]) -> Iterator[Violation]:
    """A synonym or paraphrase may move protected spans, and neither lose, add nor change one.

    Of a quotation the content counts, not its marks and not the comma that another place in the sentence
    asks for. Of a number its digits count, and its unit where both texts write one: `a 90-minute walk` is
    `a walk of 90 minutes`, and `2 or 3 days` may become `2 days or 3`.

    Yields:
        One violation per row that loses or adds a span; only of rows that do not, one per changed unit.
    """
    for pair in pairs:
        if pair.rung in ("synonym", "paraphrase"):
            before, after = _pieces(pair.base), _pieces(pair.variant)
            lost, added = before - after, after - before
            if lost or added:
                problem = f"does not keep what must stay: {_listed('loses', lost)}{_listed('adds', added)}"
                problem += "accepted are exactly the code, numbers, links and quotations of the base."
                yield Violation("kept", problem, pair.pair_id, "variant")
            else:
                yield from _units_are_kept(pair)


def _units_are_kept(pair: Pair) -> Iterator[Violation]:
    before, after = _units(pair.base), _units(pair.variant)
    for number in before.keys() & after.keys():
        if before[number] != after[number]:
            problem = f"has the number {number} with {', '.join(sorted(after[number]))}; accepted is "
            problem += f"{', '.join(sorted(before[number]))}, as in the base."
            yield Violation("kept", problem, pair.pair_id, "variant")


def _pieces(text: str) -> Counter[tuple[str, str]]:
    """What must stay of a text: kind and content."""
    return Counter(piece for span in protected_spans(text) for piece in _of_span(text, span))


def _of_span(text: str, span: ProtectedSpan) -> Iterator[tuple[str, str]]:
    content = text[span.start : span.end]
    if span.kind == "number":
        yield from (("number", digits.replace("−", "-")) for digits in _NUMBER.findall(content))
    elif span.kind == "quote":
        yield "quote", " ".join(content[1:-1].split()).strip(_END_MARKS)
    else:
        yield span.kind, content


def _units(text: str) -> dict[str, set[str]]:
    """The letters and signs beside each number; numbers without any are left out."""
    units: dict[str, set[str]] = {}
    for span in protected_spans(text):
        content = text[span.start : span.end]
        names = {_unit_name(unit) for unit in _UNIT.findall(content)}
        if span.kind == "number" and names:
            for digits in _NUMBER.findall(content):
                units.setdefault(digits, set()).update(names)
    return units


def _unit_name(unit: str) -> str:
    unit = unit.casefold()
    singular = unit[:-1] if len(unit) > 2 and unit.endswith("s") else unit
    return _UNIT_NAMES.get(singular, singular)


def _listed(verb: str, pieces: Counter[tuple[str, str]]) -> str:
    if not pieces:
        return ""
    return f"it {verb} {', '.join(f'{kind} {quoted(content)}' for kind, content in pieces)}; "
