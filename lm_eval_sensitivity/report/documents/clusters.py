"""The document of `lm-eval-sensitivity clusters`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.metrics.catalogue import OF_ANSWERS
from lm_eval_sensitivity.report.blocks import (
    COUNTS,
    FORMATS,
    MEAN,
    Column,
    Document,
    Format,
    ResultTable,
    table_of,
)
from lm_eval_sensitivity.report.documents.parts import blocks_of_systems, closing, headings, run_data
from lm_eval_sensitivity.report.wording import bounds_note
from lm_eval_sensitivity.report.wording.clusters import (
    clusters_in_words,
    contrast_notes,
    detectable_in_words,
    family_in_words,
    reasons_in_words,
)
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements import Signature
from lm_eval_sensitivity.statements.noise import floor_in_words
from lm_eval_sensitivity.statements.records import ClustersStatement
from lm_eval_sensitivity.stats import Constants
from lm_eval_sensitivity.text.format import percent
from lm_eval_sensitivity.types import Note

_SYSTEMS = (
    Column("system"),
    Column("clusters", path="letters"),
    *MEAN,
    Column("alive", path="responsiveness"),
    Column("noise floor", 4, "noise.estimate"),
    Column("noise prompts", 0, "noise.n"),
    *COUNTS,
)
_COMMON = (Column("common mean", 4, "common.estimate"), Column("common prompts", 0, "common.n"))
"""Where systems have not lost the same pairs."""
_CONTRASTS = (
    Column("first"),
    Column("second"),
    Column("difference", 4, "difference.estimate"),
    Column("lower", 4, "difference.lower"),
    Column("upper", 4, "difference.upper"),
    Column("p adjusted", 4, "p_adjusted"),
    Column("p order", 4, "p_order"),
    Column("attainable p", 4, "attainable_p"),
    Column("prompts", 0, "counts.n_prompts"),
    Column("pairs lost", 0, "n_pairs_lost"),
    Column("finding"),
)


ALIVE = (
    "Alive: whether the positive control moves a system's output reliably more than "
    f"{percent(Constants().k_response)} further than harmless edits do, in cosine_distance under this filter; - where "
    "that was not measured."
)


def clusters_document(
    statements: Sequence[ClustersStatement], pairs: Runs, signed: Signature, *, pairwise: bool
) -> Document:
    """The document of some selections over the same runs.

    Args:
        statements: one per selection.
        pairs: the runs.
        signed: what the numbers were computed from.
        pairwise: whether the terminal shows every pair of systems.

    Returns:
        Tables and sentences of each selection, then what was left out and the signature.
    """
    parts = [part for found in statements for part in statement_parts(found, pairwise=pairwise)]
    if len(statements) > 1:
        parts.append(
            "Each selection is a family of its own: alpha holds within one table, not over all of them together."
        )
    data = {**run_data(pairs, signed), "selections": statements}
    return Document("Clusters of systems", (*parts, *closing(pairs, signed)), data)


def statement_parts(found: ClustersStatement, *, pairwise: bool) -> Iterator[ResultTable | Note | str]:
    """The tables and sentences of one selection.

    Args:
        found: the selection.
        pairwise: whether the terminal shows every pair of systems.

    Returns:
        The table of systems, cautions, sentences, and where a family was tested the matrix and the table of contrasts.
    """
    notes: tuple[Note | str, ...] = (
        "mean: over prompts, where every rung has the same weight, and in a rung every edit, if the signature does not "
        f"say otherwise; lower, upper: 95 % interval over prompts; noise floor: {floor_in_words(found.systems)}. "
        "Systems in the order of their names.",
        ALIVE if found.selection.metric not in OF_ANSWERS else "Alive: not asked of a task.",
        bounds_note(found.selection.metric),
        *reasons_in_words(found.systems),
    )
    columns = _SYSTEMS
    if any(each.common for each in found.systems):
        columns = (*_SYSTEMS, *_COMMON)
        notes = (*notes, "common mean: over the pairs that are scored in all of these systems.")
    yield table_of(_name("systems", found), found.selection.in_words(), columns, found.systems, notes)
    # Before the clusters: some of these sentences say what must not be read out of the table.
    yield from found.cautions
    yield from clusters_in_words(found)
    yield from family_in_words(found)
    yield from detectable_in_words(found)
    if found.family is not None:
        yield from _matrix(found, ("table", "markdown") if pairwise else ("markdown",))
        yield table_of(
            _name("contrasts", found),
            "Every two systems",
            _CONTRASTS,
            found.contrasts,
            contrast_notes(found.contrasts, found.alpha),
            only=FORMATS if pairwise else ("markdown", "csv", "json"),
            is_detail=not pairwise,
        )


def _name(kind: str, found: ClustersStatement) -> str:
    chosen = found.selection
    return f"{kind} {chosen.metric} {chosen.filter_name} {chosen.rung_set}"


def _matrix(found: ClustersStatement, forms: tuple[Format, ...]) -> Iterator[ResultTable]:
    """Adjusted p of every two systems, for reading; in CSV and JSON the contrasts stand in rows."""
    by_pair = {frozenset((each.first, each.second)): each.p_adjusted for each in found.contrasts}
    names = [each.system for each in found.systems]
    for part, (columns, where) in enumerate(blocks_of_systems(names), 1):
        yield ResultTable(
            f"{_name('matrix', found)} {part}",
            f"Adjusted p of every two systems{where}",
            (Column("system"), *(Column(each, 4) for each in headings(("system",), columns))),
            tuple(
                (name, *("" if name == other else by_pair.get(frozenset((name, other))) for other in columns))
                for name in names
            ),
            only=forms,
            is_detail="table" not in forms,
        )
