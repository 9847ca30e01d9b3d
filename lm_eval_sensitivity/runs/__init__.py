"""Finished runs, read back as untrusted files: one pairs table of all of them, or a reference.

find.py          which files a folder holds         checked_rows.py  one line, held against its results file
rung_samples.py  one rung: rows, counts, means      table.py         cells of the pairs table
select_runs.py   which run of a rung is taken       load.py          all folders: systems and one table
comparability.py what systems must share            names.py         labels that tell them apart
reference.py     a run to measure drift from        beside.py        which system a folder stands for
answers.py       wrapped tasks: the answers of every document; answers_table.py: as rows of the pairs table;
                 answer_groups.py: a group of tasks as one task
labels.py        names that a user gives      texts.py, export.py, coverage.py, ladder_lookup.py, system.py
"""

from __future__ import annotations

from lm_eval_sensitivity.runs.export import write_table
from lm_eval_sensitivity.runs.find import RunFiles, read_results, read_samples
from lm_eval_sensitivity.runs.load import Runs, load_runs
from lm_eval_sensitivity.runs.reference import (
    OutputKey,
    ReferenceOutput,
    ReferenceRun,
    check_reference,
    load_reference,
    missing_drift,
    read_outputs,
)
from lm_eval_sensitivity.runs.system import System

__all__ = [
    "OutputKey",
    "ReferenceOutput",
    "ReferenceRun",
    "RunFiles",
    "Runs",
    "System",
    "check_reference",
    "load_reference",
    "load_runs",
    "missing_drift",
    "read_outputs",
    "read_results",
    "read_samples",
    "write_table",
]
