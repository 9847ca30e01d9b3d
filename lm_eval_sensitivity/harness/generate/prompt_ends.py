"""Collect outputs as they come, compare prompt ends within a neighborhood, then drop the distributions.

A next-token distribution is as large as the vocabulary. It is needed only until the base of its
neighborhood has met all its variants. Variants are dropped with their batch; bases whose identical rung is
measured wait for their replicate, which is generated last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from lm_eval_sensitivity.harness.generate.generation import Output
from lm_eval_sensitivity.harness.generate.plan import Plan
from lm_eval_sensitivity.harness.generate.trace_records import output_from_record, output_to_record
from lm_eval_sensitivity.metrics import PromptEnd, compare_prompt_ends
from lm_eval_sensitivity.metrics.logits import compare_top_prompt_ends
from lm_eval_sensitivity.records.store import ResponseStore, record_key
from lm_eval_sensitivity.types import Channel


class Neighborhoods:
    """The outputs of a plan while it is worked off, backed by the response store.

    Outputs are held by key, and equal token ids have equal keys: an edit that the tokenizer erased is
    not generated a second time.

    Args:
        plan: what has to be generated.
        store: earlier answers, or None.
        keys: [item] everything the item's output depends on, as a record key.
        channels: what outputs are made with.
    """

    def __init__(
        self, plan: Plan, store: ResponseStore | None, keys: list[str], channels: Collection[Channel]
    ) -> None:
        self._store = store
        self._keys = keys
        self._pairs = [(base, variant) for base, variant in plan.pairs if keys[base] != keys[variant]]
        self._base_keys = {keys[index] for index in plan.base_items}
        self._outputs: dict[str, Output] = {}
        self._prompt_ends: dict[tuple[str, str], PromptEnd] = {}
        self._open: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for base, variant in self._pairs if "prompt-end distribution" in channels else ():
            pair = (keys[base], keys[variant])
            self._open[pair[0]].add(pair)
            self._open[pair[1]].add(pair)
        if store is not None:
            self._load(store)

    def missing(self, index: int) -> bool:
        """True while an item still has to be generated."""
        return self._keys[index] not in self._outputs

    def add(self, outputs: Mapping[int, Output]) -> int:
        """Take in generated items, compare what can be compared, write both to the store.

        Args:
            outputs: by item number.

        Returns:
            How many of them are new.
        """
        arrived = {self._keys[index]: output for index, output in outputs.items()}
        new = {key: output for key, output in arrived.items() if key not in self._outputs}
        self._outputs.update(new)
        compared = [pair for key in new for pair in sorted(self._open[key]) if self._compare(pair)]
        if self._store is not None:
            # Comparisons first: should the last line be torn, it is an answer and costs one generation, while
            # a lost comparison would cost an answer whose distribution is gone.
            records: list[tuple[str, dict[str, Any]]] = [
                (_pair_key(pair), asdict(self._prompt_ends[pair])) for pair in compared
            ]
            records += [
                (key, output_to_record(output, with_distribution=key in self._base_keys))
                for key, output in new.items()
            ]
            self._store.append(records)
        for key in {*new, *(key for pair in compared for key in pair)}:
            self._drop_distribution(key)
        return len(new)

    def finished(self) -> tuple[Output, ...]:
        """All outputs, once none is missing.

        Returns:
            [item] outputs, in the plan's order.

        Raises:
            KeyError: one is missing.
        """
        return tuple(self._outputs[key] for key in self._keys)

    @property
    def prompt_ends(self) -> dict[tuple[int, int], PromptEnd]:
        """(base item, variant item) -> comparison; pairs with equal token ids have none.

        Without whole distributions it bounds what the most probable tokens leave open.
        """
        found: dict[tuple[int, int], PromptEnd] = {}
        for base, variant in self._pairs:
            keys = (self._keys[base], self._keys[variant])
            comparison = self._prompt_ends.get(keys) or _compare_top(*(self._outputs[key] for key in keys))
            if comparison is not None:
                found[base, variant] = comparison
        return found

    def _load(self, store: ResponseStore) -> None:
        for pair in {pair for pairs in self._open.values() for pair in pairs}:
            record = store.get(_pair_key(pair))
            if record is not None:
                self._prompt_ends[pair] = PromptEnd(**record)
                self._close(pair)
        for key in set(self._keys):
            record = store.get(key)
            if record is None:
                continue
            output = output_from_record(record)
            # An answer whose distribution is still needed and was not kept has to be made again.
            if self._distribution(output) is not None or not self._open[key]:
                self._outputs[key] = output
                self._drop_distribution(key)

    def _compare(self, pair: tuple[str, str]) -> bool:
        sides = [self._distribution(self._outputs.get(key)) for key in pair]
        if pair in self._prompt_ends or sides[0] is None or sides[1] is None:
            return False
        self._prompt_ends[pair] = compare_prompt_ends(sides[0], sides[1])
        self._close(pair)
        return True

    def _close(self, pair: tuple[str, str]) -> None:
        for key in pair:
            self._open[key].discard(pair)

    def _drop_distribution(self, key: str) -> None:
        output = self._outputs.get(key)
        if output is not None and output.trace is not None and not self._open[key]:
            trace = replace(output.trace, prompt_end_log_probabilities=None)
            self._outputs[key] = replace(output, trace=trace)

    @staticmethod
    def _distribution(output: Output | None) -> Any:
        return None if output is None or output.trace is None else output.trace.prompt_end_log_probabilities


def _pair_key(pair: tuple[str, str]) -> str:
    return record_key("prompt end", *pair)


def _compare_top(base: Output, variant: Output) -> PromptEnd | None:
    p, q = (None if each.trace is None else each.trace.prompt_end_top for each in (base, variant))
    return None if p is None or q is None else compare_top_prompt_ends(*p, *q)
