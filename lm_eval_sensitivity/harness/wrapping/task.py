"""Any lm_eval task under harmless edits: the original, built by lm_eval, with what it is asked besides."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import Task

from lm_eval_sensitivity.harness.close.last_screen import say_last
from lm_eval_sensitivity.harness.tasks.evaluator import COMMAND_LINE, engine_of_evaluator, of_evaluator
from lm_eval_sensitivity.harness.tasks.output_folder import check_output_folder, kept
from lm_eval_sensitivity.harness.tasks.table import Entries
from lm_eval_sensitivity.harness.wrapping.answering import answered
from lm_eval_sensitivity.harness.wrapping.doors import check_engine
from lm_eval_sensitivity.harness.wrapping.original import build_original, check_decoding
from lm_eval_sensitivity.harness.wrapping.question import choices_of
from lm_eval_sensitivity.harness.wrapping.requests import BaseInstance, as_base
from lm_eval_sensitivity.harness.wrapping.table import OfDocument
from lm_eval_sensitivity.harness.wrapping.templates import compiled_once
from lm_eval_sensitivity.harness.wrapping.wrapping import Wrapping
from lm_eval_sensitivity.records.answers import AGAIN, Answered, AnswerRow
from lm_eval_sensitivity.records.codec import encode

logger = logging.getLogger(__name__)


class WrappedTask:
    """What `class:` of a wrapped task's YAML names: it gives out the original task, which asks edited prompts, too.

    Args:
        config: of the YAML; `metadata` names the original (`sensitivity_of`, `sensitivity_yaml`) and may name the
            field of its question and the edits.

    Raises:
        InputError: no such original, or one that cannot be wrapped.
    """

    def __new__(cls, config: Mapping[str, Any]) -> Any:
        """The original, of a class derived from its own."""
        task = build_original(config)
        task.__class__ = type(f"Edited{type(task).__name__}", (EditedTask, type(task)), {})
        task._wrapping = Wrapping(task, config.get("metadata") or {})
        return task

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Not called; lm_eval looks at it for the argument's name."""


class EditedTask(Task):
    """What is put before the class of the original; the unedited prompts go their usual way through it."""

    _wrapping: Wrapping
    _instances: list[Instance] | None

    # ---- requests

    def build_all_requests(self, **kwargs: Any) -> None:
        """The plain task's requests, each document's first one with the document's edits.

        Raises:
            InputError: the output folder takes no files, the task samples, or the engine cannot score its choices.
        """
        check_output_folder()
        check_decoding(self)
        check_engine(self, engine_of_evaluator())
        if kwargs.get("cache_requests"):
            # Its key is the task's name: it would serve prompts with other edits.
            logger.warning("`--cache_requests` is not used for wrapped tasks; their requests are built anew.")
        kwargs["cache_requests"] = False
        self._wrapping.begin(engine_of_evaluator(), kwargs)
        with compiled_once():
            super().build_all_requests(**kwargs)

    def doc_to_text(self, doc: Any, *args: Any, **kwargs: Any) -> Any:
        """What the template makes of a document; in another format where the format is what is edited."""
        return self._wrapping.formatted(doc, super().doc_to_text(doc, *args, **kwargs))

    def fewshot_context(self, doc: Any, *args: Any, **kwargs: Any) -> Any:
        """The prompt of a document; what was drawn for it is kept for its edits."""
        with self._wrapping.shots.recorded():
            context = super().fewshot_context(doc, *args, **kwargs)
        self._wrapping.rendering = (args, kwargs)
        return context

    def construct_requests(self, doc: Any, ctx: Any, **kwargs: Any) -> list[BaseInstance]:
        """The plain task's requests, with the document's edits beside the first."""

        def requests(context: Any) -> list[Instance]:
            made = super(EditedTask, self).construct_requests(doc, context, **kwargs)
            return list(made) if isinstance(made, list) else [made]

        def render(edited: Any) -> Any:
            args, options = self._wrapping.rendering
            with self._wrapping.shots.replayed():
                return super(EditedTask, self).fewshot_context(edited, *args, **options)

        plain = requests(ctx)
        prompts = self._wrapping.prompts(doc, ctx, plain, render, requests)
        return [as_base(each, prompts if index == 0 else {}) for index, each in enumerate(plain)]

    # ---- results

    def apply_filters(self) -> list[Instance] | None:
        """The task's filters over the unedited answers, then over those of each edit."""
        found: list[Instance] | None = super().apply_filters()
        plain = self._instances
        for group in self._wrapping.groups(plain or []):
            self._instances = group
            super().apply_filters()
        self._instances = plain
        return found

    def process_results(self, doc: Any, results: Sequence[Any]) -> Any:
        """The plain task's metrics, and the same of each edit under the same filter."""
        with compiled_once():
            return self._process(doc, results)

    def _process(self, doc: Any, results: Sequence[Any]) -> Any:
        unedited = super().process_results(doc, results)
        judged_by = self._wrapping.judged_by(unedited)
        doc_id, filter_name = of_evaluator("doc_id"), of_evaluator("filter_key")

        def record(results: Sequence[Any], metrics: Mapping[str, Any]) -> Answered:
            return answered(self, doc, filter_name, results, metrics, judged_by)

        edited, records = {}, {}
        for name, prompt in self._wrapping.of_document(doc_id).items():
            shown = [each.filtered_resps[filter_name] for each in prompt.instances]
            metrics = super().process_results(doc, shown) if shown else {}
            found = record(shown, metrics) if shown else Answered(status=prompt.status)
            records[name] = replace(found, status=prompt.status, text=prompt.text)
            if shown and name != AGAIN:
                edited[name] = metrics
        base = replace(record(results, unedited), text=self._wrapping.question_text(doc))
        row = AnswerRow(doc_id=doc_id, filter=filter_name, unedited=base, edits=records)
        items = self._wrapping.table.items(OfDocument(row, unedited, edited), judged_by)
        written = {
            "unedited": encode(base),
            "edits": encode(records),
            "choices": list(map(str, choices_of(self, doc) or ())),
        }
        return Entries({**unedited, **written}, {**unedited, **items})

    def aggregation(self) -> dict[str, Any]:
        """The plain task's, and those of the rows beside them."""
        own = super().aggregation()
        return {**own, **self._wrapping.table.aggregations(own, list(self._wrapping.metrics))}

    def higher_is_better(self) -> dict[str, Any]:
        """As of the plain task; nothing is better in what is beside it but the task's own metrics."""
        own = super().higher_is_better()
        beside = self._wrapping.table.aggregations({}, list(self._wrapping.metrics))
        return {**own, **{name: own.get(name.rpartition("_")[0]) for name in beside}}

    def dump_config(self) -> dict[str, Any]:
        """The plain task's configuration, with what the edits did under `metadata`, `sensitivity`."""
        config: dict[str, Any] = super().dump_config()
        said = self._wrapping.closing_lines()
        summary = self._wrapping.summary(said)
        if said:
            say_last(said, kept(), of_evaluator("evaluation_tracker", COMMAND_LINE))
        config["metadata"] = {**(config.get("metadata") or {}), "sensitivity": summary}
        return config
