"""Build the ladder of a source checkout: `python -m lm_eval_sensitivity.ladder [FOLDER]`.

`FOLDER/sources/*.yaml` become `FOLDER/<subset>/test.parquet`, and the generated parts of
`FOLDER/README.md` follow. Without FOLDER it is the packaged ladder's folder in the checkout.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lm_eval_sensitivity.ladder.authoring.folder import build_folder
from lm_eval_sensitivity.ladder.load import packaged_folder


def main(arguments: list[str] | None = None) -> None:
    """Build every subset, then the card, and print one line per file."""
    parser = argparse.ArgumentParser(
        prog="python -m lm_eval_sensitivity.ladder", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", nargs="?", type=Path, help="folder with sources/*.yaml")
    for ladder in build_folder(parser.parse_args(arguments).folder or packaged_folder()):
        print(
            f"{ladder.subset}: {len(ladder.prompts)} prompts, {len(ladder.pairs)} pairs, {ladder.version}, "
            f"{ladder.content_hash}"
        )


if __name__ == "__main__":
    main()
