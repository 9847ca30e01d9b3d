"""What a probe measured of each prompt as a column of the pairs table, which `clusters` and `compare` take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.metrics.catalogue import PROBE, is_of_probe
from lm_eval_sensitivity.probes.catalogue import NAMES
from lm_eval_sensitivity.probes.files import kept_results
from lm_eval_sensitivity.runs import Runs, System
from lm_eval_sensitivity.types import Missing

NOT_PROBED = Missing("not probed", "the probe was not given this prompt, or found no number there")


def with_probes(runs: Runs, metrics: Iterable[str]) -> Runs:
    """Runs whose table also has what probes measured; the number of a prompt stands in the row of each of its pairs.

    Args:
        runs: from `load_runs`.
        metrics: names of columns; those that are `probe.NAME.MEASURE` are added.

    Returns:
        The runs, with two columns more for each: the number, and why it is missing.

    Raises:
        InputError: no such probe or measure, or a system whose run holds no result of it.
    """
    table = runs.table
    for metric in dict.fromkeys(each for each in metrics if is_of_probe(each)):
        of_system = {system.name: _measured(system, metric) for system in runs.systems}
        keys = zip(table["name"].to_pylist(), table["prompt_id"].to_pylist(), strict=True)
        values = [of_system[name].get(prompt) for name, prompt in keys]
        reasons = [None if value is not None else str(NOT_PROBED) for value in values]
        table = table.append_column(metric, pa.array(values, pa.float64()))
        table = table.append_column(f"missing_{metric}", pa.array(reasons, pa.string()))
    return replace(runs, table=table)


def _measured(system: System, metric: str) -> Mapping[str, float | None]:
    """Prompt id -> number, of one system."""
    probe, _, measure = metric.removeprefix(PROBE).partition(".")
    if probe not in NAMES:
        raise InputError(
            f"`--metric {metric[:80]}`: there is no probe {probe[:40]!r}; accepted are {', '.join(NAMES)}."
            f"{did_you_mean(probe[:40], NAMES)}"
        )
    found = kept_results(system, [probe]).get(probe)
    if found is None:
        raise InputError(
            f"`--metric {metric[:80]}`: the run of {system.name} holds no result of the probe {probe}. Make it with "
            f"`lm-eval-sensitivity probe {probe} RUN`."
        )
    by_name = {each.measure: each for each in found.per_prompt}
    if measure not in by_name:
        known = ", ".join(f"{PROBE}{probe}.{each}" for each in by_name) or "none"
        raise InputError(
            f"`--metric {metric[:80]}`: the probe {probe} of {system.name} has no such number for each prompt; it has "
            f"{known}.{did_you_mean(measure[:40], tuple(by_name))}"
        )
    return by_name[measure].values
