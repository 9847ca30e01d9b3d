"""The same procedures on the designs of the ladder's subsets: few edits of many prompts, or many edits of few.

Which prompt has which edits is that of the published subsets. Means and variances of the four systems are those found
on real outputs of SmolLM2-135M-Instruct as it is, rounded to 8 and to 4 bits, and of Gemma 3 270M: between and within
prompts, and of their differences. A fifth of the variance within prompts belongs to the edit class, the same in all
prompts, so that it matters which prompts have which edits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulate.data import Floats, Generator, Latent, latent, partition
from lm_eval_sensitivity.ladder.load import load_ladder
from lm_eval_sensitivity.stats import (
    Partition,
    contrast_table,
    difference_interval,
    judge,
    largest_value,
    max_t_test,
    mean_interval,
    two_axes,
)
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

RESAMPLES = 999
DRAWS = 999
BLOCKS = 10
DESIGNS = ("core", "spread", "full")
CLASS_SHARE = 0.2


@dataclass(frozen=True)
class System:
    """Harmless edits of one system, its drift and its control; correlations with the first one."""

    p: float
    between: float
    within: float
    zeros: float
    by_prompt: float
    by_edit: float
    b: float
    c: float
    label: str


SYSTEMS = {
    "as it is": System(0.27, 0.0153, 0.0380, 0.20, 1.0, 1.0, 0.0, 0.70, ""),
    "8 bits": System(0.27, 0.0217, 0.0439, 0.20, 0.81, 0.52, 0.21, 0.70, "STABLE"),
    "4 bits": System(0.36, 0.0264, 0.0800, 0.05, -0.45, 0.21, 0.66, 0.70, "DRIFTED"),
    "Gemma": System(0.30, 0.0355, 0.0669, 0.10, 0.27, 0.27, 0.80, 0.70, "DRIFTED"),
}
"""Correlations follow from the variances of the systems and of their differences."""

STATED = {
    "core": {"8 bits": 0.020, "4 bits": 0.053, "Gemma": 0.042},
    "spread": {"8 bits": 0.013, "4 bits": 0.029, "Gemma": 0.024},
    "full": {"8 bits": 0.010, "4 bits": 0.026, "Gemma": 0.021},
}
"""Standard errors of a paired difference that those components give for 24 x 18, 96 x 4.5 and 96 x 18."""


@dataclass(frozen=True)
class Design:
    """Who has which edit."""

    harmless: NDArray[np.bool_]
    """[prompt, edit]"""
    rungs: tuple[str, ...]
    """[edit]"""
    control: NDArray[np.bool_]
    generations: int


@lru_cache(maxsize=8)
def design(subset: str) -> Design:
    """Of a published subset."""
    pairs = load_ladder(subset=subset).pairs
    everything = load_ladder().pairs
    prompts = sorted({pair.prompt_id for pair in pairs})

    def mask(rungs: tuple[str, ...]) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        classes = sorted({(pair.rung, pair.edit) for pair in everything if pair.rung in rungs})
        there = np.zeros((len(prompts), len(classes)), dtype=np.bool_)
        for pair in pairs:
            if pair.rung in rungs:
                there[prompts.index(pair.prompt_id), classes.index((pair.rung, pair.edit))] = True
        return there, tuple(rung for rung, _ in classes)

    harmless, rungs = mask(MEANING_PRESERVING_RUNGS)
    control, _ = mask(("positive_control",))
    texts = {pair.base for pair in pairs} | {pair.variant for pair in pairs}
    return Design(harmless, rungs, control, len(texts))


def designs(replicates: int) -> dict[str, Any]:
    """One cell per design."""
    return {
        "replicates": replicates,
        "resamples": RESAMPLES,
        "draws": DRAWS,
        "class_share": CLASS_SHARE,
        "systems": {name: vars(system) for name, system in SYSTEMS.items()},
        "stated_errors": STATED,
        "cells": [of_design(name, replicates) for name in DESIGNS],
    }


def of_design(name: str, replicates: int) -> dict[str, Any]:
    """Level, coverage, standard errors, power and verdicts."""
    used = design(name)
    rng = np.random.default_rng(len(used.harmless) * 1000 + int(used.harmless.sum()))
    systems = list(SYSTEMS.values())
    truth = _truth([_latent(system) for system in systems])
    counts: Counter[str] = Counter()
    differences = []
    labels = {system: Counter[str]() for system in SYSTEMS if SYSTEMS[system].label}
    for index in range(replicates):
        seed = index * BLOCKS // replicates
        null = _harmless(rng, used, [systems[0]] * 4, (1.0, 0.5, 0.5, 0.5), (1.0, 0.2, 0.2, 0.2))
        tests = max_t_test(contrast_table(null), draws=DRAWS, resamples=RESAMPLES, seed=seed)
        counts["family"] += bool((tests.p_adjusted <= 0.05).any())
        counts["level"] += float(tests.p_unadjusted[0]) <= 0.05
        table = _harmless(
            rng, used, systems, tuple(s.by_prompt for s in systems), tuple(s.by_edit for s in systems)
        )
        differences.append(_count(table, truth, counts, seed))
        for system in labels:
            labels[system][_verdict(rng, used, table, system, seed)] += 1
    errors = np.std(differences, axis=0)
    shares = {key: round(n / replicates, 4) for key, n in sorted(counts.items())}
    return {
        "design": name,
        "prompts": len(used.harmless),
        "edits_per_prompt": round(float(used.harmless.sum(axis=1).mean()), 2),
        "generations": used.generations,
        **shares,
        "errors": dict(zip(list(SYSTEMS)[1:], errors.round(4).tolist(), strict=True)),
        "labels": {
            s: {label: n / replicates for label, n in sorted(found.items())} for s, found in labels.items()
        },
    }


def _count(table: Partition, truth: Floats, counts: Counter[str], seed: int) -> list[float]:
    """Coverage of means and differences, and what is found; returns differences from the first system."""
    options: dict[str, Any] = {"resamples": RESAMPLES, "seed": seed}
    largest = [largest_value(table.values[:, :, i], 2.0) or 1.0 for i in range(len(truth))]
    for i, mean in enumerate(truth):
        found = mean_interval(table.system(table.systems[i]), largest=largest[i], **options)
        counts["mean_covered"] += (found.lower <= mean <= found.upper) / len(truth)
    differences = []
    for i, name in enumerate(list(SYSTEMS)[1:], 1):
        values = table.contrast(table.systems[i], table.systems[0]).differences
        found = difference_interval(values, largest=max(largest[i], largest[0]), **options)
        counts["difference_covered"] += (found.lower <= truth[i] - truth[0] <= found.upper) / 3
        counts[f"width {name}"] += found.upper - found.lower
        differences.append(found.estimate)
    tests = max_t_test(contrast_table(table), draws=DRAWS, resamples=RESAMPLES, seed=seed)
    counts["4 bits found alone"] += float(tests.p_unadjusted[tests.contrasts.index(("0", "2"))]) <= 0.05
    counts["4 bits found of six"] += tests.p("0", "2") <= 0.05
    return differences


def _latent(system: System) -> Latent:
    return latent(system.p, system.between, system.within, system.zeros)


@lru_cache(maxsize=1)
def _classes() -> Floats:
    """[edit] standard normal effects of the classes, drawn once; mean 0 and variance 1 within a rung of several."""
    rungs = np.array(design("full").rungs)
    effects = np.random.default_rng(8).standard_normal(len(rungs))
    for rung in set(rungs.tolist()):
        of_rung = rungs == rung
        effects[of_rung] -= effects[of_rung].mean()
    return effects / effects.std()


def _harmless(
    rng: Generator,
    used: Design,
    systems: list[System],
    by_prompt: tuple[float, ...],
    by_edit: tuple[float, ...],
) -> Partition:
    """Pairs of the design; every system hangs together with the first."""
    shape = used.harmless.shape
    prompt, edit = rng.standard_normal((shape[0], 1)), rng.standard_normal(shape)
    columns = []
    for system, r, s in zip(systems, by_prompt, by_edit, strict=True):
        of_prompt = r * prompt + np.sqrt(1 - r**2) * rng.standard_normal(prompt.shape)
        of_edit = s * edit + np.sqrt(1 - s**2) * rng.standard_normal(shape)
        mixed = np.sqrt(CLASS_SHARE) * _classes() + np.sqrt(1 - CLASS_SHARE) * of_edit
        columns.append(np.where(used.harmless, _latent(system).values(of_prompt, mixed), np.nan))
    return partition(np.stack(columns, axis=-1), used.rungs)


def _truth(kinds: list[Latent]) -> Floats:
    """[system] expected means on the whole ladder: of all prompts and edits, every rung with the same weight."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    weights = weights / weights.sum()
    whole = design("full")
    means = []
    for kind in kinds:
        mixed = (
            np.sqrt(CLASS_SHARE) * _classes()[:, None, None] + np.sqrt(1 - CLASS_SHARE) * nodes[None, None, :]
        )
        by_class = kind.values(nodes[None, :, None], mixed) @ weights @ weights
        table = partition(np.where(whole.harmless, by_class, np.nan)[..., None], whole.rungs)
        means.append(float(table.system("0").mean()))
    return np.array(means)


