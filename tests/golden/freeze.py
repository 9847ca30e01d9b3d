"""Write expected outputs anew: `python -m tests.golden.freeze [PREFIX ...]`, all of them without a prefix such as
`commands/drift`. Then read the diff: every line of it is a change that a user sees. Only `models/` and `again/`
need PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.golden.cases import CASES, WITH_A_MODEL
from tests.golden.doors import HERE, said
from tests.golden.record import RECORDINGS, record, workplace

EXPECTED = HERE / "expected"


def main(prefixes: tuple[str, ...]) -> None:
    """Make the cases whose name begins with one of the prefixes; expected files without a case are deleted."""
    cases = {**CASES, **WITH_A_MODEL}
    for path in EXPECTED.rglob("*.*"):
        if path.relative_to(EXPECTED).as_posix() not in {*cases, *map(again, RECORDINGS)}:
            path.unlink()
    for name, make in cases.items():
        if name.startswith(prefixes):
            _write(name, make())
    if any(again(name).startswith(prefixes) for name in RECORDINGS):
        for name, text in _runs_of_today():
            _write(again(name), text)


def again(recording: str) -> str:
    """Where it stands what a recording says when it is made again."""
    return f"again/{recording}.txt"


def _runs_of_today() -> Iterator[tuple[str, str]]:
    with workplace() as folder:
        for name in RECORDINGS:
            record(name, folder)
            yield name, said(folder / name)


def _write(name: str, text: str) -> None:
    path = EXPECTED / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ("",))
