"""What a wrapped task keeps beside the original: its edits, the prompts made of them, and what is said of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, get_args

from lm_eval.api.instance import Instance
from lm_eval.api.task import Task

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.audit.pair import AuditStatus
from lm_eval_sensitivity.harness.close.last_screen import answers_lines
from lm_eval_sensitivity.harness.close.run_log import RunLog
from lm_eval_sensitivity.harness.engines.contract import Engine
from lm_eval_sensitivity.harness.engines.registry import engine_of
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.fingerprint import fingerprint
from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.harness.tasks.chat_template import describe_template
from lm_eval_sensitivity.harness.tasks.evaluator import of_evaluator
from lm_eval_sensitivity.harness.tasks.options import model_arguments, table_of
from lm_eval_sensitivity.harness.tasks.output_folder import kept
from lm_eval_sensitivity.harness.wrapping.edits import chosen_edits
from lm_eval_sensitivity.harness.wrapping.making import Requests, edited_prompt
from lm_eval_sensitivity.harness.wrapping.original import FIELD, METRIC, OF, OWN
from lm_eval_sensitivity.harness.wrapping.question import (
    Path,
    is_free,
    name_of,
    question_of,
    strings,
    text_at,
    with_text,
)
from lm_eval_sensitivity.harness.wrapping.requests import Prompt
from lm_eval_sensitivity.harness.wrapping.shots import Shots
from lm_eval_sensitivity.harness.wrapping.table import (
    Aggregation,
    AnswersTable,
    OfDocument,
    OfFilter,
    numbers_of,
    values_of,
)
from lm_eval_sensitivity.ladder.edits.formats import FORMATS, FormatEdit
from lm_eval_sensitivity.records.answers import AGAIN, NOTHING_EMBEDDED, EditOfTask, TaskAnswers, Wrapped
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.run_metadata import LadderIdentity, RunSummary
from lm_eval_sensitivity.statements.answers import answers_statement

EDITS_VERSION = "1.0.0"
"""Of the sets of edits; a change of what one of them does is another version."""
NO_EMBEDDER = {"name": "none", "weights_sha256": NOTHING_EMBEDDED, "max_tokens": None}

WRAPPED_LOG: RunLog[TaskAnswers] = RunLog()
"""The wrapped tasks of the run that is going on."""

Render = Callable[[Any], Any]
"""An edited document -> its context."""


class Wrapping:
    """The state of one wrapped task.

    Args:
        task: the original.
        metadata: of the wrapped task's YAML, with what the command line added.

    Raises:
        InputError: an edit that does not exist.
    """

    def __init__(self, task: Task, metadata: Mapping[str, Any]) -> None:
        self._task = task
        self._metadata = metadata
        self._chosen = chosen_edits(metadata)
        self.edits = self._chosen.edits
        self._format: FormatEdit | None = None
        """Of the prompt that is being made."""
        self.shots = Shots(task)
        self.rendering: tuple[Any, Any] = ((), {})
        """What lm_eval gave to make the latest prompt with, beside the document."""
        self.metrics: dict[str, None] = {}
        """Names of the task's metrics, in its order."""
        self._full = table_of(metadata) == "full"
        self.table = AnswersTable(self._take_in, full=self._full)
        self._answers: dict[str, TaskAnswers] = {}
        """By filter; there once lm_eval has aggregated."""
        self._by_document: dict[int, dict[str, Prompt]] = {}
        self._engine: Engine | None = None
        self._template: dict[str, Any] = {}

    # ---- prompts

    def begin(self, lm: Any, settings: Mapping[str, Any]) -> None:
        """Take in the model and how prompts are wrapped, before the first of them is made."""
        self._engine = engine_of(lm, self._model_arguments)
        self._template = describe_template(settings)
        self._by_document.clear()
        self.table = AnswersTable(self._take_in, full=self._full)
        self._answers.clear()
        WRAPPED_LOG.started(self._task)

    def prompts(
        self, doc: Any, context: Any, plain: Sequence[Instance], render: Render, requests: Requests
    ) -> dict[str, Prompt]:
        """The edited prompts of a document, and the unedited one again.

        Args:
            doc: the document.
            context: its prompt.
            plain: its requests.
            render: makes the prompt of an edited document, with the same examples.
            requests: makes the requests of a context.
        """
        assert self._engine is not None, "`begin` comes first"
        found: dict[str, Prompt] = {
            AGAIN: Prompt(AGAIN, str(self._task.doc_to_text(doc)), list(requests(context)))
        }
        constant = context_text(render(doc)) == context_text(context)
        for edit in self.edits:
            text, make = self._edited(doc, edit, render)
            if text is None:
                found[edit.name] = Prompt("no place")
            elif not constant:
                found[edit.name] = Prompt("not constant", text)
            else:
                found[edit.name] = edited_prompt(text, (context, make()), requests, plain[0], self._engine)
        self._by_document[int(plain[0].doc_id or 0)] = found
        return found

    def _edited(self, doc: Any, edit: EditOfTask, render: Render) -> tuple[str | None, Callable[[], Any]]:
        """What an edit makes of a document, None where it has no place, and how its context is made."""
        if edit.family == "format":
            return FORMATS[edit.name](str(self._task.doc_to_text(doc)), _texts(doc)), lambda: self._as_format(
                edit, lambda: render(doc)
            )
        question = self.question_text(doc)
        text = None if question is None else self._chosen.question(edit, question)
        if text is None or not is_free(self._task, doc, with_text(doc, self.question, text)):
            return None, lambda: None
        return text, lambda: render(with_text(doc, self.question, text))

    def _as_format(self, edit: EditOfTask, make: Callable[[], Any]) -> Any:
        self._format = FORMATS[edit.name]
        try:
            return make()
        finally:
            self._format = None

    def formatted(self, doc: Any, text: Any) -> Any:
        """What the task's template made of a document, in the format that is being asked; examples are, too."""
        if self._format is None or not isinstance(text, str):
            return text
        return self._format(text, _texts(doc)) or text

    @cached_property
    def question(self) -> Path:
        """Where documents keep their question.

        Raises:
            InputError: nowhere.
        """
        # One document for all, or the processes of a run could choose differently.
        return question_of(self._task, self._task.task_docs[0], self._metadata.get(FIELD))

    def question_text(self, doc: Any) -> str | None:
        """The question of a document; None where it has none."""
        return text_at(doc, self.question)

    def groups(self, plain: Sequence[Instance]) -> Iterator[list[Instance]]:
        """The instances of each edit of all documents."""
        documents = [self._by_document[doc_id] for doc_id in dict.fromkeys(each.doc_id for each in plain)]
        for name in (AGAIN, *(edit.name for edit in self.edits)):
            if group := [each for prompts in documents for each in prompts[name].instances]:
                yield group

    def of_document(self, doc_id: int) -> Mapping[str, Prompt]:
        """Edit to prompt of one document."""
        return self._by_document[doc_id]

    # ---- after the run

    def judged_by(self, metrics: Mapping[str, Any]) -> str:
        """The metric whose answers are compared.

        Args:
            metrics: of a document, in the task's order.

        Returns:
            The one that was asked for, else the first.
        """
        self.metrics.update(dict.fromkeys(metrics))
        wanted = str(self._metadata.get(METRIC))
        return wanted if wanted in metrics else next(iter(metrics), "")

    def _take_in(self, items: Sequence[OfDocument], own: Mapping[str, Aggregation]) -> OfFilter:
        """What all documents give under one filter."""
        values, rows = values_of(items, own), tuple(item.row for item in items)
        filter_name, metric = rows[0].filter, self.judged_by(values)
        found = TaskAnswers(
            system="",
            task=str(self._task.config.task),
            wrapped=self._wrapped({filter_name: numbers_of(values)}),
            filter_name=filter_name,
            metric=metric,
            rows=rows,
            n_there=len(self._task.eval_docs),
        )
        self._answers[filter_name] = found
        return OfFilter(values, answers_statement(found))

    def closing_lines(self) -> list[str]:
        """The last screen of all wrapped tasks of a run, given out with the last of them."""
        every = WRAPPED_LOG.finished(self._task, list(self._answers.values()))
        groups = {name: group.child_names for name, group in (of_evaluator("groups") or {}).items()}
        return answers_lines(every or [], groups, kept())

    def summary(self, said: Sequence[str]) -> dict[str, Any]:
        """`metadata.sensitivity` of the task.

        Args:
            said: the last screen.
        """
        statuses = Counter(
            prompt.status for prompts in self._by_document.values() for prompt in prompts.values()
        )
        identity = self._identity()
        decoding = self._decoding().as_dict()
        found = RunSummary(
            package_version=__version__,
            system=None if identity is None else fingerprint(identity),
            identity=identity,
            notes=None if self._engine is None else self._engine.notes(),
            ladder=self._ladder(),
            audit={name: statuses[name] for name in get_args(AuditStatus) if name in statuses},
            decoding_requested=decoding,
            decoding=decoding,
            embedder=NO_EMBEDDER,
            reference=None,
            rows=self.table.left_out(),
            summary=tuple(said),
            wrapped=self._wrapped({name: each.wrapped.scores[name] for name, each in self._answers.items()}),
        )
        written: dict[str, Any] = encode(found)
        return written

    def _wrapped(self, scores: Mapping[str, Any]) -> Wrapped:
        return Wrapped(
            task=str(self._metadata[OF]),
            question=name_of(self.question),
            edits=self.edits,
            metric=self.judged_by(self.metrics),
            scores=scores,
        )

    def _identity(self) -> dict[str, Any] | None:
        if self._engine is None:
            return None
        identity = self._engine.identity(self._decoding())
        # Each task decodes in its own way, and is asked of one system.
        return {
            **{name: each for name, each in identity.items() if name != "decoding"},
            "prompt": self._template,
        }

    def _decoding(self) -> Decoding:
        if self._task.OUTPUT_TYPE != "generate_until":
            return Decoding(1, ())
        kwargs = self._task.config.generation_kwargs or {}
        of_model: Any = getattr(getattr(self._engine, "lm", None), "max_gen_toks", None)
        limit = kwargs.get("max_gen_toks") or of_model or 256
        until = kwargs.get("until") or []
        return Decoding(int(limit), (until,) if isinstance(until, str) else tuple(until))

    def _ladder(self) -> LadderIdentity:
        """What was asked, apart from the model: another number of examples is another question."""
        config, name = self._task.config, str(self._metadata[OF])
        asked = {
            "task": name,
            "data": [config.dataset_path, config.dataset_name],
            "text": config.doc_to_text if isinstance(config.doc_to_text, str) else None,
            "num_fewshot": config.num_fewshot,
            "question": name_of(self.question),
            "edits": [edit.name for edit in self.edits],
            "decoding": self._decoding().as_dict(),
            "version": EDITS_VERSION,
        }
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
        return LadderIdentity(f"answers of {name}", name, EDITS_VERSION, digest)

    @property
    def _model_arguments(self) -> dict[str, str]:
        return model_arguments({key: value for key, value in self._metadata.items() if key not in OWN})


def _texts(doc: Any) -> list[str]:
    """All that comes out of a document and not of a template."""
    return [text for _, text in strings(doc)]
