"""The packaged ladder is loaded once for all tests of this folder; it does not change under them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pytest

from lm_eval_sensitivity.runs import ladder_lookup


@pytest.fixture(scope="session", autouse=True)
def _load_each_ladder_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder_lookup, "load_ladder", lru_cache(maxsize=None)(ladder_lookup.load_ladder))
        yield
