"""Templates compiled once: lm_eval compiles one each time it renders it, and edits render many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from lm_eval import utils

MOST_TEMPLATES = 1_000


@contextmanager
def compiled_once() -> Iterator[None]:
    """In the block a template with the same text is compiled once; what it renders is the same.

    Returns:
        A context to render in; blocks may stand inside each other.
    """
    before = vars(utils.env).get("from_string")
    if before is None:
        utils.env.from_string = lru_cache(MOST_TEMPLATES)(utils.env.from_string)
    try:
        yield
    finally:
        if before is None:
            del utils.env.from_string
