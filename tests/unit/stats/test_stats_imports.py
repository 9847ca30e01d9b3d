"""Reading the contents page loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "lm_eval", "pandas", "statsmodels", "matplotlib")


def test_importing_stats_is_light() -> None:
    code = f"import sys, lm_eval_sensitivity.stats\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
