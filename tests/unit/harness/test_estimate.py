"""Before and after the first batch: what a run will take."""

from __future__ import annotations

import logging

import pytest

from lm_eval_sensitivity.harness.engines.batches import _estimate


@pytest.mark.parametrize(
    ("seconds", "n_made", "n_all", "minutes"),
    [(12.0, 16, 620, 8), (60.0, 10, 20, 1), (12.0, 16, 90, None), (3.0, 8, 8, None)],
)
def test_the_rest_is_estimated_where_it_is_long(
    seconds: float, n_made: int, n_all: int, minutes: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        _estimate(seconds, n_made, n_all)
    words = f"about {minutes} min at this pace" if minutes else ""
    assert (words in caplog.text) if minutes else not caplog.text
