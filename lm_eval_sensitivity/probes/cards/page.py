"""Cards as pages that need nothing but themselves, and an index; the template escapes every text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.cards.card import BranchCard, CardFile, Token
from lm_eval_sensitivity.probes.cards.files import card_file, codec, file_stem
from lm_eval_sensitivity.probes.cards.finding import CardsFinding
from lm_eval_sensitivity.probes.cards.reading import (
    NOT_TO_BE_READ_AS,
    SIGNATURES,
    control_lines,
    forced_words,
    sentence,
    verdict_words,
)
from lm_eval_sensitivity.probes.cards.summary import CLASS_WORDS
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.shades import SHADES, STEPS
from lm_eval_sensitivity.text.escape import shown_path
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.text.visible import visible
from lm_eval_sensitivity.types import Replacement

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST_STRETCH = 400
"""Characters of an unchanged part of a prompt that a page shows; more are counted."""
MOST_BARS = 160
"""Steps of the margin strip: the last ones."""
_LEAST, _MOST = 0.01, 10.0
"""Nats at the ends of its scale, which is logarithmic."""


def write_cards(result: ProbeResult[CardsFinding], folder: Path) -> list[Path]:
    """Write each card as JSON and as a page, and an index.

    Args:
        result: of the probe.
        folder: made where it is not there; files of the same names are replaced.

    Returns:
        The index first, then both files of each card.

    Raises:
        InputError: the folder cannot be written.
    """
    cards = [card_file(card, result) for card in result.finding.cards]
    texts: dict[str, bytes] = {"index.html": index_page(result).encode("utf-8", "replace")}
    for each in cards:
        stem = file_stem(each.card.case.pair_id)
        texts[f"{stem}.json"] = codec().dump(each, indent=1)
        texts[f"{stem}.html"] = card_page(each).encode("utf-8", "replace")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_bytes(text)
    except OSError as error:
        raise InputError(f"{shown_path(folder)} cannot be written ({error.strerror}).") from None
    return [folder / name for name in texts]


def card_page(file: CardFile) -> str:
    """One card as HTML that is a whole file."""
    card = file.card
    branch = card.branch.value
    assert branch is not None
    word, why = verdict_words(card)
    columns = _columns(card)
    return _render(
        "card.html",
        file=file,
        card=card,
        case=card.case,
        branch=branch,
        sentence=sentence(card),
        verdict=word,
        verdict_why=why,
        prompt=list(_edited(card)),
        shared=_shared(card),
        rests=(_rest(card.case.base_rest), _rest(card.case.variant_rest)),
        tops=(_bars(branch.top_base, "base"), _bars(branch.top_variant, "variant")),
        strip=_strip(branch.margins_base, branch.margins_variant),
        columns=columns,
        headings=_headings(columns),
        grid=list(_grid(card)),
        signature=SIGNATURES.get(card.signature.value or "", f"not said: {card.signature.reason}"),
        controls=control_lines(card),
        forced=card.forced.value,
        forced_words=forced_words(card),
        stem=file_stem(card.case.pair_id),
    )


def index_page(result: ProbeResult[CardsFinding]) -> str:
    """All cards of a result, each with a link."""
    from lm_eval_sensitivity.probes.cards.document import drawn, reading

    cards = [(file_stem(card.case.pair_id), card, verdict_words(card)[0]) for card in result.finding.cards]
    return _render(
        "index.html",
        result=result,
        cards=cards,
        reading=reading(result.finding.cards),
        drawn=drawn(result.finding),
    )


def _render(template: str, **context: Any) -> str:
    return (
        _environment()
        .get_template(template)
        .render(**context, style=_style(), not_to_be_read_as=NOT_TO_BE_READ_AS)
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("lm_eval_sensitivity.probes.cards", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"seen": _seen, "marked": _marked, "number": in_print, "probability": _probability}
    return made


@cache
def _style() -> str:
    """The rules of all our pages, those of cards, and the shades of a heat map."""
    base = resources.files("lm_eval_sensitivity.report").joinpath("page.css")
    own = resources.files("lm_eval_sensitivity.probes.cards").joinpath("templates/card.css")
    shades = (
        f":is(td, .swatch).s{at} {{ background: light-dark({each.light}, {each.dark}); "
        f"color: light-dark({each.light_letters}, {each.dark_letters}); }}"
        for at, each in enumerate(SHADES)
    )
    return "\n".join([*(each.read_text(encoding="utf-8") for each in (base, own)), *shades])


# ---- texts


def _seen(text: str) -> str:
    """A text with what is invisible in it replaced by marks; line breaks are made as well."""
    return visible(text).replace("⏎", "⏎\n")


def _marked(text: str) -> str:
    """A token or a change: spaces at its ends are marked, too."""
    return visible(text, changed=True)


def _probability(value: float) -> str:
    return in_print(value, 2)


def _edited(card: BranchCard) -> Iterator[tuple[str, str]]:
    """The prompt and its variant in one: (kind, text), where kind is `same`, `gone` or `new`."""
    base, end = card.case.base, 0
    for each in _merged(card.case.replacements, len(base)):
        yield from _same(base[end : each.start])
        if each.start < each.end:
            yield "gone", base[each.start : each.end]
        if each.replacement:
            yield "new", each.replacement
        end = each.end
    yield from _same(base[end:])


def _merged(replacements: Sequence[Replacement], length: int) -> Iterator[Replacement]:
    """Those that lie inside of the text and after each other: a card may be a stranger's."""
    end = 0
    for each in replacements:
        if end <= each.start <= each.end <= length:
            yield each
            end = each.end


