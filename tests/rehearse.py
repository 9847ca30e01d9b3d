"""A command against an empty Hub on this machine: `python -m tests.rehearse COMMAND ...`.

It answers the Hub's own client as the Hub does, checks what comes, and is gone afterwards. Every account can be written
to but `them`. What stands on it at the end is listed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.unit.hub.serving import environment, serving
from tests.unit.hub.stand_in import StandInHub


def main(command: Sequence[str]) -> int:
    """Run a command, and say what it left.

    Returns:
        Its exit status.
    """
    with serving(StandInHub()) as hub, tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [*command], env={**os.environ, **environment(hub, Path(home)), "PATH": _with_our_programs()}
        )
    for (kind, name), repository in hub.repositories.items():
        seen = "private" if repository.private else "public"
        tags = "".join(f", tag {tag}" for tag in repository.tags)
        settings = "".join(f", {key}={value}" for key, value in repository.variables.items())
        print(f"{kind} {name} ({seen}): {len(repository.commits[-1])} files{tags}{settings}")
    return done.returncode


def _with_our_programs() -> str:
    """The search path, first of it this interpreter's folder: its environment need not be activated."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
