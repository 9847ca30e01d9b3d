"""A dataset folder in the published form that is small enough to be built and changed in every test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from lm_eval_sensitivity.ladder.audit_grid import System, SystemAudit
from lm_eval_sensitivity.ladder.folder import build_folder, read_folder, write_card
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.measured import (
    MEASURED_FILE,
    Measured,
    make_audit,
    measure_distances,
    write_measured,
)

SUBSETS = ("full", "core", "mini")


def fake_encode(texts: Sequence[str]) -> np.ndarray:
    return np.array([[1.0, len(text)] for text in texts])


def make_small_folder(folder: Path) -> Path:
    """The prompts of the packaged subset `mini` as a ladder of its own: sources, parquet, measurements, card."""
    sources = packaged_folder() / "sources"
    top = yaml.safe_load((sources / "ladder.yaml").read_text(encoding="utf-8"))
    kept = top["subsets"]["mini"]
    (folder / "sources").mkdir(parents=True)
    for file in sources.glob("*.yaml"):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if file.name == "ladder.yaml":
            content["subsets"] = {"core": kept[:5], "mini": kept[:2]}
        else:
            content["prompts"] = [prompt for prompt in content["prompts"] if prompt["id"] in kept]
        (folder / "sources" / file.name).write_text(
            yaml.safe_dump(content, allow_unicode=True), encoding="utf-8"
        )
    build_folder(folder)
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
