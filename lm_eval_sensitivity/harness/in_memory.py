"""Results of `simple_evaluate` as the run folder that lm_eval's command line would have written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_eval.loggers import EvaluationTracker

from lm_eval_sensitivity.errors import InputError


def save_results(results: Mapping[str, Any] | None, folder: Path) -> None:
    """Write results with lm_eval's own writer.

    Args:
        results: what `lm_eval.simple_evaluate(..., log_samples=True)` returned; it is left as it is.
        folder: like `--output_path`.

    Raises:
        InputError: there are no results, or no samples in them.
    """
    samples = None if results is None else results.get("samples")
    if results is None or not samples:
        given = "None" if results is None else "results without `samples`"
        raise InputError(
            f"`from_results` was given {given}. Give what `lm_eval.simple_evaluate(..., log_samples=True)` returned; "
            "of several processes only the first has results."
        )
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = "run"
    # The writer changes what it is given.
    tracker.save_results_aggregated(
        {name: value for name, value in results.items() if name != "samples"}, None
    )
    for task, rows in samples.items():
        tracker.save_results_samples(task, [dict(row) for row in rows])
