"""Runs: what lm_eval wrote, read back as strangers' data."""

from __future__ import annotations

from lm_eval_sensitivity.runs.files import RunFiles, find_runs, read_results, read_samples
from lm_eval_sensitivity.runs.reference import ReferenceOutput, ReferenceRun, check_reference, load_reference

__all__ = [
    "ReferenceOutput",
    "ReferenceRun",
    "RunFiles",
    "check_reference",
    "find_runs",
    "load_reference",
    "read_results",
    "read_samples",
]
