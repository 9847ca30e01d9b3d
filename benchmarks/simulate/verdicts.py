"""How many simulated systems get the right verdict, a wrong one, or none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.simulate.data import PROMPTS, RUNGS, Floats, Generator, partition, together, usual
from lm_eval_sensitivity.stats import TwoAxes, judge, largest_value, two_axes

RESAMPLES = 999
BLOCKS = 10
EDIT_RUNGS = tuple(rung for rung, n in RUNGS.items() for _ in range(n))
CONTROLS = 2
REFERENCE = {"p": 0.15, "c": 0.8}


@dataclass(frozen=True)
class Kind:
    """True means of a system, and what should be said of it."""

    p: float
    c: float
    b: float
    label: str
    words: tuple[str, str, str]
    """Response, harmless edits, drift; empty where either would do."""
    by_prompt: float = 0.5
    """Correlation with the reference over prompts, and below over edits; that of 8 bits as on real outputs."""
    by_edit: float = 0.2


NEAR = ("alive", "as the reference", "near")
KINDS = {
    "the same system": Kind(0.15, 0.8, 0.01, "STABLE", NEAR, 0.9, 0.9),
    "as 8 bits (b = 0.5 p_ref)": Kind(0.15, 0.8, 0.075, "STABLE", NEAR, 0.8, 0.5),
    "as 4 bits (b = p_ref)": Kind(0.15, 0.8, 0.15, "STABLE", NEAR),
    "drifted (b = 4 p_ref)": Kind(0.15, 0.8, 0.6, "DRIFTED", ("alive", "as the reference", "far")),
    "more sensitive (p/c = 0.375)": Kind(0.3, 0.8, 0.3, "RESPONSIVE", ("alive", "more", "")),
    "indiscriminate (p = 0.7)": Kind(0.7, 0.8, 0.7, "INDISCRIMINATE", ("indiscriminate", "more", "far")),
    "noise (p = c = 0.8)": Kind(0.8, 0.8, 0.8, "INDISCRIMINATE", ("indiscriminate", "more", "far")),
    "partial collapse (c = 0.4)": Kind(0.08, 0.4, 0.6, "COLLAPSED", ("collapsed", "as the reference", "far")),
    '"the the the"': Kind(0.0, 0.0, 0.9, "COLLAPSED", ("collapsed", "as the reference", "far")),
}


def verdicts(replicates: int) -> dict[str, Any]:
    """Cells of all kinds and numbers of prompts."""
    cells = [
        {"prompts": prompts, "kind": name, "right_label": kind.label, **judged(kind, prompts, replicates)}
        for prompts in PROMPTS
        for name, kind in KINDS.items()
    ]
    return {
        "replicates": replicates,
        "resamples": RESAMPLES,
        "edits": len(EDIT_RUNGS),
        "reference": REFERENCE,
        "cells": cells,
    }


def judged(kind: Kind, prompts: int, replicates: int) -> dict[str, Any]:
    """Shares of right, wrong and open labels, and of every word."""
    rng = np.random.default_rng([prompts, round(100 * kind.p), round(1000 * kind.b)])
    labels: Counter[str] = Counter()
    words: dict[str, Counter[str]] = {}
    for index in range(replicates):
        found = judge(axes_of(rng, kind, prompts), resamples=RESAMPLES, seed=index * BLOCKS // replicates)
        labels[found.label] += 1
        for axis, word in found.words.items():
            words.setdefault(axis, Counter())[word] += 1
    right, still_open = labels[kind.label], labels["UNDETERMINED"]
    shares = {"right": right, "wrong": replicates - right - still_open, "open": still_open}
    wrong_words = {
        axis: sum(n for word, n in found.items() if word not in (truth, "unclear")) / replicates
        for (axis, found), truth in zip(words.items(), kind.words, strict=True)
        if truth
    }
    return {
        **{name: n / replicates for name, n in shares.items()},
        "labels": {label: n / replicates for label, n in sorted(labels.items())},
        "words": {
            axis: {w: n / replicates for w, n in sorted(found.items())} for axis, found in words.items()
        },
        "wrong_words": wrong_words,
    }


def axes_of(rng: Generator, kind: Kind, prompts: int) -> TwoAxes:
    """One simulated comparison; the drift is the mean over the base prompt and its variants."""

    def pairs(edits: int, candidate: float, reference: float) -> Floats:
        kinds = [usual(mean or 0.5) for mean in (candidate, reference)]
        values = together(rng, (prompts, edits), kinds, by_prompt=kind.by_prompt, by_edit=kind.by_edit)
        values[..., [mean == 0 for mean in (candidate, reference)]] = 0.0
        return values

    edits = len(EDIT_RUNGS)
    drift = pairs(edits + 1, kind.b, 0.15)[..., 0].mean(axis=1)
    harmless = partition(pairs(edits, kind.p, REFERENCE["p"]), EDIT_RUNGS)
    return two_axes(
        harmless,
        partition(pairs(CONTROLS, kind.c, REFERENCE["c"])),
        partition(np.zeros((prompts, 1, 2))),
        dict(zip(harmless.prompts, drift.tolist(), strict=True)),
        system="0",
        reference="1",
        largest_drift=largest_value(drift, 2.0) or 1.0,
    )
