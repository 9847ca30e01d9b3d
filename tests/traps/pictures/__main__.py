"""Make the pictures of docs/traps.md: `python -m tests.traps.pictures docs/images/traps`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.report.figures.style import render
from tests.running import only_our_tasks
from tests.traps.pictures import (
    collapse,
    confident_but_unstable,
    erased_edit,
    noise,
    rare_and_far,
    responsive_is_not_fragile,
    scaffold,
    stale_answers,
    two_attractors,
)
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import FOOT
from tests.traps.pictures.workshop import Workshop

TRAPS = (
    erased_edit,
    scaffold,
    collapse,
    confident_but_unstable,
    noise,
    stale_answers,
    responsive_is_not_fragile,
    two_attractors,
    rare_and_far,
)
NUMBERS = "numbers.json"
DIGITS = 4
"""Significant digits that are written: the last ones differ from machine to machine."""


def main(folder: Path) -> None:
    """Measure every trap, draw it, and write everything into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = TrapRuns(Workshop())
    numbers: dict[str, Any] = {}
    for place, trap in enumerate(TRAPS, start=1):
        print(f"{place} of {len(TRAPS)}: {trap.NAME}", flush=True)
        with only_our_tasks():
            shown = trap.show(runs)
        numbers[trap.NAME] = rounded(shown.numbers)
        for line in _lines(numbers[trap.NAME]):
            print(f"  {line}", flush=True)
        drawn = render(shown.picture, FOOT)
        (folder / f"{trap.NAME}.png").write_bytes(drawn.png)
    text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / NUMBERS).write_text(f"{text}\n", encoding="utf-8")
    print(f"{folder}: {len(TRAPS)} pictures and {NUMBERS}")


def rounded(value: Any) -> Any:
    """The same with fewer digits; a number that is missing is None."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return None if value != value else float(f"{value:.{DIGITS}g}")
    return value


def _lines(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _lines(each, f"{path}{', ' if path else ''}{name}")
    elif isinstance(value, list) and len(value) > 8:
        yield f"{path}: {len(value)} values"
    else:
        yield f"{path}: {value}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m tests.traps.pictures FOLDER")
    main(Path(sys.argv[1]))
