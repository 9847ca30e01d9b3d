"""Put into the pages what their commands print now: `python -m tests.docs.renew [PAGE...]`; then read the diff.

Where lines are left out, each part that is shown becomes the lines that are most like it.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs.blocks import LEFT_OUT, Reader
from tests.docs.test_commands import WITH_BLOCKS, place
from tests.running import one_embedder, only_our_tasks


def renewed(shown: str, printed: str) -> str:
    """A shown output with the lines of a new one."""
    lines = printed.strip("\n").splitlines()
    if LEFT_OUT not in shown.splitlines():
        return "\n".join(lines) + "\n"
    found: list[str] = []
    part: list[str] = []
    at = 0
    for line in [*shown.splitlines(), LEFT_OUT]:
        if line != LEFT_OUT:
            part.append(line)
            continue
        if part:
            at = _most_like(part, lines, at)
            found += lines[at : at + len(part)]
            at += len(part)
        found.append(LEFT_OUT)
        part = []
    return "\n".join(found[:-1]) + "\n"


def _most_like(part: Sequence[str], lines: Sequence[str], at: int) -> int:
    """Where in the lines something like a part begins."""

    def likeness(start: int) -> float:
        pairs = zip(part, lines[start : start + len(part)], strict=True)
        return sum(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)

    return max(range(at, len(lines) - len(part) + 1), key=likeness, default=at)


def main(names: Sequence[str]) -> None:
    """Renew the pages of these names, or all."""
    for page in WITH_BLOCKS:
        if names and page.name not in names:
            continue
        with TemporaryDirectory() as folder, only_our_tasks(), one_embedder():
            reader = Reader(place(Path(folder)))
            reader.read(page)
        text = page.read_text(encoding="utf-8")
        for block, printed in reversed(reader.shown):
            source = block.region.lexemes["source"]
            start = block.region.start + source.offset
            text = text[:start] + renewed(str(source), printed) + text[start + len(source) :]
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
