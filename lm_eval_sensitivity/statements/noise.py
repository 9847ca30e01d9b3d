"""Is a distance more than noise? Edits beside the identical rung, prompt by prompt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.records import SystemRow
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, Selection
from lm_eval_sensitivity.stats import Constants, RepetitionTest, repetition_test
from lm_eval_sensitivity.text.format import in_print

NOISE_ALPHA = 1 - Constants().level
_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def beside_noise(partition: TablePartition, selection: Selection, system: str) -> RepetitionTest:
    """A system's distances under the selected edits beside those of the identical rung, in the same metric.

    Nothing but `above` may be called sensitivity. Compared within prompts, because a mean over other
    prompts than those of the floor could lie above it by their choice.

    Args:
        partition: of a pairs table.
        selection: which numbers; not of the identical rung itself.
        system: display name.

    Returns:
        Both means over the prompts that have both, a one-sided p and bounds; a reason instead of them below 5 prompts.
    """
    return partition.once(("noise", selection, system), lambda: _test(partition, selection, system))


def _test(partition: TablePartition, selection: Selection, system: str) -> RepetitionTest:
    edited, floor = partition.pairs(selection), partition.pairs(replace(selection, rung_set=NOISE_RUNG))
    repeated = dict(zip(floor.prompts, floor.system(system).tolist(), strict=True))
    return repetition_test(
        edited.values[:, :, edited.systems.index(system)],
        np.array([repeated.get(prompt, np.nan) for prompt in edited.prompts]),
        means=edited.system(system),
        repetitions=partition.repetitions(system) or 1,
        high=METRICS[selection.metric].high,
        alpha=NOISE_ALPHA,
        resamples=partition.resamples,
        seed=partition.seed,
    )


def may_be_noise(found: RepetitionTest) -> bool:
    """Whether a distance was held against its noise floor and is not reliably above it."""
    return found.standing not in ("above", "not judged")


def noise_sentence(found: RepetitionTest, what: str) -> str:
    """How a distance that is not reliably above its noise floor stands to it, and what would settle it.

    Args:
        found: for which `may_be_noise`.
        what: is compared; opens the sentence.

    Returns:
        A sentence without its period.

    Example:
        >>> noise_sentence(repetition_test([[0.1]] * 5, [0.2] * 5), "What edits move")
        'What edits move is within the noise floor 0.2000: 0.1000 over the 5 prompts that have both'
        >>> found = repetition_test([[0.1]] * 9, [0.0] * 9, repetitions=3)
        >>> for words in noise_sentence(found, "What edits move").split("; "):
        ...     print(words)
        What edits move may be noise (0.1000): 9 prompts with three repetitions each that agreed cannot exclude ...
        about 12 more prompts would
    """
    if found.standing == "within":
        distance = f"{in_print(found.distance)} over the {found.n} prompts that have both"
        return f"{what} is within the noise floor {in_print(found.floor)}: {distance}"
    agreed = "that agreed" if found.floor == 0 else f"that moved them by {in_print(found.floor)}"
    prompts = f"{found.n} prompts with {repetitions_in_words(found.repetitions)} each {agreed}"
    if _is_hidden(found):
        left_open = f"cannot exclude noise of up to {in_print(found.floor_upper)}"
    else:
        left_open = f"do not settle it (p {in_print(found.p_value, 2)})"
    if found.n_needed is not None:
        left_open += f"; about {_rounded_up(found.n_needed - found.n)} more prompts would"
    return f"{what} may be noise ({in_print(found.distance)}): {prompts} {left_open}"


def noise_cell(found: RepetitionTest) -> str:
    """The same for a cell of a table, in 40 characters at most.

    What would settle it stands in `noise_sentence`.

    Example:
        >>> noise_cell(repetition_test([[0.1]] * 5, [0.2] * 5))
        'within the noise floor 0.2000'
        >>> noise_cell(repetition_test([[0.1]] * 9, [0.0] * 9))
        'may be noise: up to 0.1965 not excluded'
        >>> noise_cell(repetition_test([[0.9]] * 3 + [[0.0]] * 6, [0.0] * 9))
        'may be noise: not settled (p 0.13)'
    """
    if found.standing == "within":
        return f"within the noise floor {in_print(found.floor)}"
    if _is_hidden(found):
        return f"may be noise: up to {in_print(found.floor_upper)} not excluded"
    return f"may be noise: not settled (p {in_print(found.p_value, 2)})"


def floor_in_words(rows: Iterable[SystemRow]) -> str:
    """What a noise floor is, and over how many repetitions of a prompt.

    Args:
        rows: the systems of a table.

    Returns:
        Half a sentence.
    """
    by_count: dict[int, list[str]] = {}
    for row in rows:
        if row.repetitions is not None:
            by_count.setdefault(row.repetitions, []).append(row.system)
    said = []
    for count, names in sorted(by_count.items()):
        whose = f" ({', '.join(names)})" if len(by_count) > 1 else ""
        said.append(f"{repetitions_in_words(count)}{whose}")
    return (
        f"mean of the identical rung, {' or '.join(said)} of each prompt"
        if said
        else "mean of the identical rung"
    )


def _is_hidden(found: RepetitionTest) -> bool:
    """Whether noise as large as the distance could have gone unseen."""
    return found.floor_upper >= found.distance


def _rounded_up(count: int) -> int:
    """To two digits, as from more nobody counts prompts."""
    step: int = 10 ** max(len(str(count)) - 2, 0)
    return -(-count // step) * step


def repetitions_in_words(count: int) -> str:
    """A number of repetitions.

    Example:
        >>> repetitions_in_words(1), repetitions_in_words(3), repetitions_in_words(12)
        ('one repetition', 'three repetitions', '12 repetitions')
    """
    number = _NUMERALS[count] if count < len(_NUMERALS) else str(count)
    return f"{number} repetition{'' if count == 1 else 's'}"
