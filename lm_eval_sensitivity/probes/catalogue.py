"""What a probe is. A new one is a folder here with a `PROBE` in its `__init__`, and its name in `NAMES`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.result import Finding, Measured, ProbeResult
from lm_eval_sensitivity.report.blocks import Block, Document
from lm_eval_sensitivity.report.figures.style import NotDrawn, Picture

if TYPE_CHECKING:
    from lm_eval_sensitivity.probes.bits.series import Series
    from lm_eval_sensitivity.probes.replay import Replay

NAMES = ("stretch", "boundary", "trajectory", "recover", "radius", "cards", "bits")
"""In the order of a report."""
IN_A_RUN = ("stretch", "boundary", "trajectory", "radius")
"""What `--metadata` takes; the others generate anew, which is for after a run."""


@dataclass(frozen=True)
class Probe(Generic[Finding]):
    """One way to look inside a model while it is fed what it said."""

    name: str
    words: str
    """Its line in the list of commands; lower case, no full stop."""
    title: str
    """Of its section."""
    finding: type[Finding]
    """A frozen dataclass that `records.file_codec.Codec` writes and reads."""
    settings: type[Any]
    """A frozen dataclass with a default for every field: bool, int, float, str, or a tuple of one of these. A field's
    `metadata["help"]` is its line in `--help`; its name is its option."""
    document: Callable[[ProbeResult[Finding]], Sequence[Block]]
    """Tables, and the one sentence of reading first, as a `Note("finding", ...)`. What it must not be read as,
    agreement and conditions are added for all probes."""
    picture: Callable[[ProbeResult[Finding]], Picture | NotDrawn]
    not_to_be_read_as: tuple[str, ...]
    """Phrases, without full stops."""
    comparison: Callable[[Sequence[ProbeResult[Finding]]], Sequence[Block]] | None = None
    """What only several systems together say."""
    together: Callable[[Sequence[ProbeResult[Finding]]], Picture | NotDrawn] | None = None
    """One picture of several systems; where there is none, each has its own."""
    of_series: bool = False
    """Whether it compares runs of one model; its `measure` takes them first."""
    series: Series | None = None
    """These runs; set by who loads them."""
    write: Callable[[ProbeResult[Finding], Path], Sequence[Path]] | None = None
    """Writes files of its own into a folder, and names them."""
    check: Callable[[Path, Replay, RunOutputs], tuple[Document, bool]] | None = None
    """Makes one of these files again: what differs, and whether it is the same."""

    def measure(self, replay: Replay, outputs: RunOutputs, settings: Any) -> Measured[Finding]:
        """What `measure` in the `measure.py` of its folder finds; that file may import torch.

        Args:
            replay: of the loaded model.
            outputs: of its run.
            settings: an instance of `settings`.

        Raises:
            InputError: a model or a run that this probe cannot take.
        """
        folder = import_module(f"{__package__}.{self.name}.measure")
        if self.of_series and self.series is None:
            raise InputError(
                f"The probe {self.name} compares runs. Give that of the model, then BITS=RUN for each width."
            )
        first = () if self.series is None else (self.series,)
        found: Measured[Finding] = folder.measure(*first, replay, outputs, settings)
        return found


def probe_named(name: str) -> Probe[Any]:
    """The probe of one of `NAMES`.

    Example:
        >>> probe_named("stretch").name
        'stretch'
    """
    assert name in NAMES, name
    found: Probe[Any] = import_module(f"lm_eval_sensitivity.probes.{name}").PROBE
    return found
