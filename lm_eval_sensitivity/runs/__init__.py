"""Runs: what lm_eval wrote, read back as strangers' data: as a reference, or as one table of pairs."""

from __future__ import annotations

from lm_eval_sensitivity.runs.export import write_table
from lm_eval_sensitivity.runs.find import RunFiles, find_runs, read_results, read_samples
from lm_eval_sensitivity.runs.load import Pairs, load_pairs
from lm_eval_sensitivity.runs.reference import (
    ReferenceOutput,
    ReferenceRun,
    base_outputs,
    check_reference,
    load_reference,
    missing_drift,
)
from lm_eval_sensitivity.runs.select_runs import LeftOut
from lm_eval_sensitivity.runs.system import System

__all__ = [
    "LeftOut",
    "Pairs",
    "ReferenceOutput",
    "ReferenceRun",
    "RunFiles",
    "System",
    "base_outputs",
    "check_reference",
    "find_runs",
    "load_pairs",
    "load_reference",
    "missing_drift",
    "read_results",
    "read_samples",
    "write_table",
]
