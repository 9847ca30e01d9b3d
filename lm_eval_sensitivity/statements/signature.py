"""The signature that every number carries: what it was computed from, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.records.answers import NOTHING_EMBEDDED
from lm_eval_sensitivity.runs import Runs
from lm_eval_sensitivity.statements.selection import Weights


@dataclass(frozen=True)
class Signature:
    """What two numbers must share to be comparable, and what it takes to compute one again."""

    package_version: str
    ladder_version: str
    ladder_hash: str
    subset: str
    decoding: dict[str, Any]
    embedder: dict[str, Any]
    systems: dict[str, str]
    """Fingerprint by display name."""
    seed: int
    resamples: int
    draws: int
    weights: Weights = "rung"

    @property
    def is_of_answers(self) -> bool:
        """Whether answers to a wrapped task are compared, and not outputs."""
        return bool(self.embedder.get("weights_sha256") == NOTHING_EMBEDDED)

    def in_words(self) -> str:
        """One line for the foot of a table."""
        embedder = self.embedder.get("name") or "no embedder"
        draws = f"{self.draws} sign draws, " if self.draws else ""  # a command without a test draws no signs
        weights = str(self.embedder.get("weights_sha256") or "")[:16]
        tokens = f"at most {self.decoding.get('max_gen_toks')} tokens, greedy"
        if self.is_of_answers:
            embedder, weights = "none, answers are compared", ""
            tokens = "choices are scored" if self.decoding.get("max_gen_toks") == 1 else tokens
        return (
            f"ladder {self.ladder_version} {self.subset} ({self.ladder_hash[:16]}); embedder {embedder}"
            f"{f' ({weights})' if weights else ''}; {tokens}; "
            f"equal weight per {self.weights}; {self.resamples} resamples, {draws}seed {self.seed}; "
            f"lm-eval-sensitivity {self.package_version}"
        )


def signature(pairs: Runs, *, seed: int, resamples: int, draws: int, weights: Weights = "rung") -> Signature:
    """The signature of statements about loaded runs; all systems share ladder, decoding and embedder."""
    # By name, so that the order in which folders were given changes nothing.
    systems = sorted(pairs.systems, key=lambda system: system.name)
    first = systems[0]
    return Signature(
        package_version=__version__,
        ladder_version=first.ladder.version,
        ladder_hash=first.ladder.hash,
        subset=first.ladder.subset,
        decoding=dict(first.decoding),
        embedder=dict(first.embedder),
        systems={system.name: system.fingerprint for system in systems},
        seed=seed,
        resamples=resamples,
        draws=draws,
        weights=weights,
    )
