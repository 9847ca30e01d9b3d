"""The pages of the site in one folder: `python docs/pages.py build/docs`, before `zensical build`.

Pages that stand elsewhere in the repository (README.md is the first page) are not kept twice: they are copied here,
and links between all of them are made to fit. A link to a file that is no page keeps its words only. A link to
nothing is an error.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "index.md": "README.md",
    "tasks.md": "tasks/prompt_sensitivity/README.md",
    "ladder.md": "datasets/prompt_sensitivity_ladder/README.md",
    "space.md": "leaderboard/README.md",
    "benchmarks.md": "benchmarks/README.md",
    "metric_distance.md": "metrics/answer_cosine_distance/README.md",
    "metric_drift.md": "metrics/prompt_sensitivity_drift/README.md",
    "tests.md": "tests/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
"""Page of the site -> file of the repository."""
COPIED = ("*.md", "probes/*.md", "images/**/*.*", "assets/*")
"""What the site has of docs/."""
_PAGE_OF = {source: page for page, source in OUTSIDE.items()}
_CODE = r"^(?:```|~~~).*?^(?:```|~~~)[ \t]*$|`[^`\n]+`"
_LINK = r"(?P<text>\[(?:`[^`]*`|[^\[\]`]|\[[^\[\]]*\])*\])\((?P<target>[^()\s]+)\)"
_LINK_OR_CODE = re.compile(f"(?P<code>{_CODE})|{_LINK}", flags=re.DOTALL | re.MULTILINE)


class BrokenLinksError(Exception):
    """One line for every link that leads nowhere."""


def write(folder: Path) -> None:
    """Make the folder anew.

    Args:
        folder: of the pages; what is in it is removed.

    Raises:
        BrokenLinksError: a page links to a file that is not there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    broken: list[str] = []
    for page, source in sources().items():
        target = folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text = re.sub(r"\A---\n.*?\n---\n", "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
            name = source.relative_to(REPOSITORY).as_posix()
            target.write_text(with_links(text, name, broken.append), encoding="utf-8")
        else:
            shutil.copyfile(source, target)
    (folder / "commands.md").write_text(commands_page(), encoding="utf-8")
    if broken:
        raise BrokenLinksError("\n".join(broken))


def sources() -> dict[str, Path]:
    """File of the site -> file of the repository."""
    docs = REPOSITORY / "docs"
    inside = [path for pattern in COPIED for path in sorted(docs.glob(pattern)) if path.is_file()]
    return {
        **{path.relative_to(docs).as_posix(): path for path in inside},
        **{page: REPOSITORY / source for page, source in OUTSIDE.items()},
    }


def with_links(text: str, source: str, broken: Callable[[str], object]) -> str:
    """A page's text with links as the site needs them.

    Args:
        text: of the page, in Markdown.
        source: its file in the repository.
        broken: gets a line for every link that leads nowhere.

    Returns:
        The text; what stands in code is left alone.

    Example:
        >>> with_links("[m](docs/metrics.md#a) [t](tests/running.py)", "README.md", print)
        '[m](metrics.md#a) t'
    """

    def linked(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        target, mark, anchor = found["target"].partition("#")
        if not target or ":" in target:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        inside = path.removeprefix("docs/") if path.startswith("docs/") else None
        page = _PAGE_OF.get(path, inside)
        if page and source.startswith("docs/"):
            page = posixpath.relpath(page, posixpath.dirname(source.removeprefix("docs/")) or ".")
        if not (REPOSITORY / path).exists() and page != "commands.md":
            broken(f"{source}: there is no {found['target']}")
        return f"{found['text']}({page}{mark}{anchor})" if page else found["text"][1:-1]

    return _LINK_OR_CODE.sub(linked, text)


def commands_page() -> str:
    """Every command's own help, as a page.

    Returns:
        Markdown: a heading and a block for each command.
    """
    from lm_eval_sensitivity.cli.main import build_parser

    os.environ["COLUMNS"] = "78"  # what fits beside the navigation
    lines = ["# Commands", "", "What each command prints for `--help`."]
    for name, parser in _commands(build_parser()):
        lines += ["", f"## {name}", "", "```text", parser.format_help().strip(), "```"]
    return "\n".join(lines) + "\n"


def _commands(
    parser: argparse.ArgumentParser, name: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # argparse has no other way to ask for its subcommands
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                inside = list(_commands(below, f"{name}{word} "))
                yield from inside or [(f"{name}{word}", below)]


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except BrokenLinksError as error:
        sys.exit(str(error))
