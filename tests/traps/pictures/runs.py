"""Every run that a picture needs, through the fixtures of the tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lm_eval_sensitivity.demo import demo_model_path
from tests.running import Run
from tests.traps import (
    test_collapse,
    test_confident_but_unstable,
    test_erased_edit,
    test_noise,
    test_responsive_is_not_fragile,
    test_scaffold,
    test_stale_answers,
    test_two_attractors,
)
from tests.traps.models.responding import MOVING_EDITS
from tests.traps.pictures.workshop import Workshop

MIDDLE = 128
"""A token limit between the two that the tests of the scaffold use."""


@dataclass(frozen=True)
class TrapRuns:
    """The runs by trap; each is made when it is first asked for."""

    workshop: Workshop

    @cached_property
    def erased_edit(self) -> dict[str, Run]:
        """By where the edges are erased; `nowhere` is the demonstration model itself."""
        found = {
            kind: self._of(test_erased_edit.erasing_run, request=_Request(kind))
            for kind in test_erased_edit.BUILDERS
        }
        nowhere = self.workshop.trap_run("erasing_nothing", demo_model_path(), **test_erased_edit.SETTINGS)
        return {**found, "nowhere": nowhere}

    @cached_property
    def scaffold(self) -> dict[tuple[str, int], Run]:
        """By model and token limit."""
        run = self._of(test_scaffold.scaffold_run)
        limits = (64, MIDDLE, test_scaffold.WHOLE)
        found = {(kind, limit): run(kind, limit) for kind in ("plain", "tagged") for limit in limits}
        limit = test_scaffold.CLOSED["tagged"] + test_scaffold.SHORT
        return {**found, ("unclosed", limit): run("unclosed", limit)}

    @cached_property
    def collapse(self) -> dict[str, Run]:
        """By system, the reference first."""
        reference = self._of(test_collapse.reference)
        run = self._of(test_collapse.systems, reference=reference)
        return {"reference": reference, **{name: run(name) for name in test_collapse.BUILDERS}}

    @cached_property
    def confident(self) -> Run:
        """The model that is sure of its first token."""
        return self._of(test_confident_but_unstable.run)

    @cached_property
    def noise(self) -> dict[str, Run]:
        """Alone, and in batches."""
        made = self._of(test_noise.made)
        return {name: self._of(getattr(test_noise, name), made=made) for name in ("alone", "batched")}

    @cached_property
    def stale(self) -> dict[str, Run]:
        """The suite's runs, and those of a plain task under `plain_`."""
        candidate = self._of(test_stale_answers.candidate)
        suite_runs = self._of(test_stale_answers.suite_runs, candidate=candidate)
        plain = self._of(test_stale_answers.plain_runs, candidate=candidate, suite_runs=suite_runs)
        return {**suite_runs, **{f"plain_{name}": run for name, run in plain.items()}}

    @cached_property
    def responding(self) -> dict[str, Run]:
        """By model."""
        run = self._of(test_responsive_is_not_fragile.responding_run)
        return {kind: run(kind) for kind in MOVING_EDITS}

    @cached_property
    def attracted(self) -> Run:
        """Thirty samples of both sides of eight pairs."""
        return self._of(test_two_attractors.run)

    def _of(self, fixture: Any, **more: Any) -> Any:
        return self.workshop.fixture(fixture, **more)


@dataclass(frozen=True)
class _Request:
    """What a fixture with parameters reads of pytest's request."""

    param: str
