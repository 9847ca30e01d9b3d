"""Trap: two attractors that temperature noise jumps between, whatever the prompt.

Every prompt has two answers. Where a pair is sensitive, each side prefers its own by odds of e^3 to 1, and the
two say the same thing in other words. Where it is indifferent, both sides toss a coin between two answers that
are about different things.

Who falls for it: a probe that samples once from each side, or averages the distances between the samples of
the two sides. It sees the indifferent pairs further apart than the sensitive ones, by noise alone.

What the suite does: it takes off what the samples of one side differ among themselves (`excess_distance`) and
tests each pair. The sensitive pairs separate, the indifferent ones do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from lm_eval_sensitivity.cli import main as cli
from tests.running import Run
from tests.traps.conftest import BuiltModel, TrapRun, once
from tests.traps.models import attracted
from tests.traps.models.attracted import N_PHRASES, N_SENSITIVE, attractors, is_sensitive, opening, prompts
from tests.traps.models.written_model import distance_of

TASK = "prompt_sensitivity_sampling_paraphrase"
TEMPERATURE, N_SAMPLES = 0.1, 30
PREFERRED = 1 / (1 + math.exp(-attracted.MARGIN / TEMPERATURE))
"""Probability of the preferred attractor in a sensitive pair."""
EMBEDDING_NOISE = 1e-6
SIGMAS = 4

Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def run(built_model: BuiltModel, trap_run: TrapRun, shared_home: Path) -> Run:
    """Thirty samples of both sides of eight pairs."""

    def build_ladder(folder: Path) -> None:
        attracted.prompts_file(folder / "prompts.jsonl")
        assert cli.main(["ladder", "build", str(folder / "prompts.jsonl"), "-o", str(folder / "ladder")]) == 0

    once(shared_home / "attracted_ladder", build_ladder)
    return trap_run(
        "attracted",
        built_model("attracted", attracted.build),
        tasks=TASK,
        metadata={"ladder": str(shared_home / "attracted_ladder" / "ladder"), "n_samples": N_SAMPLES},
        gen_kwargs=f"max_gen_toks={N_PHRASES + 4},temperature={TEMPERATURE}",
        batch_size=64,
    )


def distance(prompt_id: str) -> float:
    """Of the prompt's two answers, with the opening that they share."""
    return distance_of(*([opening(prompt_id), *attractor] for attractor in attractors(prompt_id)))


def split(run: Run) -> tuple[list[Row], list[Row]]:
    """The rows of the sensitive and of the indifferent pairs."""
    rows = run.rows(TASK, "answer")
    sensitive = [row for row in rows if is_sensitive(row["doc"]["prompt_id"])]
    assert (len(rows), len(sensitive)) == (len(prompts()), N_SENSITIVE)
    return sensitive, [row for row in rows if row not in sensitive]


def shares(row: Row) -> list[float]:
    """[base, variant] share of the samples that are the first attractor; every sample is one of the two."""
    first, second = (
        "".join([opening(row["doc"]["prompt_id"]), *each]).strip()
        for each in attractors(row["doc"]["prompt_id"])
    )
    found = []
    for samples in row["resps"]:
        assert len(samples) == N_SAMPLES
        texts = [sample.strip() for sample in samples]
        assert set(texts) <= {first, second}
        found.append(texts.count(first) / N_SAMPLES)
    return found


def test_the_model_samples_as_it_was_written(run: Run) -> None:
    """Binomial: the share of an attractor is within four standard errors of its probability."""
    for rows, expected in zip(split(run), ((PREFERRED, 1 - PREFERRED), (0.5, 0.5)), strict=True):
        for row in rows:
            for share, probability in zip(shares(row), expected, strict=True):
                error = math.sqrt(probability * (1 - probability) / N_SAMPLES)
                assert abs(share - probability) <= SIGMAS * error


def test_the_naive_probe_takes_noise_for_sensitivity(run: Run) -> None:
    """Between the sides it finds half of a large distance where nothing differs, and all of a small one elsewhere. With
    one sample of each side it is fooled unless none of four coins falls on two sides: in 15 of 16 cases."""
    sensitive, indifferent = split(run)
    assert mean(map(naive_between, indifferent)) > mean(map(naive_between, sensitive))
    fooled = [naive_once(indifferent, draw) > naive_once(sensitive, draw) for draw in range(N_SAMPLES)]
    assert sum(fooled) > N_SAMPLES / 2


def naive_once(rows: list[Row], draw: int) -> float:
    """Mean distance of one sample of the base from one of the variant."""
    return mean(distance_of(*([samples[draw]] for samples in row["resps"])) for row in rows)


def naive_between(row: Row) -> float:
    """Mean distance between a sample of the base and one of the variant."""
    base, variant = shares(row)
    return (base * (1 - variant) + (1 - base) * variant) * distance(row["doc"]["prompt_id"])


def test_the_suite_separates_what_the_edit_decides(run: Run) -> None:
    """Holm over eight pairs asks for 0.05/8 of the smallest p and less of none. In a sensitive pair fewer than eight
    samples of a side go astray: eight or more of thirty do with a probability of 6e-5 for a side, and of 5e-4 for any
    of the eight sides. 23 against 7 of 30 has an exact p of 8e-5. In an indifferent pair p is one of few numbers, and
    so at or below 0.05 in 2.7 % of cases and at or below 0.05/8 in 0.3 %."""
    sensitive, indifferent = split(run)
    for row in sensitive:
        assert row["separated"]["p_value"] <= 0.05 / len(prompts())
    for row in indifferent:
        assert row["separated"]["p_value"] > 0.05 / len(prompts())
    assert run.value(TASK, "separated", "answer").startswith("4 of 8 pairs separate")
    assert "Sampled answers separate in 4 of 8 pairs of paraphrase" in run.words


def test_the_excess_distance_is_that_of_the_counts(run: Run) -> None:
    """With a and b the shares of one attractor among n samples of each side and d the distance of the two, samples
    differ between the sides with frequency a (1-b) + (1-a) b, and within a side with 2 a (1-a) n/(n-1)."""
    for row in run.rows(TASK, "answer"):
        (a, b), d = shares(row), distance(row["doc"]["prompt_id"])
        between = (a * (1 - b) + (1 - a) * b) * d
        within = (a * (1 - a) + b * (1 - b)) * d * N_SAMPLES / (N_SAMPLES - 1)
        assert row["between_distance"] == pytest.approx(between, abs=EMBEDDING_NOISE)
        assert row["within_distance"] == pytest.approx(within, abs=EMBEDDING_NOISE)
        assert row["excess_distance"] == pytest.approx(between - within, abs=EMBEDDING_NOISE)


def test_the_excess_distance_is_near_its_expectation(run: Run) -> None:
    """It is d (a - b)^2, less at most d / (2 (n - 1)) for what chance adds to that: almost all of d, and nothing."""
    for rows, gap in zip(split(run), (2 * PREFERRED - 1, 0.0), strict=True):
        error = SIGMAS * math.sqrt((1 - gap**2) / (2 * N_SAMPLES))  # of a - b
        least, most = max(gap - error, 0.0) ** 2 - 1 / (2 * (N_SAMPLES - 1)), (gap + error) ** 2
        for row in rows:
            assert least <= row["excess_distance"] / distance(row["doc"]["prompt_id"]) <= most
