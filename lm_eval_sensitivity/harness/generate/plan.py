"""Which generations a run needs: identical requests once, replicates apart, neighborhoods together.

A base prompt shared by twenty pairs costs one generation. Only replicates (the repetitions of the
identical rung) are generated again, because a cached copy would measure a noise floor of zero.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.types import Missing


@dataclass(frozen=True)
class Item:
    """One generation to make."""

    context: Any
    """The rendered prompt, chat template included, as the engine wants it (see `context_text`)."""
    settings: str
    """The decoding settings as canonical JSON; equal settings share generations."""
    replicate: int
    """0 for the output that is compared; from 1 on for the repetitions of the identical rung."""
    user_text: str
    """The ladder's prompt inside the context."""
    name: str
    """For messages: the pair that asked first, and its side."""

    @property
    def text(self) -> str:
        """The rendered prompt as text."""
        return context_text(self.context)

    @property
    def tail(self) -> str:
        """The end of the rendered prompt; empty where the template is applied elsewhere and cannot be seen."""
        return self.context[-PROMPT_TAIL_CHARACTERS:] if isinstance(self.context, str) else ""


PROMPT_TAIL_CHARACTERS = 400
"""How much of a prompt's end is searched for a scaffold that the template opens."""


def context_text(context: Any) -> str:
    """A context as text: chat APIs get their messages as JSON inside a record of lm_eval's.

    Returns:
        The text itself, or the messages as JSON.

    Example:
        >>> context_text("Why?")
        'Why?'
    """
    return str(getattr(context, "prompt", context))


@dataclass(frozen=True)
class Plan:
    """The distinct generations behind a list of requests, and how to get back to the requests."""

    items: tuple[Item, ...]
    item_of_request: tuple[int, ...]
    """[request] index into `items`."""
    repetitions_of_request: tuple[tuple[int, ...], ...]
    """[request] indices of the repetitions after the first, on the identical rung; empty for other requests."""
    base_of_request: tuple[int, ...]
    """[request] index into `items` of the base of the same pair (itself, for the base)."""
    prompt_of_item: tuple[str, ...]
    """[item] prompt id that asked for it first: the neighborhood it is generated with."""
    model_args: Mapping[str, str]
    """The run's `--model_args` as the tasks received them; identifies engines without weights."""
    chat_template_applied: bool
    warnings: tuple[str, ...] = ()
    """What the user should know before anything is generated."""
    price: tuple[float, float] | None = None
    """Of a million prompt tokens and of a million output tokens, where the user says it."""

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Distinct (base item, variant item) that have to be compared, in request order."""
        routes = zip(self.base_of_request, self.item_of_request, self.repetitions_of_request, strict=True)
        pairs = ((base, item) for base, first, further in routes for item in (first, *further))
        return tuple(dict.fromkeys((base, item) for base, item in pairs if base != item))

    @property
    def base_items(self) -> frozenset[int]:
        """Items that some pair has as its base."""
        return frozenset(base for base, _ in self.pairs)

    @cached_property
    def base_texts(self) -> frozenset[str]:
        """Rendered prompts that some request has as its base."""
        return frozenset(self.items[index].text for index in self.base_of_request)


@dataclass
class PairInstance(Instance):
    """A request of one side of a pair; `arguments` is `(context, gen_kwargs, replicate)`."""

    model_args: Mapping[str, str] | None = None
    chat_template_applied: bool = False
    obstacle: Missing | None = None
    """Why nothing may be scored of this side, whatever is answered."""
    warnings: tuple[str, ...] = ()
    """Of its task, to be said once per run."""
    repetitions: int | None = None
    """Of a prompt on the identical rung, where the user says how many; None leaves it to the engine."""
    price: tuple[float, float] | None = None
    """Of a million prompt tokens and of a million output tokens, where the user says it."""


def numbered(requests: Sequence[Instance]) -> list[Instance]:
    """Requests that lm_eval repeated, each repetition with a replicate number of its own.

    Args:
        requests: instances with arguments `(context, gen_kwargs, first replicate)`; repetitions are one object.

    Returns:
        [request] in the given order.
    """
    seen: Counter[int] = Counter()
    apart = []
    for request in requests:
        context, gen_kwargs, first = request.args
        apart.append(replace(request, arguments=(context, gen_kwargs, first + seen[id(request)])))
        seen[id(request)] += 1
    return apart


def model_args_of(requests: Sequence[Instance]) -> Mapping[str, str]:
    """The run's `--model_args` as the requests bring them; empty where none does."""
    return next((r.model_args for r in requests if isinstance(r, PairInstance) and r.model_args), {})


