"""Simulations behind docs/validation.md, recorded as JSON beside this file.

    python -m benchmarks.simulate                      # all parts, one after the other
    python -m benchmarks.simulate coverage verdicts    # only these
    python -m benchmarks.simulate --page               # only write the recorded figures into docs/validation.md

One thread is enough: set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.simulate.coverage import coverage
from benchmarks.simulate.designs import designs
from benchmarks.simulate.family import family
from benchmarks.simulate.noise import noise
from benchmarks.simulate.page import RECORDED, write_page
from benchmarks.simulate.power import power
from benchmarks.simulate.sampled import sampled
from benchmarks.simulate.verdicts import verdicts

PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "coverage": coverage,
    "family": family,
    "verdicts": verdicts,
    "noise": noise,
    "power": power,
    "designs": designs,
    "sampled": sampled,
}


def main() -> None:
    """Run the parts asked for, record them, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all")
    parser.add_argument("--replicates", type=int, default=2_000, help="default: %(default)s")
    parser.add_argument("--page", action="store_true", help="run nothing")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: accepted are {', '.join(PARTS)}")
    for name in () if options.page else options.parts or PARTS:
        start = time.process_time()
        found = PARTS[name](options.replicates)
        minutes = round((time.process_time() - start) / 60, 1)
        text = json.dumps({"minutes_of_one_core": minutes, **found}, indent=1)
        (RECORDED / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {minutes} minutes of one core", flush=True)
    write_page()


if __name__ == "__main__":
    main()
