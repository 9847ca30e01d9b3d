"""Answers of a wrapped task: what a document's unedited and edited prompts were answered, as samples have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from lm_eval_sensitivity.records.codec import decode
from lm_eval_sensitivity.records.sample import Count, Name, Number
from lm_eval_sensitivity.types import Rung

Status = Literal[
    "identical",
    "survived",
    "unknown",
    "erased",
    "erased by the task",
    "end of prompt",
    "no place",
    "not constant",
]
SCORED: tuple[Status, ...] = ("survived", "unknown")
"""Edits whose answers count: they reach the model, or nobody can tell."""
AGAIN: Literal["identical"] = "identical"
"""Name of the edit that is none: the unedited prompt, asked again in another call."""

PREFIX = "sensitivity_"
"""Of wrapped tasks. Not a suffix: `--tasks "mmlu_*"` would take it in."""
NOTHING_EMBEDDED = "none"
"""In the place of the checksum of an embedder: answers are compared."""

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One prompt of a document, and what was answered."""

    status: Status
    """What became of the edit. `identical`: there is none. `unknown`: the engine shows no token ids. `erased`: the
    token ids are those of the unedited prompt. `erased by the task`: so is the prompt. `end of prompt`: white space
    there would be scored as a part of the choice. `no place`: nowhere in this question, or only where target or
    choices would change. `not constant`: the prompt is another one each time it is made."""
    text: str | None = None
    """The edited question, or the edited prompt where the format around the question is edited. Of the unedited prompt
    the question; of the one that is asked again the prompt, without its examples."""
    answer: str | None = None
    """Under the metric that the task is judged by: number of the choice, or what the task's filter found; None where
    there is none or nothing was asked."""
    other_answers: Mapping[Name, str | None] = field(default_factory=dict)
    """Metric -> answer, of the task's further metrics that take another one (`acc_norm`)."""
    metrics: Mapping[str, Number | None] = field(default_factory=dict)
    """Those of the task that are a number for each document."""
    choice_probabilities: tuple[Share, ...] | None = None

    @property
    def scored(self) -> bool:
        """Whether the answer says something about the edit."""
        return self.status in SCORED

    def under(self, metric: str) -> Answered:
        """The same, with the answer that one metric takes."""
        return replace(self, answer=self.other_answers.get(metric, self.answer))


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One document under one filter of the task."""

    doc_id: Count
    filter: Name
    unedited: Answered
    edits: Mapping[Name, Answered]
    choices: tuple[str, ...] = ()
    """Texts of the choices; none where the task generates its answers."""
    target: str = ""
    """What the task takes for right: the number of a choice, or whatever lm_eval wrote there, as text."""

    def flip(self, edit: str) -> bool | None:
        """Whether an edit changes the answer.

        Args:
            edit: its name; `AGAIN` for the prompt asked again.

        Returns:
            None where that cannot be said: nothing was asked, or neither prompt has an answer.
        """
        found = self.edits.get(edit)
        if found is None or not (found.scored or edit == AGAIN):
            return None
        if found.answer is None and self.unedited.answer is None:
            return None
        return found.answer != self.unedited.answer

    def under(self, metric: str) -> AnswerRow:
        """The same, with the answers that one metric takes."""
        edits = {name: found.under(metric) for name, found in self.edits.items()}
        return replace(self, unedited=self.unedited.under(metric), edits=edits)


@dataclass(frozen=True, kw_only=True)
class EditOfTask:
    """An edit that a wrapped task makes."""

    name: Name
    family: Literal["rules", "format", "authored"]
    rung: Rung


@dataclass(frozen=True, kw_only=True)
class Wrapped:
    """`metadata.sensitivity.wrapped` of a task."""

    task: Name
    """The task whose prompts are edited."""
    question: Name
    """Of its documents, that holds the question."""
    edits: tuple[EditOfTask, ...]
    metric: Name
    """That the task is judged by: `answer` of its documents is what this one takes."""
    scores: Mapping[str, Mapping[str, Mapping[str, Number | None]]]
    """Filter -> metric -> edit -> value over all documents; of the unedited prompts under `AGAIN`."""


@dataclass(frozen=True, kw_only=True)
class TaskAnswers:
    """A wrapped task of one system, under one of its filters and judged by one of its metrics."""

    system: str
    """Display name; empty while the run is going on."""
    task: str
    """lm_eval's name of the wrapped task."""
    wrapped: Wrapped
    filter_name: str
    metric: str
    rows: tuple[AnswerRow, ...]
    """By document, with the answers that the metric takes."""
    n_there: int
    """Documents of the task, of which a run with `--limit` asks some."""
    n_tasks: int = 1
    """Above 1 where it is a group of tasks."""
    about: str = ""
    """Results file and task, as a note names them."""

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Metric -> edit -> value, without what is no number; the metric that judges first."""
        found = self.wrapped.scores.get(self.filter_name, {})
        whole = {
            metric: {edit: value for edit, value in found[metric].items() if value is not None}
            for metric in sorted(found, key=lambda metric: metric != self.metric)
        }
        return {metric: values for metric, values in whole.items() if AGAIN in values}


def decode_answers(line: Mapping[str, Any], place: str) -> AnswerRow:
    """A line of a wrapped task's samples file as a record.

    Args:
        line: the parsed line.
        place: file and line; opens every message.

    Raises:
        InputError: the first field that is missing or not accepted.
    """
    names = ("doc_id", "filter", "unedited", "edits", "choices")
    found = {name: line[name] for name in names if name in line}
    target = line.get("target", "")
    # What a target is, only its task knows: a number, a text, or a list of them.
    text = target if isinstance(target, str) else json.dumps(target, ensure_ascii=False)
    return decode(AnswerRow, {**found, "target": text}, place)
