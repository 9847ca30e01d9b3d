"""The last thing that a run prints: its summary, below lm_eval's table, where a user looks."""

from __future__ import annotations

import contextlib
import logging
import shlex
import shutil
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.harness.close.finished_run import FinishedRun, PairCells
from lm_eval_sensitivity.harness.close.sampled_rows import SampledNote, sampled_closing_words
from lm_eval_sensitivity.records.answers import TaskAnswers
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.report.wording.answers import MOST_ONE_BY_ONE, closing_sentences, together_in_words
from lm_eval_sensitivity.report.wording.summary import WIDEST, lines, title, wrapped
from lm_eval_sensitivity.runs.answer_groups import groups_of
from lm_eval_sensitivity.statements.answers import answers_statement
from lm_eval_sensitivity.text.escape import shown_path

logger = logging.getLogger(__name__)

SUMMARY_FILE = "summary.txt"
NARROWEST = 60


@dataclass(frozen=True)
class OwnSystem:
    """The system that was run, as the lines name it."""

    name: str
    identity: Mapping[str, Any]
    notes: Mapping[str, Any]
    ladder: LadderIdentity
    decoding: Mapping[str, Any]
    n_expected: int


@dataclass(frozen=True)
class Kept:
    """What lm_eval keeps of the run."""

    output: Path | None
    """As given to it; None where nothing is kept."""
    folder: Path | None
    """Where the results file will be."""
    samples: bool
    subset: str = ""
    """Of the ladder, where the run has several."""

    def in_words(self, command: str) -> Iterator[str]:
        """Where the files are, and what to do next; a command that reads them."""
        if self.output is None:
            yield "Nothing of this is kept. Next: add --output_path FOLDER --log_samples."
            return
        yield f"Files: {shown_path(self.folder or self.output)}"
        if not self.samples:
            yield "Next: add --log_samples, without which nothing can be compared or reported."
        elif command:
            subset = f" --subset {self.subset}" if self.subset else ""
            target = " -o report" if command == "report" else ""
            yield f"Next: lm-eval-sensitivity {command} {shlex.quote(str(self.output))}{subset}{target}"


def pairs_once(pairs: Sequence[PairCells]) -> list[PairCells]:
    """A pair that two subsets of a ladder have, and so two tasks of a run, counts once.

    Returns:
        The pairs in order of first appearance.
    """
    return list({pair.raw["pair_id"]: pair for pair in pairs}.values())


def closing_lines(run: FinishedRun, own: OwnSystem, kept: Kept, probed: Sequence[str] = ()) -> list[str]:
    """A whole run in a few lines; none where nothing was measured.

    Args:
        run: the pairs of all rungs that were run.
        own: its system.
        kept: what lm_eval keeps of it.
        probed: sentences of probes, where any were asked for.
    """
    if not run.pairs:
        return []
    following, width = [*kept.in_words("report")], _width()
    said = lines(run.summary("answer"), own, following, width)
    # Behind the summary, so that they take no room from its cautions.
    place = len(said) - len(following)
    return [*said[:place], *wrapped(probed, width), *said[place:]]


def sampled_lines(notes: Sequence[SampledNote], own: OwnSystem, kept: Kept) -> list[str]:
    """The same for sampled pairs, which no other command reads."""
    said = sampled_closing_words(notes)
    return [title(own), *wrapped([*said, *kept.in_words("")], _width())] if said else []


def answers_lines(
    answers: Sequence[TaskAnswers], groups: Mapping[str, Sequence[str]], kept: Kept
) -> list[str]:
    """The same for wrapped tasks, filter by filter, and their groups; none where nothing was aggregated.

    Args:
        answers: of all tasks of the run.
        groups: name -> names of what is in it.
        kept: what lm_eval keeps.
    """
    together = groups_of(answers, groups)
    each_alone = answers if len(answers) <= MOST_ONE_BY_ONE else ()
    said = [
        sentence
        for each in (*together, *each_alone)
        for sentence in closing_sentences(answers_statement(each))
    ]
    if answers and not said:
        said = [together_in_words(answers)]
    return wrapped([*said, *kept.in_words("flips")], _width()) if said else []


def _width() -> int:
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDEST
    return min(max(columns, NARROWEST), WIDEST)


def say_last(said: Sequence[str], kept: Kept, tracker: object | None) -> None:
    """Print below lm_eval's table, and leave the same beside its results.

    Its command line prints the table after all tasks are done, and then lets go of what saves the results. Nothing
    in lm_eval is called, replaced or waited for.

    Args:
        said: lines.
        kept: what lm_eval keeps.
        tracker: that the command line of lm_eval saves results with; None where Python called it, which prints
            nothing: the lines are logged.
    """
    if not said:
        return
    if tracker is None:
        for line in said:
            logger.info("%s", line)
        return
    if tracker not in _TO_SAY:
        _TO_SAY[tracker] = []
        weakref.finalize(tracker, _say, _TO_SAY[tracker], kept.folder)
    _TO_SAY[tracker].append("\n".join(said))


_TO_SAY: weakref.WeakKeyDictionary[object, list[str]] = weakref.WeakKeyDictionary()
"""One text for each ladder that a run asked."""


def _say(texts: Sequence[str], folder: Path | None) -> None:
    text = "\n\n".join(texts)
    if folder is not None and folder.is_dir():
        try:
            (folder / SUMMARY_FILE).write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            logger.warning("%s cannot be written (%s).", shown_path(folder / SUMMARY_FILE), error.strerror)
    encoding = sys.stdout.encoding or "utf-8"
    # The reader of a pipe (head, less) may have seen enough; the file has it.
    with contextlib.suppress(BrokenPipeError):
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
