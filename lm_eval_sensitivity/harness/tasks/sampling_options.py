"""What `--metadata` may say to the sampling tasks beside what it says to all: how many samples, and which stream."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.tasks.options import whole_number
from lm_eval_sensitivity.stats import TWO_SAMPLE_DRAWS, two_sample_attainable_p
from lm_eval_sensitivity.stats.multiplicity import ALPHA

LEAST_SAMPLES, MOST_SAMPLES = 2, 1_000
LEAST_DRAWS, MOST_DRAWS = 99, 1_000_000
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class SamplingOptions:
    """How a distribution of outputs is looked at; the temperature is part of the decoding."""

    n_samples: int = 30
    """Samples of each side of a pair."""
    draws: int = TWO_SAMPLE_DRAWS
    """Random permutations of a pair's samples, where not all are tried."""
    seed: int = 0
    """Names the random stream of the samples and of the permutation test."""

    @property
    def attainable_p(self) -> float:
        """The smallest p of a pair with all its samples."""
        return two_sample_attainable_p(self.n_samples, self.n_samples, draws=self.draws)


def parse_sampling_options(metadata: Mapping[str, Any]) -> SamplingOptions:
    """Pick the options of the sampling tasks out of a task's metadata, which also holds all of `--model_args`.

    Returns:
        Samples per prompt, draws and seed; defaults where they are not given.

    Raises:
        InputError: a number that is none or out of range, or a reference run.

    Example:
        >>> parse_sampling_options({"pretrained": "gpt2", "n_samples": 10})
        SamplingOptions(n_samples=10, draws=9999, seed=0)
    """
    if metadata.get("reference") is not None:
        raise InputError(
            "`--metadata`: `reference` is not accepted by prompt_sensitivity_sampling tasks: a reference run holds one "
            "greedy output per prompt, and nothing is known about its spread. Leave it out, or run the "
            "prompt_sensitivity tasks for baseline_drift."
        )
    for name in metadata:
        if name != "n_samples" and difflib.get_close_matches(str(name), ["n_samples"], cutoff=0.85):
            raise InputError(f"`--metadata`: `{name}` is not an option; did you mean `n_samples`?")
    p = (
        f" The smallest p of a pair is {two_sample_attainable_p(4, 4):.2g} with 4 samples, "
        f"{two_sample_attainable_p(30, 30):.2g} with 30."
    )
    found = {
        "n_samples": whole_number(metadata, "n_samples", LEAST_SAMPLES, MOST_SAMPLES, p),
        "draws": whole_number(metadata, "draws", LEAST_DRAWS, MOST_DRAWS),
        "seed": whole_number(metadata, "seed", 0, LARGEST_SEED),
    }
    return SamplingOptions(**{name: value for name, value in found.items() if value is not None})


def too_few_to_separate(options: SamplingOptions, n_pairs: int) -> str | None:
    """Say before a run that no pair of a rung can separate.

    Args:
        options: of the run.
        n_pairs: of the rung.

    Returns:
        The sentence, with a number of draws or of samples that is enough where there is one; None where a pair can
        separate.

    Example:
        >>> too_few_to_separate(SamplingOptions(30), 40) is None
        True
        >>> too_few_to_separate(SamplingOptions(30), 768).rpartition("separate. ")[-1]
        '153599 draws (--metadata draws) are enough.'
    """
    least = options.attainable_p
    if least * n_pairs <= ALPHA:
        return None

    def suffice(n_samples: int, draws: int) -> bool:
        return two_sample_attainable_p(n_samples, n_samples, draws=draws) * n_pairs <= ALPHA

    # Ten times as many as could be enough: the p of a pair that separates is not always the smallest.
    draws = min(10 * math.ceil(n_pairs / ALPHA) - 1, MOST_DRAWS)
    samples = next((n for n in range(options.n_samples, MOST_SAMPLES) if suffice(n, options.draws)), None)
    if suffice(options.n_samples, draws):
        advice = f" {draws} draws (--metadata draws) are enough."
    else:
        advice = "" if samples is None else f" {samples} samples (--metadata n_samples) are enough."
    return (
        f"{options.n_samples} samples a side: the smallest p of a pair is {least:.2g}, and {n_pairs} pairs need "
        f"{ALPHA / n_pairs:.2g} (Holm at {ALPHA:g}), so that no pair can separate.{advice}"
    )
