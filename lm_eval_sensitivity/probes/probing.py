"""From a loaded model and a run's outputs to the result of a probe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.probes.catalogue import Probe
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.result import FORMAT, Finding, ProbeResult
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.types import Note

if TYPE_CHECKING:
    from lm_eval_sensitivity.probes.replay import Replay


@dataclass(frozen=True)
class Probed:
    """The system that is looked into."""

    system: str
    """Fingerprint."""
    name: str
    ladder: LadderIdentity

    @classmethod
    def of(cls, system: System) -> Probed:
        """A system of `load_runs`."""
        return cls(system.fingerprint, system.name, system.ladder)


def probed(
    probe: Probe[Finding],
    replay: Replay,
    outputs: RunOutputs,
    settings: Any,
    of: Probed,
    notes: tuple[Note, ...] = (),
) -> ProbeResult[Finding]:
    """Measure, and say with what.

    Args:
        probe: from the catalogue.
        replay: of the loaded model.
        outputs: of the run that it made.
        settings: an instance of the probe's.
        of: whose outputs they are.
        notes: what else is to be said of the model.

    Returns:
        The result, ready to be kept.

    Raises:
        InputError: a model or a run that this probe cannot take.
    """
    found = probe.measure(replay, outputs, settings)
    return ProbeResult(
        format=FORMAT,
        probe=probe.name,
        system=of.system,
        name=of.name,
        ladder=of.ladder,
        settings={name: _plain(value) for name, value in asdict(settings).items()},
        conditions=replay.conditions,
        agreement=replay.agreement,
        finding=found.finding,
        per_prompt=found.per_prompt,
        notes=(*notes, *outputs.notes, *found.notes),
    )


def _plain(value: Any) -> bool | int | str | float | None:
    """A setting as a file keeps it."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value
