"""What `probe boundary` is tested on: a replay whose logits are set by hand, and runs made of a real tiny model."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from lm_eval_sensitivity.probes.boundary.attribution import ForcedSteps
from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs, RunPair
from lm_eval_sensitivity.probes.replay import Batch, Path, Reader
from tests.probes import made
from tests.probes.made import pair_of, run_pair

CATEGORIES = ("factual", "advice_recommendation")


class HandReplay:
    """States are logits, and logits are what the test says of a prompt: [step, vocabulary] by prompt ids."""

    def __init__(self, logits: dict[tuple[int, ...], Any], batch_size: int = 2) -> None:
        self._logits = {ids: torch.as_tensor(each, dtype=torch.float32) for ids, each in logits.items()}
        self.batch_size = batch_size
        self.device = torch.device("cpu")
        self.most_rows = 0
        self.waiting: list[int] = []
        self.architecture = SimpleNamespace(head=None)

    def run(self, paths: Sequence[Path], readers: Sequence[Reader] = (), label: str = "") -> None:
        order = sorted(range(len(paths)), key=lambda number: -len(paths[number].fed))
        for start in range(0, len(order), self.batch_size):
            numbers = order[start : start + self.batch_size]
            batch = Batch.of([paths[number] for number in numbers], numbers, self.device)
            width = next(iter(self._logits.values())).shape[1]
            states = torch.zeros((*batch.ids.shape, width))
            for row, path in enumerate(batch.paths):
                first = len(path.prompt_ids) - 1
                states[row, first : first + len(path.output_ids)] = self._logits[path.prompt_ids]
            for reader in readers:
                reader.start(batch)
                reader.final(states)
                reader.end()
                self.waiting.append(len(getattr(reader, "_waiting", ())))

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        self.most_rows = max(self.most_rows, len(states))
        return states


def forced_steps(shift: Any, gap: Any, **more: Any) -> ForcedSteps:
    """Steps of which only D and gap at the largest ratio matter."""
    d, g = np.asarray(shift, dtype=np.float64), np.asarray(gap, dtype=np.float64)
    rho = d / g
    fields = {
        "margin": g,
        "rho": rho,
        "shift": d,
        "gap": g,
        "runner_up_shift": d,
        "oscillation": np.abs(d),
        "kl": np.zeros_like(d),
        "floor": np.zeros_like(d),
        "entropy": np.ones_like(d),
        "flipped": rho > 1,
    }
    return ForcedSteps(**{**fields, **more})


def output(
    prompt_id: str,
    prompt_ids: Sequence[int],
    output_ids: Sequence[int],
    margins: Any = None,
    finish_reason: str = "length",
) -> RunOutput:
    numbers = None if margins is None else np.asarray(margins, dtype=np.float32)
    return RunOutput(
        prompt_id,
        tuple(prompt_ids),
        tuple(output_ids),
        text=" ".join(map(str, output_ids)),
        finish_reason=finish_reason,
        margins=numbers,
        entropies=None if numbers is None else np.exp(-numbers),
        top1_log_probabilities=None if numbers is None else -np.exp(-numbers),
        answer_start=0,
    )


def pair(prompt_id: str, edit: str, rung: Any, base: RunOutput, variant: RunOutput) -> RunPair:
    category = CATEGORIES[len(prompt_id) % 2]
    return run_pair(pair_of(prompt_id, edit, rung, category=category), base, variant)


def run_of(model: Any, n_prompts: int = 6, n_steps: int = 12, seed: int = 0) -> RunOutputs:
    """A run of a real model: each prompt, one token of it changed in two ways, and the prompt again."""
    generator = np.random.default_rng(seed)
    vocabulary = model.config.vocab_size
    pairs = []
    for number in range(n_prompts):
        name = f"q{'x' * (number % 2)}{number}"
        ids = generator.integers(3, vocabulary, size=5 + number).tolist()
        base = greedy(model, name, ids, n_steps)
        for edit, rung, place in (
            ("identical", "identical", None),
            ("double_space", "noop", 1),
            ("nbsp", "noop", 2),
            ("synonym_1", "synonym", 3),
            ("control_topic", "positive_control", 0),
        ):
            changed = list(ids)
            if place is not None:
                changed[place] = (changed[place] + 7) % vocabulary
            if edit == "double_space":
                changed.insert(1, 5)
            pairs.append(pair(name, edit, rung, base, greedy(model, name, changed, n_steps)))
    return RunOutputs(tuple(sorted(pairs, key=lambda each: each.pair.rung_index)), ())


def greedy(model: Any, prompt_id: str, prompt_ids: Sequence[int], n_steps: int) -> RunOutput:
    ids = made.greedy(model, prompt_ids, n_steps)
    return output(prompt_id, prompt_ids, ids, made.recorded(model, prompt_ids, ids)["margins"])
