"""Probe results in a run folder: one file each, strangers' data when it is read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.catalogue import NAMES, probe_named
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.records.file_codec import Codec, read_stranger
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.text.escape import shown_path

MOST_BYTES = 64 * 2**20
LONGEST_TEXT = 100_000
"""Characters of one text; a card holds whole prompts."""
ADVICE = "Make it again with `lm-eval-sensitivity probe`, or remove the file."


@cache
def codec(name: str) -> Codec[Any]:
    """What writes and reads the results of one probe."""
    kind: Any = ProbeResult
    return Codec(kind[probe_named(name).finding], LONGEST_TEXT, ADVICE)


def save(result: ProbeResult[Any], folder: Path) -> Path:
    """Write a result beside the results of its run, in the place of an earlier one of the same system.

    Args:
        result: of a probe.
        folder: where the run's results file is.

    Returns:
        The file.

    Raises:
        InputError: it cannot be written.
    """
    # Without a date: what is named as lm_eval's results files are is read as one.
    path = folder / _file_name(result.probe, result.system)
    partial = folder / f".{path.name}.{os.getpid()}"
    try:
        partial.write_bytes(codec(result.probe).dump(result, indent=1))
        # Whole or not at all: an earlier result outlives an interrupt, and two writers do not mix.
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{shown_path(path)} cannot be written ({error.strerror}).") from None
    return path


def check_folder(folder: Path) -> None:
    """Refuse before anything is measured a folder that takes no file.

    Args:
        folder: where a result will be saved.

    Raises:
        InputError: nothing can be written there.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"{shown_path(folder)} cannot be written, and results of probes are kept there. Make it writable, or copy "
            "the run."
        )


def _file_name(probe: str, system: str) -> str:
    return f"probe_{probe}_{system}.json"


def load(path: Path, name: str) -> ProbeResult[Any]:
    """Read a result.

    Args:
        path: a file that `save` wrote, or a stranger.
        name: of the probe that its name states.

    Raises:
        InputError: it is too large, or the first field that is not accepted.
    """
    place = shown_path(path)
    found: ProbeResult[Any] = codec(name).load(read_stranger(path, MOST_BYTES, ADVICE), place)
    if _file_name(found.probe, found.system) != path.name:
        raise InputError(f"{place} is not named after its probe and its system. {ADVICE}")
    return found


def kept_results(system: System, names: Iterable[str] = NAMES) -> dict[str, ProbeResult[Any]]:
    """What was probed of a loaded system, as it lies beside its results.

    Args:
        system: from `load_runs`.
        names: of probes.

    Returns:
        Results by name of the probe, in the order given, called as the system is; of two folders with one the newer
        file. A file of another ladder is not its own.

    Raises:
        InputError: a file that is damaged.
    """
    folders = sorted({rung.results.parent for rung in system.rungs})
    found = {}
    for name in names:
        paths = [
            path for folder in folders if (path := folder / _file_name(name, system.fingerprint)).exists()
        ]
        results = [load(path, name) for path in sorted(paths, key=lambda path: path.stat().st_mtime)]
        own = [each for each in results if each.ladder.hash == system.ladder.hash]
        if own:
            found[name] = replace(own[-1], name=system.name)
    return found
