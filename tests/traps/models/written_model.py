"""A Llama whose weights are written down instead of trained, so that its outputs are known beforehand.

`write_model` takes a script, prompt -> phrases of the answer, and saves a stock `LlamaForCausalLM` that says
exactly that under greedy decoding. Every phrase is one token. The hidden state has two parts:

- chain: a phrase's own random unit vector. The output row of a phrase holds the vectors of the phrases that it
  follows, so "what comes next" is one matrix product and independent of everything else.
- prompt: one layer of random attention writes there a mixture of all tokens of the prompt. Where phrases have several
  successors (a fork), these have equal chain logits and the prompt part decides: its output weights are solved by
  least squares, for a margin that the script chooses.

No step is trained and nothing is drawn anew: equal scripts give equal weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.embedder import TextDistances, find_embedder

N_CHAIN, N_HEADS, HEAD = 384, 8, 64
N_PROMPT = N_HEADS * HEAD
WIDTH = N_CHAIN + N_PROMPT
CHAIN_LOGIT = 240.0
"""About what the next phrase of a chain is ahead of unrelated tokens, in nats."""
MARGIN = 8.0
"""How far the chosen phrase of a fork is ahead of the others, in nats, where a script does not say."""
PROMPT_END = "<|assistant|>"
"""The last token of a rendered prompt; a fork there is one between first phrases."""


@dataclass(frozen=True)
class Script:
    """What a model is to say."""

    outputs: Mapping[str, Sequence[str]]
    """User's prompt -> phrases of the answer. A phrase is followed by the same phrases wherever it stands."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """Phrase (or `PROMPT_END`) after which outputs part -> how far the chosen one is ahead there, in nats. 0 is a tie:
    sampling takes either, and greedy decoding the one with the smaller id."""
    chat_template: str | None = None
    """Instead of the demonstration model's; must end in `PROMPT_END` or in a phrase."""


def distance_of(phrases: Sequence[str], others: Sequence[str]) -> float:
    """Cosine distance of two scripted answers: what has to be measured where both are compared."""
    texts = "".join(phrases).strip(), "".join(others).strip()
    _distances().prepare(texts)
    found = _distances().distance(*texts)
    assert isinstance(found, float)  # scripted answers are English
    return found


@cache
def _distances() -> TextDistances:
    return TextDistances(find_embedder().load)


@dataclass(frozen=True)
class _Place:
    """A fork on the way of one prompt."""

    features: torch.Tensor
    """[prompt dimension] what the prompt part of the normalized hidden state holds there."""
    after: int
    """Token id before the fork."""
    chosen: int
    """Token id that the script wants next."""


def write_model(folder: Path, script: Script) -> Path:
    """Save the model and its tokenizer, after checking that it says what the script wants.

    Args:
        folder: created; holds the model afterwards.
        script: prompts, answers, margins.

    Raises:
        ValueError: two prompts with equal token ids and different answers, or a script that the construction cannot
            carry out.
    """
    tokenizer = _tokenizer(script)
    paths = _paths(tokenizer, script)
    model = _model(tokenizer)
    successors = _successors(paths)
    _write_chain(model, tokenizer, successors)
    _write_forks(model, _places(model, paths, successors), successors, _margins(tokenizer, script))
    _check(model, paths, successors, _margins(tokenizer, script))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(script: Script) -> Any:
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo_model_path())
    phrases = dict.fromkeys(phrase for output in script.outputs.values() for phrase in output)
    known = set(tokenizer.get_vocab())
    tokenizer.add_tokens(
        [transformers.AddedToken(phrase, normalized=False) for phrase in phrases if phrase not in known]
    )
    if script.chat_template is not None:
        tokenizer.chat_template = script.chat_template
    return tokenizer


