"""The filters `raw` and `answer`: the same outputs, with and without the reasoning scaffold.

They stand side by side in lm_eval's filter column, so that an artefact of the scaffold is seen in
every table instead of being hidden by a choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lm_eval.api.filter import Filter
from lm_eval.api.registry import register_filter

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.generate.generation import FilteredText

VIEWS = ("raw", "answer")


@register_filter("prompt_sensitivity_view")
class ViewFilter(Filter):
    """Show the whole output (`view: raw`) or its answer span (`view: answer`)."""

    def __init__(self, view: str = "raw", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if view not in VIEWS:
            raise InputError(
                f"`view: {view}` of filter prompt_sensitivity_view; accepted: {', '.join(VIEWS)}."
            )
        self.view = view

    def apply(self, resps: Any, docs: list[dict[str, Any]]) -> Iterable[FilteredText]:
        """Show one view of every output; greedy repeats are equal.

        Args:
            resps: [instance][repeat] generations.
            docs: not read.

        Returns:
            [instance] filtered texts.
        """
        return [FilteredText(repeats[0], self.view) for repeats in resps]


@register_filter("prompt_sensitivity_sampled_view")
class SampledViewFilter(ViewFilter):
    """The same of every sample: repeats are samples here, and all of them are shown."""

    def apply(self, resps: Any, docs: list[dict[str, Any]]) -> Iterable[list[FilteredText]]:  # type: ignore[override]
        """Show one view of every sample.

        Args:
            resps: [instance][sample] generations.
            docs: not read.

        Returns:
            [instance][sample] filtered texts.
        """
        return [[FilteredText(sample, self.view) for sample in samples] for samples in resps]
