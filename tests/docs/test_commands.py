"""Every command and every line of Python on a page runs as it stands there, and prints what stands below it.

`python -m tests.docs.renew` puts into the pages what is printed now.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from docs.pages import OUTSIDE
from tests.conftest import REPOSITORY
from tests.docs.blocks import NOT_RUN, Reader, blocks, difference
from tests.golden.doors import RUNS
from tests.running import one_embedder, only_our_tasks

PAGES = sorted({*(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / source for source in OUTSIDE.values())})
PAGES.remove(REPOSITORY / OUTSIDE["ladder.md"])  # generated, from the code's own templates: test_card.py
WITH_BLOCKS = [page for page in PAGES if blocks(page)]
MODEL = re.compile(r"^(?:lm_eval |lm-eval-sensitivity (?:neighborhood|probe) |import lm_eval$)", re.MULTILINE)
ALONE = "python.md"
"""What is said there holds in an interpreter of its own, in which nothing heavy was loaded."""


def place(folder: Path) -> Path:
    """Where a page's commands run: a checkout, as far as pages use one, with finished runs to be written to."""
    for name in ("demo", "rounded"):
        shutil.copytree(RUNS / "greedy" / name, folder / "runs" / name)
    for name in ("metrics", "examples/distance_to_answers"):
        shutil.copytree(REPOSITORY / name, folder / name)
    return folder


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.relative_to(REPOSITORY).as_posix()) for page in WITH_BLOCKS]
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    if page.name == ALONE:
        code = (
            "import sys; from pathlib import Path; from tests.docs.blocks import Reader; "
            f"Reader(Path({str(place(tmp_path))!r})).read(Path({str(page)!r})); "
            "assert not {'torch', 'lm_eval'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
        return
    reader = Reader(place(tmp_path))
    with ExitStack() as shared:
        if MODEL.search(page.read_text(encoding="utf-8")):  # imports PyTorch, which most pages can do without
            shared.enter_context(only_our_tasks())
            shared.enter_context(one_embedder())
        reader.read(page)
    for block, printed in reader.shown:
        wrong = difference(str(block.region.lexemes["source"]), printed)
        assert wrong is None, f"{page}:{block.line} shows\n{wrong}\nbut this was printed:\n{printed}"


def test_what_is_not_run_has_a_reason() -> None:
    given = {
        block.region.lexemes["arguments"].strip()
        for page in PAGES
        for block in blocks(page)
        if block.region.lexemes["kind"] == "not run"
    }
    assert given == set(NOT_RUN)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_no_command_hides_from_these_tests(page: Path) -> None:
    """A command stands in a block of `sh`: not in an indented block, nor in one of no kind."""
    text = re.sub(r"^```\w.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    hidden = re.findall(
        r"^(?:    |```\n)\s*(?:lm_eval|lm-eval-sensitivity|python|make|pip|bash) .*", text, re.M
    )
    assert not hidden
