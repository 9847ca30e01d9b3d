"""The system that a task measures: its fingerprint, its name, and what the results file says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.audit.pair import AuditStatus
from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.harness.close.last_screen import OwnSystem
from lm_eval_sensitivity.harness.generate.fingerprint import fingerprint
from lm_eval_sensitivity.harness.generate.generation import SystemFacts
from lm_eval_sensitivity.ladder import Ladder
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.run_metadata import LadderIdentity, ReferenceOfRun, RunSummary
from lm_eval_sensitivity.runs.names import model_name
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.types import Rung


@dataclass
class MeasuredSystem:
    """What is known of the system so far; the engine says it with its first answer."""

    ladder: Ladder
    facts: SystemFacts | None = None
    template: dict[str, Any] = field(default_factory=dict)
    """Chat template and system instruction, as `describe_template` has them."""

    @property
    def identity(self) -> dict[str, Any] | None:
        """Everything that tells it from another; None before the first answer."""
        return None if self.facts is None else {**self.facts.identity, "prompt": self.template}

    @property
    def fingerprint(self) -> str | None:
        """Of the identity."""
        return None if self.identity is None else fingerprint(self.identity)

    def in_a_row(self) -> dict[str, Any]:
        """So that a row can be told apart by itself."""
        return {"system": self.fingerprint, "ladder": self.ladder.content_hash[:16]}

    def named(self, rungs: Iterable[Rung], asked: Mapping[str, Any]) -> OwnSystem:
        """As the last lines of a run name it.

        Args:
            rungs: that were run.
            asked: decoding, which counts where the engine does not say its own.
        """
        identity, notes = self.identity or {}, {} if self.facts is None else self.facts.notes
        name = model_name(identity, notes).rsplit("/", 1)[-1]
        n_expected = sum(len(self.ladder.rung(rung)) for rung in rungs)
        return OwnSystem(name, identity, notes, self._ladder(), self._decoding(asked), n_expected)

    def summary(
        self,
        asked: Mapping[str, Any],
        audited: Mapping[AuditStatus, int],
        fed: Any,
        distances: TextDistances | None,
        reference: ReferenceRun | None,
        rows: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """The facts of the run, for the results file.

        Args:
            asked: decoding.
            audited: status of an edit -> number of pairs.
            fed: how prompts were wrapped.
            distances: the embedder, where there is one.
            reference: the run that drift is measured from.
            rows: of the table that lm_eval does not print.

        Returns:
            `RunSummary`, encoded.
        """
        summary = RunSummary(
            package_version=__version__,
            system=self.fingerprint,
            identity=self.identity,
            notes=None if self.facts is None else {**self.facts.notes, "fed": fed},
            ladder=self._ladder(),
            audit=dict(sorted(audited.items())),
            decoding_requested=dict(asked),
            decoding=dict(self._decoding(asked)),
            embedder=None if distances is None else distances.identity(),
            reference=None if reference is None else ReferenceOfRun(str(reference.folder), reference.system),
            rows=rows,
        )
        found: dict[str, Any] = encode(summary)
        return found

    def _decoding(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return asked if self.facts is None else self.facts.decoding or asked

    def _ladder(self) -> LadderIdentity:
        ladder = self.ladder
        return LadderIdentity(ladder.name, ladder.subset, ladder.version, ladder.content_hash)
