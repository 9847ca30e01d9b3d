"""`lm-eval-sensitivity publish`: exported results as a dataset on the Hub, and a Space that shows them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Files, Published, check_repo_id, listing, publish, set_variables
from lm_eval_sensitivity.ladder.hub import HUB_PREFIX
from lm_eval_sensitivity.results.files_to_publish import RESULTS, prepare_results
from lm_eval_sensitivity.space.files_to_publish import (
    SPACE,
    check_fetched,
    check_shown,
    space_files,
    space_variables,
)

EPILOG = """\
examples:
  lm-eval-sensitivity publish results/ ORG/NAME --tag v1.0.0 --dry-run
  lm-eval-sensitivity publish results/ ORG/NAME --tag v1.0.0 --space ORG/SPACE

Published are manifest.json, statements.json, the parquet files and a generated README.md, as one commit of a dataset,
with the tag if one is given. A statement of each kind is computed again from the pairs first, and compared. The files
hold prompts and outputs: look through them first. Files of the same name are replaced. Files of results that only a
former version has are in the way until --delete-former deletes them in the same commit; former versions keep theirs
under their tags. Everything else in the repository is left alone.

With --space a Space gets the page: README.md, app.py and requirements.txt as one commit, and the variables
RESULTS_DATASET and RESULTS_REVISION, which name what was published: the tag, or the commit where there is none. A Space
that is something else is left alone. It reads a private dataset only with a token, in its secret HF_TOKEN. If something
fails half-way, run the same command again: nothing is done twice.

The token is that of `hf auth login`, or of the environment variable HF_TOKEN."""

_PRIVATE_DATASET = (
    "The dataset is private, and the Space cannot read it without a token: add the secret HF_TOKEN, a token that may "
    "read {dataset}, in the settings of the Space. Whoever sees the Space then sees the results."
)
_NEXT = (
    "Next: run the same command with `--space ORG/SPACE`, which sets up a page, or set these variables in the settings "
    "of a Space that has the page: {variables}."
)
_STANDS = "The results stand on the Hub: the same command then sets up the Space only."


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "publish",
        help="publish exported results on the Hub, and a page that shows them",
        description="Read and check a whole results folder, and publish it as a dataset on the Hugging Face Hub; with "
        "--space set up the page that shows it, too.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder that `export` wrote")
    parser.add_argument("name", metavar="ORG/NAME", help="dataset on the Hub; it is made if there is none")
    parser.add_argument("--tag", metavar="VERSION", help="tag the commit, as in v1.0.0 (default: no tag)")
    parser.add_argument(
        "--space", metavar="ORG/SPACE", help="Space on the Hub that shows exactly this version"
    )
    parser.add_argument("--private", action="store_true", help="publish in private repositories only")
    parser.add_argument(
        "--dry-run", action="store_true", help="check and list the files, without the network"
    )
    parser.add_argument(
        "--delete-former", action="store_true", help="delete files of results that only a former version has"
    )
    parser.add_argument(
        "--license",
        metavar="ID",
        help="licence that the card names, as the Hub writes it, such as cc-by-4.0 (default: none is named)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check, list or publish, and say where it stands."""
    dataset, space = options.name.removeprefix(HUB_PREFIX), options.space
    check_repo_id(dataset, example="my-org/my-results")
    check_shown(dataset, options.tag)
    if space is not None:
        check_repo_id(space, argument="--space", example="my-org/my-page")
    files = prepare_results(options.results, dataset, license_id=options.license, tag=options.tag)
    check_fetched(files)
    page = None if space is None else space_files(dataset)
    if options.dry_run:
        _print_plan(options, dataset, files, page)
        return 0
    done = publish(
        dataset,
        files,
        RESULTS,
        message=f"Results {options.tag}" if options.tag else "Results",
        tag=options.tag,
        private=options.private,
        delete_former=options.delete_former,
    )
    what = "Published" if done.changed else "Nothing to do: the same files stand there already as"
    # Said before the Space is asked, which may refuse.
    print(f"{what} {HUB_PREFIX}{dataset}@{done.revision} ({_seen(done)}, {len(files)} files)", flush=True)
    if page is None:
        print(_NEXT.format(variables=_listed(space_variables(dataset, done.revision))))
    else:
        _set_up(space, page, done, private=options.private)
    return 0


def _set_up(space: str, page: Files, dataset: Published, *, private: bool) -> None:
    """Publish the page and point it at what stands on the Hub now."""
    variables = space_variables(dataset.repo_id, dataset.revision)
    try:
        done = publish(space, page, SPACE, message="Page over published results", private=private)
        changed = set_variables(space, variables, SPACE)
    except InputError as error:
        raise InputError(f"{error} {_STANDS}") from None
    page_there = f"the Space {space} ({_seen(done)}) with {_listed(variables)}"
    is_new = done.changed or changed
    print(f"Set up {page_there}" if is_new else f"Nothing to do: {page_there} stands there already")
    if dataset.private:
        print(_PRIVATE_DATASET.format(dataset=dataset.repo_id))


def _print_plan(options: argparse.Namespace, dataset: str, files: Files, page: Files | None) -> None:
    seen = " (private)" if options.private else ""
    version = f" as {options.tag}" if options.tag else ", without a tag"
    print(f"Would publish {dataset}{version}{seen}:\n{listing(files)}")
    if page is not None:
        print(f"Would set up the Space {options.space}{seen}:\n{listing(page)}")
        print(f"  {_listed(space_variables(dataset, options.tag or '<the commit>'))}")


def _listed(variables: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in variables.items())


def _seen(done: Published) -> str:
    return "private" if done.private else "public"
