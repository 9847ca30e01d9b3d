"""Write expected outputs anew: `python -m tests.golden.freeze [PREFIX ...]`, all of them without a prefix such as
`commands/drift`. Then read the diff: every line of it is a change that a user sees. Only `models/` needs PyTorch."""

from __future__ import annotations

import sys

from tests.golden.cases import CASES, WITH_A_MODEL
from tests.golden.doors import HERE

EXPECTED = HERE / "expected"


def main(prefixes: tuple[str, ...]) -> None:
    """Make the cases whose name begins with one of the prefixes; expected files without a case are deleted."""
    cases = {**CASES, **WITH_A_MODEL}
    for path in EXPECTED.rglob("*.*"):
        if path.relative_to(EXPECTED).as_posix() not in cases:
            path.unlink()
    for name, make in cases.items():
        if name.startswith(prefixes):
            path = EXPECTED / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(make(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ("",))
