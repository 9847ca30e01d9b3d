"""The document of `lm-eval-sensitivity pairs`: what was loaded, and what was not."""

from __future__ import annotations

from collections.abc import Iterator

from lm_eval_sensitivity.report.blocks import Cell, Column, Document, ResultTable
from lm_eval_sensitivity.report.documents.parts import runs_in_words
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.runs.coverage import coverage
from lm_eval_sensitivity.text.escape import inert

_COLUMNS = (
    Column("system"),
    *(Column(name, 0) for name in ("rungs", "prompts", "pairs")),
    Column("filter"),
    *(Column(name, 0) for name in ("scored", "erased", "unscored")),
    Column("why unscored"),
)


def pairs_document(pairs: Runs) -> Document:
    """Counts per system and filter, fingerprints, remarks, and what was left out.

    Args:
        pairs: the runs, at least one system.

    Returns:
        One row per system and filter, then the sentences.
    """
    ladder = pairs.systems[0].ladder
    fingerprints = sorted(f"{system.name}: system {system.fingerprint}" for system in pairs.systems)
    return Document(
        f"Ladder {inert(ladder.name)}, {inert(ladder.subset)}, {inert(ladder.version)}, {ladder.hash[:16]}",
        (
            ResultTable("pairs", "Pairs of every system", _COLUMNS, tuple(_rows(pairs))),
            *fingerprints,
            *runs_in_words(pairs),
        ),
    )


def _rows(pairs: Runs) -> Iterator[tuple[Cell, ...]]:
    for system in sorted(pairs.systems, key=lambda system: system.name):
        n_pairs: Cell = f"{system.n_pairs} of {system.n_expected}" if system.partial else system.n_pairs
        for number, found in enumerate(coverage(pairs.table, system)):
            first = (system.name, len(system.rungs), found.n_prompts, n_pairs)
            why = ", ".join(f"{count} {inert(kind)[:60]}" for kind, count in found.reasons.items())
            counts = (found.n_scored, found.n_erased, found.n_unscored)
            yield (*(first if number == 0 else ("",) * 4), found.filter_name, *counts, why)
