"""Recorded numbers of real models at several widths, with which a second implementation can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath

import pytest
import torch
import transformers

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.embedder import TextDistances, load_embedder
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.probes.bits.rounding import matrices_of, rounded
from lm_eval_sensitivity.probes.bits.static import beside, sizes, weight_error
from lm_eval_sensitivity.probes.replay import Path, Replay
from tests.probes.real import MODEL, real


@dataclass(frozen=True)
class Row:
    """Of one width, over the nine prompts of the smallest ladder under the chat template."""

    weight_error: float
    """|W_b - W| / |W| over all matrices together. Computed by itself in numpy: the prototype took the mean of each
    matrix's own, which is 0.0274 for the demonstration model at 6 bits."""
    divergence: float
    disagreement: float
    drift: float
    """Over the outputs that the embedder can read. At 2 bits it cannot read two of SmolLM2's nine; the prototype's mean
    over all nine is 0.9628."""
    same: int


DEMO = {
    8: Row(0.0068, 0.0000, 0.000, 0.0000, 9),
    6: Row(0.0277, 0.0001, 0.000, 0.0000, 9),
    5: Row(0.0572, 0.0003, 0.002, 0.0058, 8),
    4: Row(0.1225, 0.0019, 0.006, 0.0175, 7),
    3: Row(0.2859, 0.0139, 0.013, 0.1327, 4),
    2: Row(0.7908, 3.9106, 0.692, 0.8296, 0),
}
SMOLLM2 = {
    8: Row(0.0085, 0.0037, 0.032, 0.0855, 4),
    6: Row(0.0349, 0.0787, 0.111, 0.2533, 1),
    5: Row(0.0720, 0.3100, 0.274, 0.4009, 1),
    4: Row(0.1541, 0.8533, 0.383, 0.4650, 0),
    3: Row(0.3548, 7.9230, 0.958, 0.9862, 0),
    2: Row(0.8652, 19.78, 1.000, 0.9415, 0),
}
"""The rest is of a prototype that was written independently of the package."""


def load(folder: FilePath) -> tuple[transformers.PreTrainedModel, transformers.PreTrainedTokenizerBase]:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def outputs(
    model: transformers.PreTrainedModel, tokenizer: transformers.PreTrainedTokenizerBase, n_tokens: int
) -> list[Path]:
    """Greedy, one prompt at a time."""
    ends = model.generation_config.eos_token_id
    found = []
    for text in dict.fromkeys(pair.base for pair in load_ladder(subset="mini").pairs):
        messages = [{"role": "user", "content": text}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        with torch.no_grad():
            made = model.generate(
                input_ids=torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=n_tokens,
                do_sample=False,
                pad_token_id=ends[0] if isinstance(ends, list) else ends,
            )
        found.append(Path(tuple(ids), tuple(made[0, len(ids) :].tolist())))
    return found


def measured(folder: FilePath, n_tokens: int) -> tuple[dict[int, Row], tuple[int, int]]:
    """Every width of `DEMO`, and how many weights were rounded, of how many."""
    model, tokenizer = load(folder)
    replay = Replay(model, tokenizer)
    base = outputs(model, tokenizer, n_tokens)
    texts = [tokenizer.decode(each.output_ids, skip_special_tokens=True) for each in base]
    distances = TextDistances(lambda: load_embedder(None))
    rows = {}
    for bits in DEMO:
        other, _ = load(folder)
        copy = Replay(other, tokenizer)
        for _, weight in matrices_of(copy.architecture.blocks):
            weight.copy_(rounded(weight, bits))
        own = [
            tokenizer.decode(each.output_ids, skip_special_tokens=True)
            for each in outputs(other, tokenizer, n_tokens)
        ]
        drifts = [distances.distance(one, two) for one, two in zip(texts, own, strict=True)]
        numbers = [each for each in drifts if isinstance(each, float)]
        divergence, disagreement = beside(replay, copy, base)
        error = weight_error(replay, copy)
        assert error is not None
        rows[bits] = Row(
            error,
            float(divergence.mean()),
            float(disagreement.mean()),
            sum(numbers) / len(numbers),
            sum(each == 0 for each in numbers),
        )
    return rows, sizes(replay)


def check(found: dict[int, Row], expected: dict[int, Row]) -> None:
    for bits, row in expected.items():
        ours = found[bits]
        assert ours.weight_error == pytest.approx(row.weight_error, abs=6e-5), bits
        assert ours.divergence == pytest.approx(row.divergence, rel=0.02, abs=6e-5), bits
        assert ours.disagreement == pytest.approx(row.disagreement, abs=6e-3), bits
        assert ours.drift == pytest.approx(row.drift, rel=0.02, abs=1e-3), bits
        assert ours.same == row.same, bits


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_demonstration_model_has_the_recorded_numbers() -> None:
    found, (n_rounded, n_weights) = measured(demo_model_path(), 64)
    check(found, DEMO)
    assert (round(n_rounded / 1e6, 1), round(n_weights / 1e6, 1)) == (1.5, 2.0)


@real
def test_smollm2_has_the_recorded_numbers() -> None:
    found, (n_rounded, n_weights) = measured(MODEL, 32)
    check(found, SMOLLM2)
    assert (round(n_rounded / 1e6, 1), round(n_weights / 1e6, 1)) == (106.2, 134.5)
