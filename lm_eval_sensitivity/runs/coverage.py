"""How many pairs of each system were scored, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.runs.system import System
from lm_eval_sensitivity.types import Missing


@dataclass(frozen=True)
class Coverage:
    """One system under one filter; a pair is scored if it has a cosine distance, or two answers of a wrapped task."""

    filter_name: str
    n_prompts: int
    n_pairs: int
    n_scored: int
    n_erased: int
    reasons: Mapping[str, int]
    """Pairs without a score for another reason than erasure, by the kind of reason, in its order of letters."""

    @property
    def n_unscored(self) -> int:
        """Pairs that are neither scored nor erased."""
        return sum(self.reasons.values())


def coverage(table: pa.Table, system: System) -> tuple[Coverage, ...]:
    """The coverage of one system in the pairs table, `raw` before `answer`."""
    metric = ANSWER_FLIP if ANSWER_FLIP in table.column_names else "cosine_distance"
    names = ("system", "filter", "prompt_id", metric, f"missing_{metric}")
    columns = (table[name].to_pylist() for name in names)
    rows = [row for row in zip(*columns, strict=True) if row[0] == system.fingerprint]
    found = []
    for filter_name in FILTERS:
        chosen = [row for row in rows if row[1] == filter_name]
        kinds = Counter(Missing.from_text(reason).kind for *_, value, reason in chosen if value is None)
        erased = kinds.pop("erased", 0)
        scored = sum(row[3] is not None for row in chosen)
        prompts = len({row[2] for row in chosen})
        found.append(Coverage(filter_name, prompts, len(chosen), scored, erased, dict(sorted(kinds.items()))))
    return tuple(found)
