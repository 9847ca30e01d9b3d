"""Print the catalogue as docs/metrics.md: `python -m lm_eval_sensitivity.metrics > docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Iterator

from lm_eval_sensitivity.metrics.catalogue import FAMILIES, METRICS, MetricCard

_HEADINGS = {
    "text": "Texts",
    "tokens": "Token sequences",
    "distributions": "Next-token distributions",
    "states": "Hidden states",
}


def document() -> str:
    """The catalogue as Markdown.

    Returns:
        The whole file, with its last line break.
    """
    lines = [
        "# Metrics",
        "",
        "Written by `make docs` from the cards in `lm_eval_sensitivity/metrics/`. Every metric is a column of the",
        "pairs table and a value of `--metric`; where it is missing, the column `missing_<metric>` says why.",
    ]
    for family in FAMILIES:
        lines += ["", f"## {_HEADINGS[family]}"]
        for card in METRICS.values():
            if card.family == family:
                lines += ["", f"### {card.name}", "", *_section(card)]
    return "\n".join(lines) + "\n"


_SCOPES = {
    "pair": "a pair",
    "prompt": "the base prompt, the same in all of its pairs",
    "variant": "the variant prompt alone",
}


def _section(card: MetricCard) -> Iterator[str]:
    yield card.what
    yield ""
    yield f"- Formula: `{card.formula}`"
    yield f"- Range: {card.range}, unit {card.unit}, {card.direction}"
    yield f"- Needs: {', '.join(card.needs)}"
    yield f"- Of: {_SCOPES[card.scope]}"
    yield f"- Filters: {', '.join(card.filters)}"
    yield f"- In samples: `pair.{card.recorded_in or f'scores.{card.name}'}`"
    for name, _, description in card.beside:
        yield f"- Beside it `{name}`: {description}"
    yield f"- Source: {card.source}"
    yield f"- Computed by `{card.computed_by}`"


if __name__ == "__main__":
    print(document(), end="")
