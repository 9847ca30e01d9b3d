"""The blocks of a page of the documentation, and a reader who does what they say.

A block of `sh` holds commands, one of `python` code, in one namespace per page. A block of `text` behind either is what
it printed; a line of it that is only `…` stands for lines left out. A block with a `title` is a file that the reader
makes. Remarks may stand before a block, and no reader sees them:

    <!-- not run: hub -->    why it cannot be run here, one of `NOT_RUN`; its command line is checked all the same
    <!-- exit: 1 -->         the status that it ends with
    <!-- stands in: FILE --> an output that stands in this file of the repository, because its command is not run here
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, FencedCodeBlockLexer

from lm_eval_sensitivity.demo import demo_model_path
from tests.conftest import REPOSITORY
from tests.docs.command_lines import check
from tests.golden.doors import inside, same_in_print

NOT_RUN = {
    "hub": "needs a model, a tokenizer or a data set of the Hub",
    "long": "takes minutes; other tests run what it runs",
    "installs": "changes the environment",
    "stays": "serves until it is stopped",
}
"""Reason -> in words. Every reason is given somewhere, and no other."""
REMARKS = ("not run", "exit", "stands in")
WIDTH = "110"
LEFT_OUT = "…"


class WrongPageError(AssertionError):
    """A page says what is not so."""


def blocks(page: Path) -> list[Example]:
    """Blocks and remarks of a page, in order."""

    def regions(document: Document) -> Iterator[Region]:
        yield from FencedCodeBlockLexer(r"[^\n]+", {"language": "kind", "source": "source"})(document)
        for remark in DirectiveInHTMLCommentLexer("|".join(REMARKS))(document):
            remark.lexemes["kind"] = remark.lexemes["directive"]
            yield remark

    return list(Document.parse(str(page), regions))


@dataclass
class Reader:
    """Does what a page says, from top to bottom, in a folder."""

    folder: Path
    namespace: dict[str, Any] = field(default_factory=dict)
    shown: list[tuple[Example, str]] = field(default_factory=list)
    """Outputs on the page, and what was really printed."""
    printed: str | None = None
    """By the last block; None where it was not run."""

    def read(self, page: Path) -> None:
        """Run all blocks of a page."""
        remarks: dict[str, str] = {}
        for block in blocks(page):
            kind = block.region.lexemes["kind"]
            if kind in REMARKS:
                remarks[kind] = block.region.lexemes["arguments"].strip()
                continue
            try:
                self._do(block, remarks)
            except Exception as error:
                raise WrongPageError(f"{page}:{block.line}: {error}") from error
            remarks = {}

    def _do(self, block: Example, remarks: Mapping[str, str]) -> None:
        kind, _, title = block.region.lexemes["kind"].partition(" title=")
        source = str(block.region.lexemes["source"])
        if title:
            (self.folder / title.strip('"')).write_text(source, encoding="utf-8")
        elif "not run" in remarks:
            self.printed = None
            for words in command_lines(source) if kind == "sh" else ():
                check(words)
        elif kind in ("sh", "python"):
            self.printed = self._run(kind, source, int(remarks.get("exit", 0)))
        elif kind == "text":
            if "stands in" in remarks:
                self.printed = (REPOSITORY / remarks["stands in"]).read_text(encoding="utf-8")
            if self.printed is None:
                raise WrongPageError("no block that was run stands before this output")
            self.shown.append((block, self.printed))

    def _run(self, kind: str, source: str, status: int) -> str:
        printed, complained = StringIO(), StringIO()
        with (
            inside(self.folder),
            patch.dict(os.environ, {"COLUMNS": WIDTH, "NO_COLOR": "1"}),
            redirect_stdout(printed),
            redirect_stderr(complained),
        ):
            if kind == "python":
                exec(compile(source, "page", "exec"), self.namespace)  # noqa: S102 - the page's own code
            for words in command_lines(source) if kind == "sh" else ():
                ended = run(words)
                if ended != status:
                    raise WrongPageError(
                        f"{shlex.join(words)} ended with {ended}\n{printed.getvalue()}{complained.getvalue()}"
                    )
        return printed.getvalue()


def command_lines(source: str) -> list[list[str]]:
    """The words of each command line, without comments and settings of the environment."""
    found = []
    for line in source.replace("\\\n", " ").splitlines():
        line = line.replace("$(lm-eval-sensitivity demo-model)", str(demo_model_path()))
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words:
            found.append(words)
    return found


def run(words: Sequence[str]) -> int:
    """One command line, in this process: an interpreter costs seconds to start."""
    if words[0] == "lm-eval-sensitivity":
        from lm_eval_sensitivity.cli.main import main

        return main(words[1:])
    if words[0] == "lm_eval":
        from tests.running import execute

        execute(list(words))
        return 0
    if list(words[:3]) == ["python", "-m", "tests.rehearse"]:
        from tests.rehearse import main

        return main(words[3:])
    raise WrongPageError(
        f"`{words[0]}` is not run here; say why before the block, as in <!-- not run: long -->"
    )


def difference(shown: str, printed: str) -> str | None:
    """The first part of a shown output that was not printed; None where all was.

    Args:
        shown: on the page; lines of `…` stand for lines left out.
        printed: by the command.

    Example:
        >>> difference("a\\n…\\nc 0.50001", "a\\nb\\nc 0.5"), difference("a\\nc", "a\\nb\\nc")
        (None, 'a\\nc')
    """
    lines = _settled(printed)
    parts = [
        part.splitlines() for part in re.split(rf"^{LEFT_OUT}$\n?", "\n".join(_settled(shown)), flags=re.M)
    ]
    at, last = 0, len(parts) - 1
    for index, part in enumerate(parts):
        if not part:
            continue
        latest = len(lines) - len(part)
        starts = range(latest if index == last else at, latest + 1) if index else range(at, at + 1)
        found = next((n for n in starts if n >= at and _same(part, lines[n : n + len(part)])), None)
        if found is None or (last == 0 and len(part) != len(lines)):
            return "\n".join(part)
        at = found + len(part)
    return None


def _same(shown: Sequence[str], printed: Sequence[str]) -> bool:
    return len(shown) == len(printed) and same_in_print("\n".join(shown), "\n".join(printed))


def _settled(text: str) -> list[str]:
    """Lines without what two machines may print differently: fingerprints and the width of columns."""
    lines = (" ".join(line.split()) for line in text.strip().splitlines())
    return [re.sub(r"\b[0-9a-f]{16}\b", "<hash>", re.sub(r"─+", "─", line)) for line in lines]
