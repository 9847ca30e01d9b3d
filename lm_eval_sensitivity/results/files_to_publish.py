"""What is published of a results folder, after everything in it was read, and some of it computed again."""

from __future__ import annotations

import re
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Files, Kind
from lm_eval_sensitivity.results.card import CARD_FILE, results_card
from lm_eval_sensitivity.results.manifest import MANIFEST
from lm_eval_sensitivity.results.output_folder import FOLDERS, is_file_of_results
from lm_eval_sensitivity.results.read import open_results
from lm_eval_sensitivity.results.recompute import check_some
from lm_eval_sensitivity.text.escape import shown, shown_path

RESULTS = Kind(
    noun="results",
    is_file=is_file_of_results,  # besides, a version has its card
    new_version="publish these results under another tag",
)
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,39}")


def prepare_results(
    folder: Path, repo_id: str, *, license_id: str | None = None, tag: str | None = None
) -> Files:
    """Read a whole results folder and collect what is published of it.

    Args:
        folder: written by `lm-eval-sensitivity export`.
        repo_id: `ORG/NAME`, checked.
        license_id: for the card, as the Hub writes it; None says nothing about a licence.
        tag: for the card, checked.

    Returns:
        The card from memory, everything else as local files: details can be large.

    Raises:
        InputError: a file is damaged, or there is one that is none of the results, or a number is another one than its
            pairs give, or no licence has that id.
    """
    if license_id is not None and not _LICENSE.fullmatch(license_id):
        raise InputError(
            f"`--license` is {shown(license_id)}; accepted is the id of a licence as the Hub writes it, such as "
            "'cc-by-4.0', or 'other'. Correct the id."
        )
    results = open_results(folder, everything=True)
    manifest = results.manifest
    names = [MANIFEST, *sorted(manifest.files)]
    _refuse_foreign(folder, names)
    check_some(results, folder)
    card = results_card(manifest, repo_id, license_id=license_id, tag=tag)
    # Absolute: the client of the Hub would take a `~` at the beginning for a home folder.
    return {CARD_FILE: card.encode("utf-8"), **{name: folder.absolute() / name for name in names}}


def _refuse_foreign(folder: Path, names: list[str]) -> None:
    """Nothing stays behind that somebody meant to publish."""
    present = {each.relative_to(folder).as_posix() for each in folder.rglob("*")}
    foreign = sorted(present.difference(names, FOLDERS))
    if foreign:
        raise InputError(
            f"Results folder `{shown_path(folder)}` holds {shown(foreign[0])}, which is no file of these results. Move "
            "it out of the folder, and publish again."
        )