def _same(text: str) -> Iterator[tuple[str, str]]:
    half = LONGEST_STRETCH // 2
    if len(text) <= LONGEST_STRETCH:
        yield "same", text
    else:
        yield "same", text[:half]
        yield "cut", str(len(text) - 2 * half)
        yield "same", text[-half:]


def _shared(card: BranchCard) -> str:
    """What both said before the branch, as far as the card keeps it; empty at step 0."""
    step = card.case.step
    return "".join(card.case.context[-step:]) if step else ""


def _rest(text: str) -> str:
    return text if len(text) <= LONGEST_STRETCH else text[:LONGEST_STRETCH] + "…"


# ---- drawings


@dataclass(frozen=True)
class Bar:
    """A token and its probability."""

    text: str
    share: float
    """Percent of the width."""
    probability: float
    is_said: bool


def _bars(tokens: Iterable[Token], side: str) -> list[Bar]:
    found = [(each.text, getattr(each, f"probability_{side}")) for each in tokens]
    largest = max((probability for _, probability in found), default=1.0) or 1.0
    return [
        Bar(text, round(100 * probability / largest, 1), probability, at == 0)
        for at, (text, probability) in enumerate(found)
    ]


@dataclass(frozen=True)
class Step:
    """Margins of both runs at a step, as heights from 0 to 100 on a logarithmic scale."""

    number: int
    base: float
    variant: float
    words: str


def _strip(base: Sequence[float], variant: Sequence[float]) -> list[Step]:
    first = max(0, len(base) - MOST_BARS)
    return [
        Step(
            at, height(base[at]), height(variant[at]), f"step {at}: {base[at]:.2f} and {variant[at]:.2f} nats"
        )
        for at in range(first, min(len(base), len(variant)))
    ]


def height(margin: float) -> float:
    """Height of a margin in percent: 0 at 0.01 nats and below, 100 at 10 nats and above, logarithmic between.

    Example:
        >>> height(0.0), height(0.1), height(1.0), height(50.0)
        (0.0, 33.3, 66.7, 100.0)
    """
    inside = min(max(margin, _LEAST), _MOST)
    return round(100 * math.log10(inside / _LEAST) / math.log10(_MOST / _LEAST), 1)


@dataclass(frozen=True)
class MapColumn:
    """A place in the heading of the map."""

    words: str
    token: str
    n_positions: int


def _order(card: BranchCard) -> list[int]:
    """Places as they stand beside each other: the many tokens of the shared output last."""
    places = card.patches.value.places if card.patches.value else ()
    return sorted(range(len(places)), key=lambda at: places[at].kind == "generated")


def _columns(card: BranchCard) -> list[MapColumn]:
    patches = card.patches.value
    return [
        MapColumn(CLASS_WORDS[patches.places[at].kind], patches.texts[at], len(patches.places[at].base))
        for at in _order(card)
        if patches
    ]


def _headings(columns: Sequence[MapColumn]) -> list[tuple[str, int]]:
    """(words, columns) of neighbors of one class, which share a heading."""
    return [(words, len(list(each))) for words, each in groupby(columns, lambda column: column.words)]


@dataclass(frozen=True)
class MapCell:
    """One copy."""

    shade: str
    """Class of the style sheet; empty where the rescue is hidden."""
    number: str
    replays: bool
    is_trivial: bool
    is_place: bool
    """Where the controls were made."""


@dataclass(frozen=True)
class MapRow:
    """One layer."""

    layer: int
    depth: float
    cells: tuple[MapCell, ...]


def _grid(card: BranchCard) -> Iterator[MapRow]:
    patches, rescue, at = card.patches.value, card.rescue.value, card.controls.at.value
    if patches is None:
        return
    n_layers = max(card.how.layers) + 1
    for column, layer in enumerate(card.how.layers):
        cells = []
        for number in _order(card):
            place = patches.places[number]
            value = None if rescue is None else rescue[number][column]
            cells.append(
                MapCell(
                    "" if value is None else f"s{min(int(min(max(value, 0.0), 1.0) * STEPS), STEPS - 1)}",
                    "" if value is None else f"{value:.2f}".replace("-0.00", "0.00"),
                    patches.replays[number][column],
                    layer == n_layers - 1 and place.kind in ("final_context", "all_after_edit"),
                    at is not None and (at.place, at.layer) == (number, layer),
                )
            )
        yield MapRow(layer, layer / n_layers, tuple(cells))
