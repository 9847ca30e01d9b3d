"""Build the ladder of a source checkout: `python -m lm_eval_sensitivity.ladder [FOLDER]`.

Each `FOLDER/sources/<subset>.yaml` becomes `FOLDER/<subset>/test.parquet`, and the counts in
`FOLDER/README.md` follow. Without FOLDER it is the packaged ladder's folder in the checkout.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.card import update_card
from lm_eval_sensitivity.ladder.load import SUBSET_FILE, Ladder, load_ladder, packaged_folder
from lm_eval_sensitivity.ladder.parquet import write_parquet


def main(arguments: list[str] | None = None) -> None:
    """Build every subset, then the card, and print one line per file."""
    parser = argparse.ArgumentParser(
        prog="python -m lm_eval_sensitivity.ladder", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", nargs="?", type=Path, help="folder with sources/<subset>.yaml")
    for ladder in build_folder(parser.parse_args(arguments).folder or packaged_folder()):
        print(f"{ladder.subset}: {len(ladder.pairs)} pairs, {ladder.version}, {ladder.content_hash}")


def build_folder(folder: Path) -> list[Ladder]:
    """Write the parquet file of every authored source, then the card if there is one.

    Returns:
        The ladders as they load from the written files, smallest name first.

    Raises:
        InputError: there are no sources, or one breaks a rule of the ladder.
    """
    sources = sorted((folder / "sources").glob("*.yaml"))
    if not sources:
        raise InputError(
            f"`{folder}` has no file `sources/<subset>.yaml`. Give the dataset folder of a checkout."
        )
    for source in sources:
        # Loading the source runs the checks before anything is written.
        write_parquet(load_ladder(str(source)).pairs, folder / source.stem / SUBSET_FILE)
    card = folder / "README.md"
    if card.exists():
        card.write_text(
            update_card(card.read_text(encoding="utf-8"), load_ladder(str(folder))), encoding="utf-8"
        )
    return [load_ladder(str(folder), source.stem) for source in sources]


if __name__ == "__main__":
    main()
