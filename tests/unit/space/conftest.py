"""The exported folder, opened once for the views that need pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_eval_sensitivity.results import Results, open_results


@pytest.fixture(scope="session")
def results(exported: Path) -> Results:
    return open_results(exported)