def make_plan(requests: Sequence[Instance], repetitions: int = 1) -> Plan:
    """Collapse equal requests; the two requests of a pair share task name and document id.

    Args:
        requests: instances whose arguments are `(context, gen_kwargs, replicate)`, index 0 being the
            base and index 1 the variant of the pair in `doc`.
        repetitions: of a prompt on the identical rung, where its request does not say how many.

    Returns:
        Distinct items, and of each request which item it is.
    """
    items: dict[tuple[str, str, int], int] = {}
    records: list[Item] = []
    prompts: list[str] = []
    item_of_request: list[int] = []
    repetitions_of_request: list[tuple[int, ...]] = []
    base_of_pair: dict[tuple[str | None, int | None], int] = {}

    def item_of(request: Instance, replicate: int) -> int:
        context, gen_kwargs, _ = request.args
        key = (context_text(context), json.dumps(gen_kwargs, sort_keys=True), replicate)
        if key not in items:
            items[key] = len(records)
            side = "base" if request.idx == 0 else "variant"
            name = f"{request.doc['pair_id']} ({side})"
            records.append(Item(context, *key[1:], user_text=request.doc[side], name=name))
            prompts.append(request.doc["prompt_id"])
        return items[key]

    for request in requests:
        replicate = request.args[2]
        item_of_request.append(item_of(request, replicate))
        count = (getattr(request, "repetitions", None) or repetitions) if replicate else 1
        repetitions_of_request.append(
            tuple(item_of(request, number) for number in range(replicate + 1, replicate + count))
        )
        if request.idx == 0:
            # A sampled base has many items; the first stands for them where prompts are compared.
            base_of_pair.setdefault((request.task_name, request.doc_id), item_of_request[-1])
    return Plan(
        items=tuple(records),
        item_of_request=tuple(item_of_request),
        repetitions_of_request=tuple(repetitions_of_request),
        base_of_request=tuple(base_of_pair[request.task_name, request.doc_id] for request in requests),
        prompt_of_item=tuple(prompts),
        model_args=model_args_of(requests),
        chat_template_applied=any(r.chat_template_applied for r in requests if isinstance(r, PairInstance)),
        warnings=tuple(
            dict.fromkeys(words for r in requests if isinstance(r, PairInstance) for words in r.warnings)
        ),
        price=next((r.price for r in requests if isinstance(r, PairInstance) and r.price is not None), None),
    )


def common_settings(plan: Plan) -> dict[str, Any]:
    """The one decoding setting of all items.

    Returns:
        `generation_kwargs` by name, as lm_eval handed them over.

    Raises:
        InputError: there are several.
    """
    settings = {item.settings for item in plan.items}
    if len(settings) > 1:
        raise InputError(
            f"The prompt_sensitivity tasks of one run have {len(settings)} different decoding settings: "
            f"{'; '.join(sorted(settings))}. Their outputs cannot be compared; run them separately."
        )
    return dict(json.loads(settings.pop()))


def generation_order(plan: Plan, lengths: Sequence[int]) -> tuple[list[int], list[int]]:
    """The order in which items are generated: first runs, then replicates.

    Neighborhoods (a base and its variants) stay together, so that prompt-end distributions can be
    compared and dropped early and so that a batch holds prompts of similar length. The longest
    neighborhood goes first: a batch that does not fit in memory fails at once. A base precedes its
    variants, so that an interrupted run never holds a variant whose base is still to come.

    Replicates come last: the first of all prompts in reverse order, each further one in an order of its own.
    Another slot, other neighbors, other padding are what makes the identical rung measure the system's own noise.

    Args:
        plan: of the run.
        lengths: [item] prompt lengths, in tokens or, where those are not shown, in characters.

    Returns:
        Item numbers of first runs and of replicates, each in order of generation.
    """
    longest: dict[str, int] = {}
    for prompt, length in zip(plan.prompt_of_item, lengths, strict=True):
        longest[prompt] = max(longest.get(prompt, 0), length)
    bases = plan.base_items

    def key(index: int) -> tuple[int, str, bool, int, int]:
        prompt = plan.prompt_of_item[index]
        return -longest[prompt], prompt, index not in bases, -lengths[index], index

    order = sorted(range(len(plan.items)), key=key)
    first = [index for index in order if plan.items[index].replicate == 0]
    again = [index for index in reversed(order) if plan.items[index].replicate != 0]
    again.sort(key=lambda index: _shuffled(plan.items[index]))  # stable
    return first, again


def _shuffled(item: Item) -> tuple[int, bytes]:
    """Where a replicate stands among those of its number; the first ones keep their order."""
    if item.replicate == 1:
        return 1, b""
    return item.replicate, hashlib.sha256(f"{item.replicate} {item.text}".encode(errors="replace")).digest()
