"""The edits that a wrapped task makes, by family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.harness.wrapping.original import EDITS_WANTED
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.edits.formats import FORMATS
from lm_eval_sensitivity.ladder.files import decode_text, read_limited
from lm_eval_sensitivity.ladder.jsonl import json_objects
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS
from lm_eval_sensitivity.records.answers import EditOfTask
from lm_eval_sensitivity.text.escape import shown
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

RULES = (
    *("leading_space", "trailing_space", "double_space", "mid_newline", "nbsp"),
    *("duplicate_period", "drop_final_period", "curly_quotes"),
)
"""Eight of the ladder's rules, five of white space: a run with all of them would take twice as long."""
FAMILIES: dict[str, tuple[str, ...]] = {"rules": RULES, "format": tuple(FORMATS)}
FILE = (".jsonl", ".json")
AUTHORED = tuple(name for name, rung in AUTHORED_EDITS.items() if rung in MEANING_PRESERVING_RUNGS)
"""What a file may hold besides the questions: variants that ask for the same answer."""


@dataclass(frozen=True)
class ChosenEdits:
    """The edits of one task."""

    edits: tuple[EditOfTask, ...]
    """In the order of the ladder: rules, then authored variants, then formats."""
    authored: Mapping[str, Mapping[str, str]]
    """Question -> edit -> variant."""

    def question(self, edit: EditOfTask, question: str) -> str | None:
        """An edited question; None where the edit has no place in it, or is none of questions."""
        if edit.family == "authored":
            variant = self.authored.get(question, {}).get(edit.name)
            return None if variant == question else variant
        return EDITS[edit.name].variant(question) if edit.family == "rules" else None


def chosen_edits(metadata: Mapping[str, Any]) -> ChosenEdits:
    """The edits that a task's `metadata` asks for.

    Returns:
        `RULES` where it asks for none.

    Raises:
        InputError: an edit that does not exist, or a file that cannot be read.

    Example:
        >>> [edit.name for edit in chosen_edits({"sensitivity_edits": ["nbsp", "format_upper"]}).edits]
        ['nbsp', 'format_upper']
    """
    asked = metadata.get(EDITS_WANTED, "rules")
    asked = [asked] if isinstance(asked, str) else asked
    if not isinstance(asked, (list, tuple)) or not asked or not all(isinstance(each, str) for each in asked):
        raise InputError(
            f"`{EDITS_WANTED}` is {shown(asked)}; expected `rules`, `format`, a file of variants or a list of names of "
            "edits."
        )
    authored = {key: value for each in asked if each.endswith(FILE) for key, value in _read(Path(each))}
    names = [name for each in asked if not each.endswith(FILE) for name in FAMILIES.get(each, (each,))]
    for name in names:
        if name not in EDITS and name not in FORMATS:
            raise unknown_name(f"`{EDITS_WANTED}`: an edit", name, (*FAMILIES, *EDITS, *FORMATS))
    written = [name for name in AUTHORED if any(name in variants for variants in authored.values())]
    edits = (
        *(EditOfTask(name=name, family="rules", rung=EDITS[name].rung) for name in EDITS if name in names),
        *(EditOfTask(name=name, family="authored", rung=AUTHORED_EDITS[name]) for name in written),
        *(
            EditOfTask(name=name, family="format", rung=FORMATS[name].rung)
            for name in FORMATS
            if name in names
        ),
    )
    return ChosenEdits(edits, authored)


def _read(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Questions and their variants, from a file with one object per line."""
    n_lines = 0
    for where, line in json_objects(decode_text(read_limited(path), path), path):
        n_lines += 1
        for name, text in line.items():
            if name != "question" and name not in AUTHORED:
                raise unknown_name(f"{where}: a field", name, ("question", *AUTHORED))
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"{where}: `{name}` is {shown(text)}; expected a text that is not blank.")
        if "question" not in line:
            raise InputError(
                f"{where}: `question` is missing: the text of the task's documents, as it stands there."
            )
        yield line["question"], {name: text for name, text in line.items() if name != "question"}
    if not n_lines:
        raise InputError(
            f"`{path}` is empty. Write one object per line: `question`, and any of {', '.join(AUTHORED)}."
        )
