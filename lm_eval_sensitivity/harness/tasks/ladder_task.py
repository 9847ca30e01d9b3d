"""One rung of the ladder as a task of lm_eval's: it asks what both prompts of each pair are answered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.harness.close.last_screen import Kept
from lm_eval_sensitivity.harness.generate.decoding import Decoding, parse_decoding
from lm_eval_sensitivity.harness.generate.plan import PairInstance
from lm_eval_sensitivity.harness.tasks.asked import asked_and_fed, check_device
from lm_eval_sensitivity.harness.tasks.chat_template import (
    Rendered,
    check_template_name,
    chosen_template,
    describe_template,
    refused_in_words,
)
from lm_eval_sensitivity.harness.tasks.evaluator import engine_of_evaluator, of_evaluator
from lm_eval_sensitivity.harness.tasks.lacking_rungs import no_requests, tasks_beside
from lm_eval_sensitivity.harness.tasks.measured_system import MeasuredSystem
from lm_eval_sensitivity.harness.tasks.options import Options, model_arguments, parse_options
from lm_eval_sensitivity.harness.tasks.output_folder import check_output_folder, kept
from lm_eval_sensitivity.harness.tasks.probing import check_probes
from lm_eval_sensitivity.harness.tasks.table import TaskTable
from lm_eval_sensitivity.harness.tasks.wrapper import PromptWrapper
from lm_eval_sensitivity.ladder import Ladder, load_ladder
from lm_eval_sensitivity.ladder.schema import rows_from_pairs
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC
from lm_eval_sensitivity.types import RUNGS

logger = logging.getLogger(__name__)


class LadderTask(ConfigurableTask):
    """One rung of the ladder, and the two requests of each of its pairs.

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
        self._wrapper = PromptWrapper()
        self._distances: TextDistances | None = None
        self._reference: ReferenceRun | None = None
        self._n_ranks = 1
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
            return super(LadderTask, self).fewshot_context({**doc, "base": text}, *args, **kwargs)

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
    def _is_alone(self) -> bool:
        return self._n_ranks == 1

    @property
    def _predict_only(self) -> bool:
        return "bypass" in self._metric_fn_list