def _paths(tokenizer: Any, script: Script) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Token ids of a prompt -> token ids of its answer, end token included."""
    paths: dict[tuple[int, ...], tuple[int, ...]] = {}
    for prompt, phrases in script.outputs.items():
        rendered = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
        )
        ids = tuple(tokenizer(rendered, add_special_tokens=False)["input_ids"])
        answer = (*(tokenizer.convert_tokens_to_ids(phrase) for phrase in phrases), tokenizer.eos_token_id)
        if paths.setdefault(ids, answer) != answer:
            raise ValueError(f"two answers for prompts with the same token ids, {prompt!r} is one of them")
    return paths


def _model(tokenizer: Any) -> Any:
    """One layer of random attention that writes into the prompt part; everything else is 0 so far."""
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=N_HEADS,
        num_key_value_heads=N_HEADS,
        head_dim=HEAD,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    random = torch.Generator().manual_seed(20)
    layer = model.model.layers[0]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0) if parameter.ndim == 1 else parameter.zero_()
        embedding = model.model.embed_tokens.weight
        n_ordinary = transformers.AutoTokenizer.from_pretrained(demo_model_path()).vocab_size
        embedding[:n_ordinary, N_CHAIN:] = torch.randn(n_ordinary, N_PROMPT, generator=random)
        attention = layer.self_attn
        scale = WIDTH**-0.5
        attention.q_proj.weight.copy_(torch.randn(N_PROMPT, WIDTH, generator=random) * scale * 2)
        attention.k_proj.weight[:, N_CHAIN:] = torch.randn(N_PROMPT, N_PROMPT, generator=random) * scale
        attention.v_proj.weight[:, N_CHAIN:] = torch.randn(N_PROMPT, N_PROMPT, generator=random) * scale
        attention.o_proj.weight[N_CHAIN:] = torch.eye(N_PROMPT)
    return model


def _successors(paths: Mapping[tuple[int, ...], tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """Token -> what follows it in some answer, in the order of ids."""
    found: dict[int, set[int]] = {}
    for prompt, answer in paths.items():
        for before, after in _steps(prompt, answer):
            found.setdefault(before, set()).add(after)
    return {before: tuple(sorted(after)) for before, after in found.items()}


def _steps(prompt: Sequence[int], answer: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip((prompt[-1], *answer), answer, strict=False)


def _write_chain(model: Any, tokenizer: Any, successors: Mapping[int, Sequence[int]]) -> None:
    """A chain vector for every token that something follows, and its sum into the rows of what follows."""
    random = torch.Generator().manual_seed(21)
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
    with torch.no_grad():
        for token in sorted(successors):
            vector = torch.randn(N_CHAIN, generator=random)
            vector /= vector.norm()
            embedding[token] = 0
            embedding[token, :N_CHAIN] = (
                vector * WIDTH**0.5
            )  # so that the final norm leaves its length as it is
            for after in successors[token]:
                head[after, :N_CHAIN] += vector * (CHAIN_LOGIT / WIDTH**0.5)


def _places(
    model: Any, paths: Mapping[tuple[int, ...], tuple[int, ...]], successors: Mapping[int, Sequence[int]]
) -> list[_Place]:
    """Every fork that a prompt comes by."""
    places = []
    for prompt, answer in paths.items():
        forks = {
            step: edge for step, edge in enumerate(_steps(prompt, answer)) if len(successors[edge[0]]) > 1
        }
        if not forks:
            continue
        with torch.inference_mode():
            hidden = model.model(torch.tensor([[*prompt, *answer[: max(forks)]]])).last_hidden_state[0]
        for step, (before, after) in forks.items():
            places.append(_Place(hidden[len(prompt) - 1 + step, N_CHAIN:].double(), before, after))
    return places


def _margins(tokenizer: Any, script: Script) -> dict[int, float]:
    return {tokenizer.convert_tokens_to_ids(phrase): margin for phrase, margin in script.margins.items()}


def _write_forks(
    model: Any,
    places: Sequence[_Place],
    successors: Mapping[int, Sequence[int]],
    margins: Mapping[int, float],
) -> None:
    """Smallest output weights in the prompt part with which every fork is taken as the script wants."""
    wanted: dict[int, list[tuple[torch.Tensor, float]]] = {}
    for place in places:
        half = margins.get(place.after, MARGIN) / 2
        for token in successors[place.after]:
            wanted.setdefault(token, []).append((place.features, half if token == place.chosen else -half))
    with torch.no_grad():
        for token, equations in wanted.items():
            features = torch.stack([features for features, _ in equations])
            logits = torch.tensor([logit for _, logit in equations], dtype=torch.float64)
            solution = torch.linalg.lstsq(features, logits[:, None], driver="gelsd").solution[:, 0]
            model.lm_head.weight[token, N_CHAIN:] = solution.float()


def _check(
    model: Any,
    paths: Mapping[tuple[int, ...], tuple[int, ...]],
    successors: Mapping[int, Sequence[int]],
    margins: Mapping[int, float],
) -> None:
    """Follow every path and compare each step's margin with the one that the script asked for."""
    for prompt, answer in paths.items():
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *answer[:-1]]])).logits[0, len(prompt) - 1 :]
        wanted_ids = torch.tensor(answer)[:, None]
        chosen = logits.gather(1, wanted_ids)[:, 0]
        margins_there = chosen - logits.scatter(1, wanted_ids, -torch.inf).amax(dim=1)
        for margin, (before, _) in zip(margins_there.tolist(), _steps(prompt, answer), strict=True):
            fork = len(successors[before]) > 1
            least, most = CHAIN_LOGIT / 16, 2 * CHAIN_LOGIT
            if fork:
                wanted = margins.get(before, MARGIN)
                least, most = wanted - 0.05 * wanted - 1e-3, wanted + 0.05 * wanted + 1e-3
            if not least <= margin <= most:
                raise ValueError(
                    f"a step of an answer has a margin of {margin:.4f} nats, wanted {least:.4f} to {most:.4f}"
                )
