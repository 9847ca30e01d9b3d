"""What a panel will ask of its models, before anything runs: outputs, tokens and, where something was timed, time."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.ladder import Ladder, load_ladder
from lm_eval_sensitivity.ladder.cost import (
    CHARACTERS_PER_TOKEN,
    LIMIT_NAMES,
    REPETITIONS,
    TOKEN_LIMIT,
    generations,
)
from lm_eval_sensitivity.ladder.tasks import rungs_of_tasks
from lm_eval_sensitivity.panel.attempt import read_done
from lm_eval_sensitivity.panel.check_options import parsed_options
from lm_eval_sensitivity.panel.plan import Panel, Unit
from lm_eval_sensitivity.records.store import OutputCount
from lm_eval_sensitivity.types import Pair


@dataclass(frozen=True)
class Estimate:
    """What one system of a panel takes, all of its shards together."""

    system: str
    n_units: int
    n_done: int
    n_outputs: int | None
    """At most; None where a task is none of the ladder's, whose prompts are not known before it runs."""
    n_there: int
    """Outputs that it has."""
    prompt_tokens: int | None
    """About, of all outputs, without the chat template."""
    output_tokens: int | None
    """At most."""
    seconds: float = math.nan
    """Of what is left, by the pace of what was run; NaN where nothing was."""

    @property
    def minutes(self) -> float:
        """The same, in minutes."""
        return self.seconds / 60


def estimate(panel: Panel) -> tuple[Estimate, ...]:
    """What a panel takes, and what it has.

    Args:
        panel: need not have run.

    Returns:
        [system] in the order of the panel.

    Raises:
        InputError: an option that cannot be read, or results that were made with other options.
    """
    units = {
        system.name: [unit for unit in panel.units if unit.system == system.name] for system in panel.systems
    }
    paces = {name: pace for name, own in units.items() if not math.isnan(pace := _pace(own))}
    anybody = math.fsum(paces.values()) / len(paces) if paces else math.nan
    return tuple(_of_system(own, paces.get(name, anybody)) for name, own in units.items())


def not_here(panel: Panel) -> tuple[str, ...]:
    """Models that a path names, and that this machine has not; a name on the Hub cannot be looked up offline.

    Args:
        panel: need not have run.
    """
    first = {unit.system: unit for unit in reversed(panel.units)}
    models = [
        (parsed_options(first[system.name]).model_args or {}).get("pretrained") for system in panel.systems
    ]
    paths = dict.fromkeys(each for each in models if isinstance(each, str) and _is_path(each))
    return tuple(each for each in paths if not Path(each).exists())


def _is_path(model: str) -> bool:
    """A Hub id is one name, or two with a slash between."""
    return model.startswith((".", "/", "~")) or model.count("/") > 1


def _of_system(units: Sequence[Unit], seconds_per_output: float) -> Estimate:
    options = parsed_options(units[0])
    pairs = _pairs(units, options)
    n_done = sum(read_done(unit) is not None for unit in units)
    n_there = OutputCount(units[0].responses).update()
    is_done = n_done == len(units)
    n_outputs = prompt_tokens = output_tokens = None
    n_left = 0 if is_done else math.nan
    if pairs is not None:
        repeats = _repetitions(options)
        n_outputs = generations(pairs, repeats)
        output_tokens = n_outputs * _token_limit(options)
        texts = {text for pair in pairs for text in (pair.base, pair.variant)}
        again = [pair.base for pair in pairs if pair.rung == "identical"] * repeats
        prompt_tokens = sum(map(len, (*texts, *again))) // CHARACTERS_PER_TOKEN
        n_left = 0 if is_done else max(0, n_outputs - n_there)
    return Estimate(
        system=units[0].system,
        n_units=len(units),
        n_done=n_done,
        n_outputs=n_outputs,
        n_there=n_there,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        seconds=n_left * seconds_per_output if n_left else 0.0,
    )


def _pairs(units: Sequence[Unit], options: argparse.Namespace) -> list[Pair] | None:
    """The pairs behind all tasks of a system, each once; None where a task is none of the ladder's."""
    known = rungs_of_tasks()
    found: dict[str, Pair] = {}
    ladder = (options.metadata or {}).get("ladder")
    for task in (task for unit in units for task in unit.tasks):
        if task not in known:
            return None
        subset, rungs = known[task]
        loaded = _ladder(ladder, subset)
        for rung in rungs:
            pairs = loaded.rung(rung)
            found |= {pair.pair_id: pair for pair in pairs[: _most(options.limit, len(pairs))]}
    return list(found.values())


@cache
def _ladder(source: str | None, subset: str) -> Ladder:
    """Read once for all systems."""
    return load_ladder(source, subset)


def _most(limit: float | None, n_pairs: int) -> int:
    """As lm_eval takes `--limit`: a share below 1, else a number."""
    if limit is None:
        return n_pairs
    return math.ceil(n_pairs * limit) if limit < 1 else int(limit)


def _repetitions(options: argparse.Namespace) -> int:
    """Of a prompt of the identical rung; what the engine will say of itself is told from the options."""
    asked = (options.metadata or {}).get("repeats")
    exact = options.device == "cpu" and (options.model_args or {}).get("dtype") in ("float32", "float64")
    return asked if isinstance(asked, int) else 1 if exact else REPETITIONS


def _token_limit(options: argparse.Namespace) -> int:
    given: Mapping[str, Any] = options.gen_kwargs or {}
    limit = next((given[name] for name in LIMIT_NAMES if name in given), None)
    return limit if isinstance(limit, int) else TOKEN_LIMIT


def _pace(units: Sequence[Unit]) -> float:
    """Seconds of an output, loading included, of the shards that are done; NaN where none was run."""
    done = [each for unit in units if (each := read_done(unit)) is not None and each.n_outputs]
    n_outputs = sum(each.n_outputs for each in done)
    return math.fsum(each.seconds for each in done) / n_outputs if n_outputs else math.nan
