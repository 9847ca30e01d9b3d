"""The Space that shows published results: its files, and what its settings must say."""

from __future__ import annotations

from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Files, Kind, can_be_tag, size_of
from lm_eval_sensitivity.space.hub import DATASET, MAX_FETCHED_BYTES, REVISION, is_dataset_id, is_version_tag
from lm_eval_sensitivity.text.escape import quoted

CARD_FILE, APP_FILE, REQUIREMENTS_FILE = "README.md", "app.py", "requirements.txt"
SPACE_FILES = (CARD_FILE, APP_FILE, REQUIREMENTS_FILE)
SPACE = Kind(
    noun="page",
    is_file=SPACE_FILES.__contains__,
    repo_type="space",
    space_sdk="gradio",
    telling=APP_FILE,
)
_NO_DATASETS = "\ndatasets: []\n"


def leaderboard_folder() -> Path:
    """The files of the Space.

    Returns:
        The folder inside the installed package, else in the source checkout.

    Raises:
        InputError: neither exists, so the installation is incomplete.
    """
    here = Path(__file__).resolve()
    candidates = (here.parent / "leaderboard", here.parents[2] / "leaderboard")
    for folder in candidates:
        if all((folder / name).is_file() for name in SPACE_FILES):
            return folder
    raise InputError(
        f"The files of the Space are missing: no folder `{candidates[0]}`. Install the package again."
    )


def space_files(dataset: str) -> Files:
    """The files of a Space over a dataset, which its card names so that the Hub links the two.

    Args:
        dataset: `ORG/NAME`, checked: it stands in YAML.

    Returns:
        Content by name.

    Raises:
        InputError: the installation is incomplete.
    """
    folder = leaderboard_folder()
    files = {name: (folder / name).read_bytes() for name in SPACE_FILES}
    card = files[CARD_FILE].decode("utf-8")
    named = card.replace(_NO_DATASETS, f"\ndatasets:\n  - {dataset}\n", 1)
    return {**files, CARD_FILE: named.encode("utf-8")}


def space_variables(dataset: str, revision: str) -> dict[str, str]:
    """What the settings of the Space must say, for `space.hub.chosen_results` to read.

    Args:
        dataset: `ORG/NAME`, checked.
        revision: a tag or a commit, checked.

    Returns:
        Value by name of the variable.

    Example:
        >>> space_variables("org/results", "v1.0.0")
        {'RESULTS_DATASET': 'org/results', 'RESULTS_REVISION': 'v1.0.0'}
    """
    return {DATASET: dataset, REVISION: revision}


def check_fetched(files: Files) -> None:
    """Refuse results that no page would fetch, before anything goes up.

    Args:
        files: of `prepare_results`.

    Raises:
        InputError: they are too large; what to do.
    """
    size = sum(size_of(content) for content in files.values())
    if size > MAX_FETCHED_BYTES:
        raise InputError(
            f"These results have {size:,} bytes, and a page fetches at most {MAX_FETCHED_BYTES:,}. Export fewer "
            "systems into one folder, and publish that."
        )


def check_shown(dataset: str, tag: str | None) -> None:
    """Refuse a name or a tag that no page would show, so that nobody publishes under it.

    Args:
        dataset: as given.
        tag: as given; None for none.

    Raises:
        InputError: what is accepted.

    Example:
        >>> check_shown("org/results", "v1.0.0")
        >>> check_shown("org/results", "main")
        Traceback (most recent call last):
            ...
        lm_eval_sensitivity.errors.InputError: `--tag` is 'main'; accepted is ... such as 'v1.0.0'...
    """
    if not is_dataset_id(dataset):
        raise InputError(
            f"`ORG/NAME` is {dataset!r}, which a page does not accept; both parts begin with a letter or a digit. "
            "Choose another name."
        )
    if tag is not None and not (is_version_tag(tag) and can_be_tag(tag)):
        raise InputError(
            f"`--tag` is {quoted(tag)}; accepted is a version that git can take as a tag, such as 'v1.0.0'. A page "
            "takes any other name for a branch, whose content changes. Correct the tag, or give none."
        )
