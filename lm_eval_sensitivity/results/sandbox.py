"""A stranger's folder is read in a child process first, with limits on its memory and its time.

The child is `decode.py` and reads with the same code. Only what it could read is then read here, and only the same
bytes: the manifest, which has the checksums of everything else, is known by its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.limits import READER_BYTES, READER_SECONDS
from lm_eval_sensitivity.results.files import refuse
from lm_eval_sensitivity.results.manifest import MANIFEST
from lm_eval_sensitivity.text.escape import shown_path

EVERYTHING, STATEMENTS = "everything", "statements"
"""Parts of a folder; a system's index stands for its pairs and details."""
_START = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
class WithoutPandas:  # pyarrow would load it, to ask whether a list is one of its frames
    def find_spec(name, path=None, target=None):
        if name == "pandas":
            raise ImportError(name)
sys.meta_path.insert(0, WithoutPandas)
from lm_eval_sensitivity.results.decode import main
main(*sys.argv[2:])"""
_LEAN = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_IO_THREADS", "MALLOC_ARENA_MAX"), "1"),
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""Threads of numerical libraries and pools of pyarrow would reserve memory that they do not use."""
_accepted: set[tuple[str, str]] = set()
"""Manifests by their sha256, and parts, that this process had read."""


def try_to_read(
    folder: Path, part: str, sha256: str, *, memory: int = READER_BYTES, seconds: float = READER_SECONDS
) -> None:
    """Have a part of a folder read by a child process, unless that was done before.

    Args:
        folder: the results folder.
        part: `EVERYTHING`, `STATEMENTS`, or the index of a system.
        sha256: of its manifest.
        memory: bytes that the child may have; not enforced on Windows.
        seconds: of processor time that it may take, and twice as many by the clock.

    Raises:
        InputError: the child refused the folder, or needed more; the sentence names the file.
    """
    if {(sha256, part), (sha256, EVERYTHING)} & _accepted:
        return
    # Isolated: neither the working directory nor the environment says what is imported.
    line = [sys.executable, "-I", "-c", _START, json.dumps([each for each in sys.path if each])]
    line += [str(folder), part, sha256, str(memory), str(int(seconds))]
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * seconds,
            env={**os.environ, **_LEAN},
            check=False,
        )
        said, failed = done.stdout, done.returncode > 0 and b"Traceback" in done.stderr
    except subprocess.TimeoutExpired as error:
        said, failed = error.stdout or b"", False
    if failed:
        raise RuntimeError(f"the reader of results failed: {done.stderr.decode(errors='replace')[-2000:]}")
    lines = said.rpartition(b"\n")[0].splitlines()  # whoever is stopped may have begun another one
    kind, last = json.loads(lines[-1]) if lines else ("reading", MANIFEST)
    if kind == "refused":
        raise InputError(last)
    if kind != "accepted":
        limits = f"{memory // 2**20} MiB of memory or {seconds:g} seconds"
        refuse(
            shown_path(folder / last), f"takes more than {limits} to read, or ends the program that reads it"
        )
    _accepted.add((sha256, part))
