"""A dataset folder in the published form that is small enough to be built and changed in every test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lm_eval_sensitivity.ladder.authoring.audit_grid import System, SystemAudit
from lm_eval_sensitivity.ladder.authoring.folder import read_folder, write_card
from lm_eval_sensitivity.ladder.authoring.measured import (
    MEASURED_FILE,
    Measured,
    make_audit,
    measure_distances,
    write_measured,
)
from tests.unit.ladder.checked_ladder import build_small_ladder

SUBSETS = ("full", "core", "mini")


def fake_encode(texts: Sequence[str]) -> np.ndarray:
    return np.array([[1.0, len(text)] for text in texts])


def make_small_folder(folder: Path) -> Path:
    """The balanced small ladder with all that a published folder has: sources, parquet, measurements, card."""
    build_small_ladder(folder)
    write_measured(fake_measured(folder), folder / MEASURED_FILE)
    write_card(folder)
    return folder


def fake_measured(folder: Path) -> Measured:
    """What might have been measured on the rows of a folder."""
    ladder = read_folder(folder).ladders[0]
    edits = dict(Counter(pair.edit for pair in ladder.pairs if pair.rung != "identical"))
    systems = [
        SystemAudit(System("bare", None, False), "a" * 16, None, edits),
        SystemAudit(System("bare", "trims|all", True), "a" * 16, "b" * 16, dict.fromkeys(edits, 0)),
    ]
    identity = {"name": "fake", "weights_sha256": "c" * 64}
    distances = measure_distances(ladder, fake_encode, identity)
    return Measured(ladder.version, ladder.subset, distances, make_audit(ladder, systems, "0.0"))
