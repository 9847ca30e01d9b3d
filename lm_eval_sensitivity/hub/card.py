"""Dataset cards: the front matter that the Hub reads before it reads a row, and a body filled from a template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lm_eval_sensitivity.text.markdown import code, plain, visible

FENCE = "---\n"
SPLIT = "test"
TAGS = ["prompt-sensitivity", "robustness", "evaluation", "lm-evaluation-harness"]

_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}


def front_matter(**fields: Any) -> str:
    """The YAML block that opens a card, fences included; a field that is None is left out.

    Args:
        fields: as the Hub names them, in the order in which they are to stand.

    Returns:
        YAML between two fences, a line break at its end.

    Example:
        >>> print(front_matter(pretty_name="Ladder", license=None, tags=["evaluation"]), end="")
        ---
        pretty_name: Ladder
        tags:
        - evaluation
        ---
    """
    from huggingface_hub import DatasetCardData  # not at the top: commands that publish nothing start faster

    return f"{FENCE}{DatasetCardData(**fields).to_yaml(original_order=list(fields))}\n{FENCE}"


def size_category(n_rows: int) -> str:
    """The Hub's name for a number of rows.

    Args:
        n_rows: of a data set.

    Returns:
        One of the names that the Hub accepts.

    Example:
        >>> size_category(999), size_category(1_000)
        ('n<1K', '1K<n<10K')
    """
    return next((name for limit, name in _SIZES.items() if n_rows < limit), "1M<n<10M")


def fill(template: Path, **values: Any) -> str:
    """A Jinja template with its values; what a value holds is never filled again.

    Nothing is escaped by itself, Markdown being no HTML: a template passes texts of strangers through the filters
    `code`, `plain` and `visible` of `text.markdown`.

    Args:
        template: beside it stand the templates that it imports.
        values: by name; one that the template names and nobody gave is an error.

    Returns:
        Markdown.

    Raises:
        jinja2.UndefinedError: the template names a value that was not given.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # see above
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(code=code, plain=plain, visible=visible)
    return environment.get_template(template.name).render(values)
