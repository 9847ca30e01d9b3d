"""Work off many generations in batches: with a progress bar, resumable, and halving what does not fit into memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence

from tqdm import tqdm

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.contract import BatchTooLargeError, Engine
from lm_eval_sensitivity.harness.generate.generation import Output
from lm_eval_sensitivity.harness.generate.prompt_ends import Neighborhoods

logger = logging.getLogger(__name__)

WORTH_SAYING = 1.0
"""Minutes from which an estimate is given."""


def first_of_each(order: Sequence[int], keys: Sequence[str]) -> list[int]:
    """The items of an order without those whose key, and so whose output, an earlier one shares.

    Args:
        order: items.
        keys: [item] everything the item's output depends on.

    Returns:
        Indices in the given order.

    Example:
        >>> first_of_each([2, 0, 1], ["a", "b", "a"])
        [2, 1]
    """
    first: dict[str, int] = {}
    for index in order:
        first.setdefault(keys[index], index)
    return list(first.values())


def distinct(candidates: list[int], prompts: Sequence[Hashable]) -> list[int]:
    """The candidates up to the first whose prompt is already among them.

    That one is a replicate, and in the batch of its first run it would not measure what another batch,
    with other neighbors and other padding, does to the same prompt.

    Args:
        candidates: item numbers, in order of generation.
        prompts: [item] the prompt of every item.

    Returns:
        The leading candidates, at least one unless there are none.

    Example:
        >>> distinct([0, 1, 2], ["a", "b", "a"])
        [0, 1]
    """
    seen: set[Hashable] = set()
    for position, index in enumerate(candidates):
        if prompts[index] in seen:
            return candidates[:position]
        seen.add(prompts[index])
    return candidates


def work_off(
    engine: Engine,
    generate: Callable[[list[int]], list[Output]],
    work: Neighborhoods,
    order: list[int],
    *,
    names: Sequence[str],
    label: str,
    window: Callable[[list[int]], list[int]],
) -> None:
    """Generate items in order; a batch that does not fit into memory is halved.

    Args:
        engine: for its batch size.
        generate: makes the outputs of the items of one batch, in order.
        work: takes the outputs in.
        order: items in the order in which batches are cut, each output once (see `first_of_each`).
        names: [item] for messages.
        label: of the progress bar.
        window: shortens the next candidates to those that may share a batch.

    Raises:
        InputError: a batch size that is none, or a single item that does not fit into memory.
    """
    todo = sum(work.missing(index) for index in order)
    if todo < len(order):
        logger.info("Response store: %d of %d generations are there.", len(order) - todo, len(order))
    batch_size = len(order) if engine.batch_size is None else engine.batch_size
    if batch_size < 1:
        raise InputError(f"`--batch_size {batch_size}`: accepted are whole numbers from 1, and `auto`.")
    # An engine that cuts its own batches shows its own progress.
    silent = engine.batch_size is None or engine.lm.rank != 0
    begin = time.monotonic()
    with tqdm(total=todo, desc=label, unit="prompt", disable=silent) as progress:
        start = 0
        while start < len(order):
            # Windows are cut from the full order, stored items included: a run that was killed between two
            # batches meets the same batches again, and with them the same floating-point noise.
            candidates = window(order[start : start + batch_size])
            batch = [index for index in candidates if work.missing(index)]
            try:
                outputs = generate(batch) if batch else []
            except BatchTooLargeError:
                batch_size = _smaller(len(batch), names[batch[0]])
                continue
            is_first = progress.n == 0
            progress.update(work.add(dict(zip(batch, outputs, strict=True))))
            if is_first and batch and not silent:
                _estimate(time.monotonic() - begin, len(batch), todo)
            start += len(candidates)


def _estimate(seconds: float, n_made: int, n_all: int) -> None:
    """Say once how long it will take, where that is long: a bar's own estimate moves, and is not in a log file."""
    minutes = seconds / n_made * (n_all - n_made) / 60
    if minutes >= WORTH_SAYING:
        logger.info(
            "The first %d of %d generations took %.0f s; the others take about %.0f min at this pace.",
            n_made,
            n_all,
            seconds,
            minutes,
        )


def _smaller(batch_size: int, name: str) -> int:
    if batch_size == 1:
        raise InputError(
            f"Out of memory at batch size 1, on the prompt of {name}. Generate fewer tokens "
            "(`--gen_kwargs max_gen_toks=...`), load the model in a smaller dtype, or use a larger device. "
            "With `--use_cache PATH` the finished generations are kept."
        )
    logger.warning("Out of memory at batch size %d: going on with %d.", batch_size, batch_size // 2)
    return batch_size // 2
