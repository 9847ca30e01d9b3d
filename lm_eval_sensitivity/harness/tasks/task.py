"""The lm_eval task: every pair of one rung measured, and what the whole run says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.audit.pair import AuditStatus
from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.harness.close.finished_run import (
    RUN_LOG,
    FinishedRun,
    PairCells,
)
from lm_eval_sensitivity.harness.close.last_screen import OwnSystem, closing_lines, pairs_once, say_last
from lm_eval_sensitivity.harness.close.table_errors import STDERR
from lm_eval_sensitivity.harness.close.table_rows import (
    OfPair,
    drift_of_run,
    mean_of_scored,
    noise_in_words,
    pairs_in_words,
    verdict_in_words,
    window_item,
    windows_in_words,
)
from lm_eval_sensitivity.harness.engines.ranks import over_ranks
from lm_eval_sensitivity.harness.generate.generation import FilteredText
from lm_eval_sensitivity.harness.measure.pair import (
    metric_names,
    reference_texts,
    texts_to_embed,
)
from lm_eval_sensitivity.harness.measure.records import make_record
from lm_eval_sensitivity.harness.tasks.evaluator import COMMAND_LINE, engine_of_evaluator, of_evaluator
from lm_eval_sensitivity.harness.tasks.filters import VIEWS
from lm_eval_sensitivity.harness.tasks.ladder_task import LadderTask
from lm_eval_sensitivity.harness.tasks.probing import probe_run
from lm_eval_sensitivity.harness.tasks.several_processes import (
    OfRun,
    audits_of,
    longest_answer,
    longest_of,
    notes_of,
)
from lm_eval_sensitivity.harness.tasks.table import with_errors
from lm_eval_sensitivity.harness.tasks.task_pairs import TaskPairs
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.probes.probing import Probed
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.columns import DRIFT
from lm_eval_sensitivity.types import Rung

Value = TypeVar("Value")


class PromptSensitivityTask(LadderTask):
    """How far outputs move on one rung of the ladder.

    Raises:
        InputError: an unknown rung or option, a ladder that fails its checks.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self._audited: Counter[AuditStatus] = Counter()
        self._longest: int | None = None
        self._is_whole = True
        self._pairs = TaskPairs("", keeps_rows=False)
        super().__init__(config)

    def build_all_requests(self, **kwargs: Any) -> None:
        """Enter the run with the requests of this rung."""
        super().build_all_requests(**kwargs)
        if self.lacks_rung:
            return
        self._is_whole = self._is_alone
        self._pairs = TaskPairs(f"Task `{self.config.task}`", keeps_rows=bool(self.options.probes))
        if not self._predict_only:
            self._enter_run()

    def apply_filters(self) -> list[Instance] | None:
        """Filter, then embed every text of the task in one batch.

        Returns:
            lm_eval's own instances, unchanged.
        """
        if self.lacks_rung:
            return self._instances
        instances: list[Instance] | None = super().apply_filters()
        for instance in self._instances or []:
            self._system.facts = instance.resps[0].facts
        if self._distances is not None:
            filtered = [shown for i in self._instances or [] for shown in i.filtered_resps.values()]
            texts = self._texts_to_embed(filtered)
            if self._reference is not None:
                texts += reference_texts((i.doc for i in self._instances or []), self._reference)
            self._distances.prepare(texts)
            self._measure_spreads(self._distances)
        tasks = (of_evaluator("eval_tasks") or {"": self}).values()
        ours = [each for task in tasks if isinstance(task, PromptSensitivityTask) for each in task.instances]
        self._longest = longest_of(self._gather(longest_answer(ours)))
        return instances

    def _gather(self, value: Value) -> list[Value]:
        return over_ranks(engine_of_evaluator(), value)

    def _texts_to_embed(self, filtered: Sequence[Any]) -> list[str]:
        return texts_to_embed(filtered)

    def _measure_spreads(self, distances: TextDistances) -> None:
        self._pairs.measure_spreads(self._instances or [], distances, self._gather)

    def process_results(self, doc: dict[str, Any], results: Sequence[FilteredText]) -> dict[str, Any]:
        """Measure one pair under one filter; the record of the pair goes into the samples file.

        Args:
            doc: row of the ladder.
            results: [side] filtered texts, base first.

        Returns:
            Row of lm_eval's table to what its aggregation takes; only the pair where no metric is computed.
        """
        base, variant = results
        if base.filter_name == "raw":
            self._audited[variant.generation.audit.status] += 1
        of_run = self._system.in_a_row()
        if self._predict_only or self._distances is None:
            return {"pair": encode(make_record(base, variant, None, {}, **of_run))}
        pair, scores = self._pairs.measured(doc, results, self._distances, self._reference, of_run)
        note = self._pairs.take(doc, results, pair)
        names = self._metric_names(base.filter_name)
        items: dict[str, Any] = {
            "noise": base.filter_name,
            "verdict": self._item_of_run(base.filter_name, note),
        }
        if base.filter_name == "raw":
            items["window"] = window_item(base, variant, scores.missing)
        entries = {
            # Rows in words: of a pair its tokens; of a whole run only whose row it is.
            **items,
            **{name: OfPair(scores.values[name], doc["prompt_id"], base.filter_name) for name in names},
            "pair": pair,
        }
        return self._table.entries(entries, base.filter_name, self._too_long)

    def _item_of_run(self, filter_name: str, note: Any) -> str:
        return filter_name if self._is_alone else OfRun(filter_name, note)

    @property
    def _too_long(self) -> frozenset[str]:
        """Windows that the longest output of the whole run does not fill: they say what the whole output says."""
        longest = self._longest
        if longest is None:
            return frozenset()
        return frozenset(name for name, card in METRICS.items() if card.window and card.window >= longest)

    def _metric_names(self, filter_name: str) -> tuple[str, ...]:
        limit = self._decoding().max_gen_toks
        return metric_names(filter_name, max_gen_toks=limit, with_reference=self._reference is not None)

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """How the rows of lm_eval's table are made from the pairs.

        Returns:
            Row name to function: means over scored pairs, rows in words, and the pairs themselves counted.
        """
        names = sorted({name for view in VIEWS for name in self._metric_names(view)})
        means: dict[str, Callable[[Sequence[Any]], Any]] = dict.fromkeys(names, mean_of_scored)
        if DRIFT in means:
            means[DRIFT] = lambda items: drift_of_run(self._finished_run(), items[0].filter_name)
        return {**with_errors(means), **self._words(), "pair": pairs_in_words}

    def _words(self) -> dict[str, Callable[[Sequence[Any]], str]]:
        """Rows in words; the items of a whole run's row name the filter."""
        return {
            "noise": lambda names: noise_in_words(self._finished_run(), self.rung, names[0]),
            "verdict": lambda names: verdict_in_words(self._finished_run(), names[0]),
            "window": windows_in_words,
        }

    def _finished_run(self) -> FinishedRun | None:
        """The run that this task is of."""
        self._take_in_other_processes()
        return RUN_LOG.of_run(self, self._as_run)

    @property
    def _collected(self) -> list[Any]:
        """What the run log looks at."""
        return self._pairs.cells

    def _take_in_other_processes(self) -> None:
        """Before lm_eval aggregates the first task of a run, it has gathered the items of all tasks and processes."""
        if self._is_whole:
            return
        for gathered in (of_evaluator("eval_results_acc") or {}).values():
            task = gathered["task"]
            if isinstance(task, PromptSensitivityTask) and not task._is_whole:
                task._collected[:] = notes_of(gathered["raw_metrics"], self._n_ranks)
                task._audited = Counter(audits_of(gathered["raw_metrics"]))
                task._is_whole = True

    def _as_run(self, pairs: Sequence[PairCells]) -> FinishedRun:
        embedder = None if self._distances is None else self._distances.identity()
        return FinishedRun(
            pairs,
            reference=self._reference,
            system=self._system.fingerprint,
            identity=self._system.identity or {},
            embedder=embedder,
        )

    def higher_is_better(self) -> dict[str, None]:
        """Nothing is better: stability is a property of a system, not a score."""
        return dict.fromkeys(name for name in self.aggregation() if not name.endswith(STDERR))

    def dump_config(self) -> dict[str, Any]:
        """The task's configuration with the facts of the run, as lm_eval writes it into the results.

        Returns:
            JSON values by name; the facts stand under `metadata`, `sensitivity`.
        """
        config: dict[str, Any] = super().dump_config()
        # What lm_eval's logger for W&B takes from the samples, beside the base output.
        config["metric_list"] = [] if self._predict_only else [{"metric": self.primary}]
        if self.lacks_rung:
            return config
        self._take_in_other_processes()
        summary = self._run_summary()
        # lm_eval dumps the configuration of every task once, when all results are there.
        if said := self._closing_lines():
            summary["summary"] = said
            say_last(said, self._kept, of_evaluator("evaluation_tracker", COMMAND_LINE))
        config["metadata"] = {**config.get("metadata", {}), "sensitivity": summary}
        return config

    def _enter_run(self) -> None:
        RUN_LOG.started(self, self.ladder.content_hash, self._pairs.cells)

    def _closing_lines(self) -> list[str]:
        pairs = RUN_LOG.finished(self, self._pairs.cells)
        if pairs is None:
            return []
        run = self._as_run(pairs_once(pairs))
        kept = replace(self._kept, subset=self.ladder.subset if RUN_LOG.n_groups > 1 else "")
        own = self._named({pair.raw["rung"] for pair in pairs})
        return closing_lines(run, own, kept, self._probe_lines(run, own))

    def _probe_lines(self, run: FinishedRun, own: OwnSystem) -> list[str]:
        """What the probes found, where any were asked for; the model is still there."""
        system, folder = self._system.fingerprint, self._kept.folder
        if not self.options.probes or system is None or folder is None:
            return []
        rows = [pair.row for pair in run.pairs if pair.row is not None]
        of = Probed(system, own.name, own.ladder)
        return probe_run(self.options.probes, engine_of_evaluator(), rows, of, folder)

    def _named(self, rungs: Iterable[Rung] = ()) -> OwnSystem:
        return self._system.named(rungs, self._decoding().as_dict())

    def _run_summary(self) -> dict[str, Any]:
        return self._system.summary(
            self._decoding().as_dict(),
            self._audited,
            self._wrapper.record,
            self._distances,
            self._reference,
            self._table.left_out(self.aggregation()),
        )
