"""Write all expected outputs anew: `python -m tests.golden.freeze`. Then read the diff: every line of it is a change
that a user sees."""

from __future__ import annotations

import shutil
import sys

from tests.golden.cases import CASES, WITH_A_MODEL
from tests.golden.doors import HERE

EXPECTED = HERE / "expected"


def main(without_models: bool) -> None:
    """With `--without-models`, leave what needs PyTorch as it is."""
    cases = {**CASES, **({} if without_models else WITH_A_MODEL)}
    for folder in {name.split("/")[0] for name in cases}:
        shutil.rmtree(EXPECTED / folder, ignore_errors=True)
    for name, make in cases.items():
        path = EXPECTED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main("--without-models" in sys.argv)
