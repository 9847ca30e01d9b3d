"""`lm-eval-sensitivity ladder push`: publish a ladder on the Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import check_repo_id, listing
from lm_eval_sensitivity.ladder.authoring.checks import check_ladder
from lm_eval_sensitivity.ladder.authoring.files_to_publish import prepare
from lm_eval_sensitivity.ladder.hub import HUB_PREFIX, publish
from lm_eval_sensitivity.ladder.load import packaged_folder

EPILOG = """\
examples:
  lm-eval-sensitivity ladder push ORG/NAME my_ladder/ --dry-run
  lm-eval-sensitivity ladder push ORG/NAME datasets/prompt_sensitivity_ladder

Published are README.md, eval.yaml, the parquet files and sources/*.yaml, as one commit with the tag v<ladder version>;
a folder without README.md gets a minimal card. Files of the same name are replaced. Parquet files and sources that
only a former version has are in the way until --delete-former deletes them in the same commit; former versions keep
theirs under their tags. Everything else in the repository is left alone.

The token is that of `hf auth login`, or of the environment variable HF_TOKEN.
Needs: pip install "lm-eval-sensitivity[ladder]\""""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "push",
        help="publish a ladder on the Hub",
        description="Check a ladder and publish it as a dataset on the Hugging Face Hub. It is published only if "
        "all checks that need no sentence embedder find nothing; `ladder check` has more, and names every finding.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="ORG/NAME", help="dataset on the Hub; it is made if there is none")
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="dataset folder; default: the packaged ladder"
    )
    parser.add_argument("--private", action="store_true", help="publish in a private repository only")
    parser.add_argument(
        "--dry-run", action="store_true", help="check and list the files, without the network"
    )
    parser.add_argument(
        "--without-eval-yaml", action="store_true", help="leave out eval.yaml, which the Hub may refuse"
    )
    parser.add_argument(
        "--delete-former", action="store_true", help="delete ladder files that only a former version has"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check, list or publish, and say where it stands."""
    repo_id = options.name.removeprefix(HUB_PREFIX)
    check_repo_id(repo_id)
    folder = options.folder or packaged_folder()
    tag, files = prepare(folder, repo_id, with_eval_file=not options.without_eval_yaml)
    _refuse_violations(folder)
    if options.dry_run:
        print(f"Would publish {repo_id} as {tag}:\n{listing(files)}")
        return 0
    done = publish(
        repo_id,
        files,
        tag,
        private=options.private,
        delete_former=options.delete_former,
    )
    what = "Published" if done.changed else "Nothing to do: the same files stand there already as"
    seen = "private" if done.private else "public"
    print(f"{what} hf://datasets/{done.repo_id}@{done.tag} ({seen}, {len(files)} files)")
    return 0


def _refuse_violations(folder: Path) -> None:
    violations = check_ladder(folder).violations
    if violations:
        n = len(violations)
        raise InputError(
            f"The ladder is not published: it has {n} violation{'s'[: n > 1]}, the first is: {violations[0]}. Run "
            f"`lm-eval-sensitivity ladder check {folder}`, which names them all, and correct them."
        )
