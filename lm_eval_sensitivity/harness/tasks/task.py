"""The lm_eval task: one rung of the ladder, every document one pair."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from lm_eval_sensitivity.audit.pair import AuditStatus
from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.harness.close.finished_run import (
    RUN_LOG,
    FinishedRun,
    PairCells,
)
from lm_eval_sensitivity.harness.close.last_screen import Kept, OwnSystem, closing_lines, pairs_once, say_last
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
from lm_eval_sensitivity.harness.generate.decoding import Decoding, parse_decoding
from lm_eval_sensitivity.harness.generate.generation import FilteredText
from lm_eval_sensitivity.harness.generate.plan import PairInstance
from lm_eval_sensitivity.harness.measure.pair import (
    metric_names,
    reference_texts,
    texts_to_embed,
)
from lm_eval_sensitivity.harness.measure.records import make_record
from lm_eval_sensitivity.harness.tasks.asked import asked_and_fed, check_device
from lm_eval_sensitivity.harness.tasks.chat_template import (
    Rendered,
    check_template_name,
    chosen_template,
    describe_template,
    refused_in_words,
)
from lm_eval_sensitivity.harness.tasks.evaluator import COMMAND_LINE, engine_of_evaluator, of_evaluator
from lm_eval_sensitivity.harness.tasks.filters import VIEWS
from lm_eval_sensitivity.harness.tasks.lacking_rungs import no_requests, tasks_beside
from lm_eval_sensitivity.harness.tasks.measured_system import MeasuredSystem
from lm_eval_sensitivity.harness.tasks.options import Options, model_arguments, parse_options
from lm_eval_sensitivity.harness.tasks.output_folder import check_output_folder, kept
from lm_eval_sensitivity.harness.tasks.probing import check_probes, probe_run
from lm_eval_sensitivity.harness.tasks.several_processes import (
    OfRun,
    audits_of,
    longest_answer,
    longest_of,
    notes_of,
)
from lm_eval_sensitivity.harness.tasks.table import TaskTable, with_errors
from lm_eval_sensitivity.harness.tasks.task_pairs import TaskPairs
from lm_eval_sensitivity.harness.tasks.wrapper import PromptWrapper
from lm_eval_sensitivity.ladder import Ladder, load_ladder
from lm_eval_sensitivity.ladder.schema import rows_from_pairs
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.probes.probing import Probed
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.columns import DRIFT
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC
from lm_eval_sensitivity.types import RUNGS, Rung

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


class PromptSensitivityTask(ConfigurableTask):
    """How far outputs move on one rung of the ladder.

    The YAML's `dataset_kwargs` name the `rung` and the ladder's `subset`; `--metadata` may name another
    `ladder`, a `reference` run and another `embedder`.

    Raises:
        InputError: an unknown rung or option, a ladder that fails its checks.
    """

    request_type = "generate_traced"
    primary = PRIMARY_METRIC
    """The metric of the short table."""
    second_replicate = 1
    """Of the variant on the identical rung, where the base is generated again."""
    options: Options
    ladder: Ladder
    rung: str
    dataset: datasets.DatasetDict

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        # lm_eval leaves the key that named this class in the config, and its TaskConfig refuses it.
        settings = {key: value for key, value in dict(config or {}).items() if key != "class"}
        self.options = parse_options(settings.get("metadata") or {})
        self._audited: Counter[AuditStatus] = Counter()
        self._wrapper = PromptWrapper()
        self._distances: TextDistances | None = None
        self._reference: ReferenceRun | None = None
        self._longest: int | None = None
        self._n_ranks = 1
        self._is_whole = True
        self._pairs = TaskPairs("", keeps_rows=False)
        self._kept = Kept(None, None, samples=False)
        self._table = TaskTable(self.primary, full=True)
        # Before lm_eval looks the name up for its record, and raises what is no sentence.
        check_template_name(engine_of_evaluator(), of_evaluator("apply_chat_template"))
        super().__init__(config=settings)
        if self.lacks_rung:
            self.dataset = datasets.DatasetDict({"test": self.dataset["test"].select([])})

    # ---- data

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Load this rung of the ladder; lm_eval calls it while the task is built.

        Args:
            dataset_kwargs: `rung` and `subset` of the task's YAML.
            kwargs: lm_eval's own, not read.

        Raises:
            InputError: no such rung, or the ladder does not load.
        """
        wanted = dataset_kwargs or {}
        rung = wanted.get("rung")
        if rung not in RUNGS:
            raise InputError(
                f"Task `{self.config.task}`: `rung: {rung}` in dataset_kwargs; accepted: {', '.join(RUNGS)}."
                f"{did_you_mean(str(rung), RUNGS)}"
            )
        self.rung = rung
        self.ladder = load_ladder(
            self.options.ladder, wanted.get("subset", "largest"), asked_as="`--metadata`: `ladder`"
        )
        self._system = MeasuredSystem(self.ladder)
        # lm_eval looks at one document of every task while it builds it, also where there is none to run.
        rows = rows_from_pairs(self.ladder.rung(rung) or self.ladder.pairs[:1])
        self.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_list(rows)})

    @property
    def lacks_rung(self) -> bool:
        """Whether the ladder has no pairs on the task's rung: a group then runs without it."""
        return self.rung not in self.ladder.rungs

    def doc_to_text(self, doc: Mapping[str, Any], doc_to_text: Any = None) -> str:
        """The base prompt; requests are built for both sides, see `fewshot_context`."""
        return str(doc["base"])

    def doc_to_target(self, doc: Mapping[str, Any], doc_to_target: Any = None) -> str:
        """There is no right answer: a pair is compared with itself."""
        return ""

    # ---- requests

    def build_all_requests(self, **kwargs: Any) -> None:
        """Open every door before the first token: settings, embedder, reference run, chat template.

        Raises:
            InputError: few-shot examples were asked for, the output folder is no place to write to, or a setting, the
                embedder, the reference run or the chat template is refused.
        """
        if self.lacks_rung:
            self._instances = no_requests(self, self.config.task, self.request_type)
            return
        decoding = self._decoding()
        check_output_folder()
        self._kept = kept()
        self._pairs = TaskPairs(f"Task `{self.config.task}`", keeps_rows=bool(self.options.probes))
        if (self.config.num_fewshot or 0) > 0:
            raise InputError(
                f"`--num_fewshot {self.config.num_fewshot}`: prompt_sensitivity tasks have no examples, because "
                "shared examples would hide the edit in a longer prompt. Leave it out or give 0."
            )
        if not self._predict_only:
            self._distances = self.options.distances()
        self._reference = self.options.reference_run(self.ladder, decoding.as_dict())
        if kwargs.get("cache_requests"):
            # Its key knows neither the ladder nor the token limit: it would serve other prompts, silently.
            logger.warning(
                "`--cache_requests` is not used for prompt_sensitivity tasks; their requests are built anew."
            )
        self._n_ranks = int(kwargs.get("world_size", 1))
        self._is_whole = self._is_alone
        self._refuse_if_nothing_is_left(kwargs)
        check_probes(self.options.probes, engine_of_evaluator(), self._kept.folder, alone=self._is_alone)
        full = self.options.table == "full" or self._predict_only
        if not (full or self._is_alone):
            # lm_eval gathers from several processes what its table has, and nothing else.
            full = True
            if not kwargs.get("rank") and tasks_beside(self)[0] is self:
                logger.info(
                    "%d processes: every row stands in the table, and probes are for after.", self._n_ranks
                )
        self._table = TaskTable(self.primary, full=full)
        if not self._predict_only:
            self._enter_run()
        lm, name = engine_of_evaluator(), of_evaluator("apply_chat_template")
        check_device(of_evaluator("device"), lm)
        kwargs["cache_requests"] = False
        if kwargs.get("chat_template"):
            kwargs["chat_template"] = refused_in_words(kwargs["chat_template"])
        with chosen_template(lm, name):
            self._wrapper = PromptWrapper(asked_and_fed(lm, kwargs, self._model_arguments(), name))
            super().build_all_requests(**kwargs)
        self._wrapper.refuse_if_nothing_arrived(self._instances or [])

    def _refuse_if_nothing_is_left(self, settings: Mapping[str, Any]) -> None:
        """The other processes would wait for one without a pair."""
        names = ("rank", "limit", "world_size", "samples")
        mine = self.doc_iterator(**{name: settings[name] for name in names if name in settings})
        if not self._is_alone and next(iter(mine), None) is None:
            raise InputError(
                f"Task `{self.config.task}` has no pair for process {settings['rank'] + 1} of {self._n_ranks}. Start "
                "fewer processes, or raise `--limit`."
            )

    def fewshot_context(self, doc: dict[str, Any], *args: Any, **kwargs: Any) -> tuple[Rendered, Rendered]:
        """Render both prompts, system instruction and chat template included.

        Returns:
            Base and variant.

        Raises:
            InputError: the tokenizer could not apply a chat template.
        """
        # Of the first prompt, as all are wrapped alike.
        self._system.template = self._system.template or describe_template(kwargs)

        def render(text: str) -> Any:
            return super(PromptSensitivityTask, self).fewshot_context({**doc, "base": text}, *args, **kwargs)

        return self._wrapper.rendered(render, doc, with_template=bool(kwargs.get("apply_chat_template")))

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> list[Instance]:
        """The two requests of a pair.

        Args:
            doc: row of the ladder.
            ctx: [side] prompts, as `fewshot_context` renders them.
            kwargs: lm_eval's own.

        Returns:
            The base, and the variant; on the identical rung a second run of the base.
        """
        replicates = (0, self.second_replicate if doc["rung"] == "identical" else 0)
        gen_kwargs = self._gen_kwargs()
        return [
            PairInstance(
                request_type=self.request_type,
                doc=doc,
                arguments=(prompt.context, gen_kwargs, replicate),
                idx=index,
                metadata=kwargs["metadata"],
                model_args=self._model_arguments(),
                chat_template_applied=bool(kwargs.get("apply_chat_template")),
                obstacle=prompt.obstacle,
                warnings=self._wrapper.warnings,
                repetitions=self.options.repeats,
                price=self.options.price,
            )
            for index, (prompt, replicate) in enumerate(zip(ctx, replicates, strict=True))
        ]

    def _gen_kwargs(self) -> dict[str, Any]:
        return self._decoding().as_gen_kwargs()

    def _model_arguments(self) -> dict[str, str]:
        return model_arguments(self.config.metadata or {})

    def _decoding(self) -> Decoding:
        return parse_decoding(self.config.generation_kwargs or {})

    @property
    def _predict_only(self) -> bool:
        return "bypass" in self._metric_fn_list

    # ---- results

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
    def _is_alone(self) -> bool:
        return self._n_ranks == 1

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
            pairs, reference=self._reference, system=self._system.fingerprint, embedder=embedder
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
