"""A system: everything that produced one set of outputs, and the rungs it was run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.runs.rung_samples import RungSamples

LadderCheck = Literal["rows", "hash", "counts"]


@dataclass(frozen=True)
class System:
    """One system with its rungs; model, revision, precision, template, decoding: whatever changes outputs."""

    fingerprint: str
    name: str
    """Shortest label that tells it apart from the other systems loaded with it."""
    identity: Mapping[str, Any]
    """What the fingerprint is made of."""
    notes: Mapping[str, Any]
    """What a reader should know and outputs do not depend on; from the newest rung."""
    ladder: LadderIdentity
    decoding: Mapping[str, Any]
    embedder: Mapping[str, Any]
    reference: str | None
    package_version: str
    rungs: tuple[RungSamples, ...]
    """Mildest first."""
    ladder_check: LadderCheck
    """`rows`: every row was compared with the ladder. `hash`: the rows give the content hash that the run
    states. `counts`: the ladder is not at hand and the run holds a part of it, so pairs were only counted."""

    @property
    def n_pairs(self) -> int:
        """Pairs of all rungs."""
        return sum(rung.n_pairs for rung in self.rungs)

    @property
    def n_expected(self) -> int:
        """Pairs that the ladder has on these rungs."""
        return sum(rung.n_expected for rung in self.rungs)

    @property
    def partial(self) -> tuple[str, ...]:
        """One phrase per rung or task that was run in part, as in `noop: 5 of 74 pairs (--limit 5)`."""
        found = (
            f"{run.rung if run.wrapped is None else run.task}: {rung.extent} ({run.limited_by or 'incomplete'})"
            for rung, run in ((rung, rung.metadata) for rung in self.rungs)
            if not rung.complete
        )
        return tuple(dict.fromkeys(found))
