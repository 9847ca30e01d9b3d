"""The child process that reads a stranger's folder: `sandbox.py` starts it, and obeys what it says of the folder."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.read import read_everything, read_results
from lm_eval_sensitivity.results.sandbox import EVERYTHING, STATEMENTS


def main(folder: str, part: str, sha256: str, memory: str, seconds: str) -> None:
    """Announce every file, read, and say how it went; one JSON list on each line.

    Args:
        folder: the results folder.
        part: as for `try_to_read`.
        sha256: of its manifest.
        memory: bytes.
        seconds: of processor time.
    """
    _limit(int(memory), int(seconds))
    _announce(folder)
    try:
        _read(Path(folder), part, sha256)
        _say("accepted", "")
    except InputError as error:
        _say("refused", str(error))
    except MemoryError:
        sys.exit(1)
    except Exception:
        if _was_near(int(memory)):
            # A library that is refused memory may raise anything.
            sys.exit(1)
        raise


def _read(folder: Path, part: str, sha256: str) -> None:
    if part == EVERYTHING:
        read_everything(folder, sha256)
        return
    results = read_results(folder, sha256, of_systems_only=part != STATEMENTS)
    if part != STATEMENTS:
        results.check(int(part))


def _was_near(memory: int) -> bool:
    """Whether this process once had three quarters of its memory; False where that cannot be seen."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peak = next(line for line in status.splitlines() if line.startswith("VmPeak:")).split()[1]
    except (OSError, StopIteration):
        return False
    return int(peak) * 1024 > memory * 3 // 4


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows, where the parent's clock is the only limit
        return
    for what, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
        with suppress(OSError, ValueError):  # macOS has no limit of the address space
            resource.setrlimit(what, (limit, limit))


def _announce(folder: str) -> None:
    """Name every file of the folder when it is opened, so that the last one is known if that ends this process."""

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(folder):
            _say("reading", os.path.relpath(str(arguments[0]), folder))

    sys.addaudithook(hear)


def _say(kind: str, what: str) -> None:
    print(json.dumps([kind, what]), flush=True)