def _verdict(rng: Generator, used: Design, table: Partition, name: str, seed: int) -> str:
    """The label of one system beside the first."""
    system, place = SYSTEMS[name], str(list(SYSTEMS).index(name))
    prompts = len(used.harmless)
    only = Partition(
        table.prompts,
        table.edits,
        ("0", place),
        table.values[:, :, [0, int(place)]],
        table.status[:, :, [0, int(place)]],
        table.rungs,
    )
    shape = used.control.shape
    # One kind of control moves further than the other.
    kinds = np.where(np.arange(shape[1]) % 2, 0.5, -0.5)
    control = latent(system.c, 0.015, 0.045, 0.0).values(
        rng.standard_normal((prompts, 1, 2)), kinds[:, None] + rng.standard_normal((*shape, 2)) * 0.85
    )
    texts = used.harmless.sum(axis=1).max() + 1
    drift_kind = latent(system.b, 0.15 * system.b * (1 - system.b), 0.15 * system.b * (1 - system.b), 0.0)
    drift_values = drift_kind.values(rng.standard_normal((prompts, 1)), rng.standard_normal((prompts, texts)))
    there = np.arange(texts) <= used.harmless.sum(axis=1)[:, None]
    drift = np.where(there, drift_values, 0.0).sum(axis=1) / there.sum(axis=1)
    controls = partition(np.where(used.control[..., None], control, np.nan))
    identical = partition(np.zeros((prompts, 1, 1)))
    axes = two_axes(
        only,
        Partition(
            controls.prompts, controls.edits, (place, "0"), controls.values, controls.status, controls.rungs
        ),
        identical,
        dict(zip(only.prompts, drift.tolist(), strict=True)),
        system=place,
        reference="0",
        largest_drift=largest_value(drift, 2.0) or 1.0,
    )
    return judge(axes, resamples=RESAMPLES, seed=seed).label
