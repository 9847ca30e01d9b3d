"""The pairs of one task: measured as lm_eval hands them over, and kept as the run will be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.harness.close.finished_run import Cells, PairCells
from lm_eval_sensitivity.harness.generate.generation import FilteredText
from lm_eval_sensitivity.harness.measure.pair import Scores, measure_pair, output_spreads, repetitions_of
from lm_eval_sensitivity.harness.measure.records import make_record, scores_of_repetitions
from lm_eval_sensitivity.harness.tasks.filters import VIEWS
from lm_eval_sensitivity.ladder.schema import pair_from_row
from lm_eval_sensitivity.records.codec import encode
from lm_eval_sensitivity.records.sample import SampleRow, decode_row
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.runs.table import cells_of
from lm_eval_sensitivity.types import Missing


@dataclass
class TaskPairs:
    """The pairs of one task so far."""

    place: str
    """The task, for messages."""
    keeps_rows: bool
    """A probe will look at them."""
    cells: list[PairCells] = field(default_factory=list)
    """[pair] what the pairs table would say, both filters."""
    _spreads: dict[str, dict[str, float | Missing]] = field(default_factory=dict)
    _raw: dict[str, tuple[Cells, SampleRow | None]] = field(default_factory=dict)

    def measure_spreads(
        self,
        instances: Sequence[Instance],
        distances: TextDistances,
        gather: Callable[[Any], list[Any]],
    ) -> None:
        """Filter -> prompt -> how far its base output is from those of the task's other prompts.

        Args:
            instances: of the task, filtered.
            distances: of texts, prepared.
            gather: from all processes of a run.
        """
        bases = [instance for instance in instances if instance.idx == 0]
        self._spreads = {
            view: output_spreads(
                {each.doc["prompt_id"]: each.filtered_resps[view] for each in bases}, distances, gather
            )
            for view in VIEWS
        }

    def measured(
        self,
        doc: Mapping[str, Any],
        results: Sequence[FilteredText],
        distances: TextDistances,
        reference: ReferenceRun | None,
        of_run: dict[str, Any],
    ) -> tuple[dict[str, Any], Scores]:
        """The record of a pair under one filter, and its numbers.

        Args:
            doc: row of the ladder.
            results: [side] filtered texts, base first.
            distances: of texts, prepared.
            reference: the run that drift is measured from.
            of_run: what every row says of its system.
        """
        base, variant = results
        spread = self._spreads[base.filter_name][doc["prompt_id"]]
        each = [measure_pair(doc, base, one, distances, reference, spread) for one in repetitions_of(variant)]
        scores = Scores.mean(each)
        record = make_record(base, variant, scores.values, scores.missing, **of_run)
        pair: dict[str, Any] = encode(replace(record, repetitions=scores_of_repetitions(base, variant, each)))
        return pair, scores

    def take(
        self, doc: Mapping[str, Any], results: Sequence[FilteredText], pair: dict[str, Any]
    ) -> PairCells | None:
        """Keep what the pairs table would say of a row, read as it will be read from the file.

        Args:
            doc: row of the ladder.
            results: [side] filtered texts, base first.
            pair: from `measured`.

        Returns:
            The pair, once it is there under both filters.
        """
        base, variant = results
        line = {
            "doc_id": 0,
            "filter": base.filter_name,
            "doc": doc,
            "resps": [[str(base.generation)], [str(variant.generation)]],
            "filtered_resps": [str(base), str(variant)],
            "pair": pair,
        }
        row = decode_row(line, self.place)
        cells = cells_of(row, pair_from_row(dict(doc), self.place))
        # lm_eval takes the filters in the order of the YAML, all pairs under one before the next.
        if base.filter_name == "raw":
            self._raw[doc["pair_id"]] = cells, row if self.keeps_rows else None
            return None
        raw, row_of_raw = self._raw.pop(doc["pair_id"])
        self.cells.append(PairCells(raw, cells, row_of_raw))
        return self.cells[-1]
