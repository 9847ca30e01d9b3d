"""What probes found of the systems of a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lm_eval_sensitivity.probes.catalogue import NAMES
from lm_eval_sensitivity.probes.files import MOST_BYTES, codec
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.results.files import open_checked, refuse
from lm_eval_sensitivity.results.manifest import Manifest, names_of_probes
from lm_eval_sensitivity.text.escape import shown_path

Probes = dict[str, dict[int, ProbeResult[Any]]]
"""Probe -> index of a system -> what was found of it; probes in the order of `NAMES`."""


def read_probes(folder: Path, manifest: Manifest) -> Probes:
    """Every result of a probe in the folder.

    Args:
        folder: the results folder.
        manifest: of it.

    Raises:
        InputError: a damaged file, or one of another system than its name says.
    """
    found: Probes = {}
    for name, (index, probe) in names_of_probes(len(manifest.systems)).items():
        if name in manifest.files:
            with open_checked(folder, name, MOST_BYTES, manifest.files[name]) as stream:
                result: ProbeResult[Any] = codec(probe).load(
                    stream.read(MOST_BYTES), shown_path(folder / name)
                )
            system = manifest.systems[index]
            stated = (result.probe, result.system, result.name, result.ladder.hash)
            if stated != (probe, system.fingerprint, system.name, manifest.signature.ladder_hash):
                refuse(shown_path(folder / name), "is of another probe, system or ladder than its name says")
            found.setdefault(probe, {})[index] = result
    return {name: found[name] for name in NAMES if name in found}
