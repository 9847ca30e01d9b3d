"""The lm_eval task of the sampling group: one rung, every document two clouds of outputs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.harness.close.last_screen import sampled_lines
from lm_eval_sensitivity.harness.close.sampled_rows import (
    SAMPLED_RUN,
    SampledNote,
    response_in_words,
    sampled_pairs_in_words,
    separated_in_words,
)
from lm_eval_sensitivity.harness.close.table_rows import OfPair, kind_of, mean_of_scored
from lm_eval_sensitivity.harness.generate.decoding import SEED, SampledDecoding, parse_sampled_decoding
from lm_eval_sensitivity.harness.generate.generation import FilteredText
from lm_eval_sensitivity.harness.measure.sampled_pair import (
    SAMPLED_METRICS,
    measure_sampled_pair,
    sampled_pair_record,
    unreadable_samples,
)
from lm_eval_sensitivity.harness.tasks.options import model_arguments
from lm_eval_sensitivity.harness.tasks.sampling_options import (
    MOST_SAMPLES,
    SamplingOptions,
    parse_sampling_options,
    too_few_to_separate,
)
from lm_eval_sensitivity.harness.tasks.table import with_errors
from lm_eval_sensitivity.harness.tasks.task import PromptSensitivityTask

logger = logging.getLogger(__name__)

SECOND_SET = MOST_SAMPLES
"""First replicate of the variant on the identical rung: other numbers than any sample of the base can have."""


class PromptSensitivitySamplingTask(PromptSensitivityTask):
    """Whether the outputs to two prompts differ by more than the outputs to one do among themselves.

    Options beside those of the greedy tasks: `n_samples`, `draws` and `seed` in `--metadata`, the temperature in
    `--gen_kwargs`. A `reference` is refused.

    Raises:
        InputError: an unknown rung or option, a ladder that fails its checks.
    """

    request_type = "generate_sampled"
    primary = SAMPLED_METRICS[-1]
    second_replicate = SECOND_SET
    sampling: SamplingOptions

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.sampling = parse_sampling_options((config or {}).get("metadata") or {})
        self._sampled: list[SampledNote] = []
        super().__init__(config=config)

    # ---- requests

    def build_all_requests(self, **kwargs: Any) -> None:
        """Open every door before the first token, and say what so few samples cannot show."""
        self._sampled = []
        super().build_all_requests(**kwargs)
        if self.lacks_rung:
            return
        n_pairs = len(self._instances or []) // 2
        warning = too_few_to_separate(self.sampling, n_pairs)
        if warning is not None:
            logger.warning("%s: %s", self.config.task, warning)

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> list[Instance]:
        """The two requests of a pair, each repeated once per sample.

        Returns:
            As for the greedy tasks; on the identical rung with other replicate numbers.
        """
        task, doc_id, _ = kwargs.pop("metadata")
        return super().construct_requests(
            doc, ctx, **kwargs, metadata=(task, doc_id, self.sampling.n_samples)
        )

    def _gen_kwargs(self) -> dict[str, Any]:
        return {**super()._gen_kwargs(), SEED: self.sampling.seed}

    def _model_arguments(self) -> dict[str, str]:
        # The seed of the samples names no other system.
        return model_arguments(
            {name: value for name, value in (self.config.metadata or {}).items() if name != SEED}
        )

    def _decoding(self) -> SampledDecoding:
        return parse_sampled_decoding(self.config.generation_kwargs or {})

    # ---- results

    def _texts_to_embed(self, filtered: Sequence[Any]) -> list[str]:
        return [str(sample) for samples in filtered for sample in samples]

    def _measure_spreads(self, distances: TextDistances) -> None:
        """What two samples of one prompt differ by is measured pair by pair."""

    def process_results(self, doc: dict[str, Any], results: Any) -> dict[str, Any]:
        """Measure one pair under one filter; the record of the pair goes into the samples file.

        Args:
            doc: row of the ladder.
            results: [side][sample] filtered texts, base first.

        Returns:
            Row of lm_eval's table to what its aggregation takes; only the pair where no metric is computed.
        """
        base: list[FilteredText]
        base, variant = results
        if base[0].filter_name == "raw":
            self._audited[variant[0].generation.audit.status] += 1
        if self._predict_only or self._distances is None:
            return {"pair": {**self._system.in_a_row(), **sampled_pair_record(base, variant), "missing": {}}}
        record = sampled_pair_record(base, variant, unreadable_samples(base, variant, self._distances))
        measured = measure_sampled_pair(
            base, variant, self._distances, seed=self.sampling.seed, draws=self.sampling.draws
        )
        missing = {} if measured.missing is None else dict.fromkeys(SAMPLED_METRICS, measured.missing)
        test, filter_name = measured.test_record, base[0].filter_name
        note = SampledNote(doc["rung"], filter_name, test, kind_of(measured.missing))
        self._sampled.append(note)
        entries = {
            **{
                name: OfPair(value, doc["prompt_id"], filter_name) for name, value in measured.metrics.items()
            },
            "separated": test,
            "verdict": self._item_of_run(filter_name, note),
            "pair": {**self._system.in_a_row(), **record, "missing": missing, "scores": measured.scores},
        }
        return self._table.entries(entries, filter_name, ())

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """How the rows of lm_eval's table are made from the pairs.

        Returns:
            Row name to function: means over scored pairs; in words how many were scored, how many separate, and
            what that means.
        """
        means: dict[str, Callable[[Sequence[Any]], Any]] = dict.fromkeys(SAMPLED_METRICS, mean_of_scored)
        return {
            **with_errors(means),
            "separated": separated_in_words,
            "verdict": self._response_in_words,
            "pair": sampled_pairs_in_words,
        }

    def _response_in_words(self, names: Sequence[str]) -> str:
        self._take_in_other_processes()
        return response_in_words(SAMPLED_RUN.of_run(self, list), names[0])

    @property
    def _collected(self) -> list[Any]:
        return self._sampled

    def _enter_run(self) -> None:
        SAMPLED_RUN.started(self, self.ladder.content_hash, self._sampled)

    def _closing_lines(self) -> list[str]:
        notes = SAMPLED_RUN.finished(self, self._sampled)
        return [] if notes is None else sampled_lines(notes, self._named(), self._kept)

    def _run_summary(self) -> dict[str, Any]:
        return {
            **super()._run_summary(),
            "sampling": {
                "temperature": self._decoding().temperature,
                "n_samples": self.sampling.n_samples,
                "seed": self.sampling.seed,
                "attainable_p": self.sampling.attainable_p,
            },
        }
