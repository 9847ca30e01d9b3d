"""Where a model's blocks, final norm and output embedding are: found by what a forward pass does, not by names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch

from lm_eval_sensitivity.errors import InputError

_CLOSE = 2e-2
"""Largest part of a sum that rounding may leave, in the model's own arithmetic; in float32 it leaves 1e-6."""


@dataclass(frozen=True, eq=False)
class Architecture:
    """The parts of a loaded model that a replay looks at."""

    blocks: torch.nn.ModuleList
    """[layer] each adds to the residual; its first input and first output are residuals [row, position, width]."""
    norm: torch.nn.Module
    """The final norm, whose output goes into the output embedding."""
    head: torch.nn.Module
    """The output embedding; `weight` [vocabulary, width]."""
    soft_cap: float | None
    """Logits are c tanh(z / c), as in Gemma 2."""
    scale: float
    """Logits are multiplied by it, as in Cohere and Granite; 1 elsewhere."""
    sublayers: tuple[str, ...]
    """Names of the children of a block whose outputs are what it adds, in the order of computation: attention first.
    Empty where no two children add up to what the block does, as in one with residual multipliers."""

    @property
    def n_layers(self) -> int:
        """L."""
        return len(self.blocks)

    @property
    def width(self) -> int:
        """d."""
        return int(_weight(self.head).shape[1])

    @property
    def vocabulary(self) -> int:
        """V."""
        return int(_weight(self.head).shape[0])

    def after_head(self, logits: torch.Tensor) -> torch.Tensor:
        """What the architecture does to [..., vocabulary] logits behind the output embedding."""
        scaled = logits * self.scale if self.scale != 1 else logits
        return scaled if self.soft_cap is None else torch.tanh(scaled / self.soft_cap) * self.soft_cap


def _weight(head: torch.nn.Module) -> torch.Tensor:
    found = head.weight
    assert isinstance(found, torch.Tensor)
    return found


def first_tensor(value: Any) -> torch.Tensor:
    """The hidden states in what a module takes or gives: many a block gives a tuple."""
    found = value[0] if isinstance(value, tuple | list) else value
    assert isinstance(found, torch.Tensor), type(found)
    return found


def block_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    """The residual that goes into a block, however its model calls it."""
    return first_tensor(args if args else kwargs["hidden_states"])


def find_architecture(model: Any) -> Architecture:
    """Look where the parts are, and hold them against one forward pass of three tokens.

    Args:
        model: a causal language model of transformers, on its device.

    Raises:
        InputError: the blocks, the norm or the head are not where every decoder has them, or something unknown
            happens to the logits; the message names the classes found.
    """
    head = model.get_output_embeddings()
    config = model.config.get_text_config()
    blocks = _blocks(model, getattr(config, "num_hidden_layers", None))
    if blocks is None or not isinstance(getattr(head, "weight", None), torch.Tensor):
        raise InputError(
            f"A replay cannot look into {type(model).__name__}: it has no list of decoder blocks and one output "
            "embedding. Probes take decoder-only models of transformers."
        )
    seen = _watch(model, blocks, head)
    norm = _norm(model, seen, blocks)
    found = Architecture(
        blocks=blocks,
        norm=norm,
        head=head,
        soft_cap=getattr(config, "final_logit_softcapping", None),
        scale=_scale(config),
        sublayers=_sublayers(blocks[0], seen),
    )
    _check_logits(found, seen, model)
    return found


def _blocks(model: Any, n_layers: int | None) -> torch.nn.ModuleList | None:
    lists = [
        each for each in model.modules() if isinstance(each, torch.nn.ModuleList) and len(each) == n_layers
    ]
    # Lists of norms or of positions may be as long as the list of blocks: that is the one that holds attention.
    sized = [(sum(parameter.numel() for parameter in each.parameters()), each) for each in lists]
    return max(sized, key=lambda each: each[0])[1] if sized else None


def _scale(config: Any) -> float:
    if (divisor := getattr(config, "logits_scaling", None)) is not None:
        return 1 / float(divisor)
    return float(getattr(config, "logit_scale", None) or 1)


@dataclass
class _Seen:
    """What went through the parts in a pass of three tokens; [1, position, width] each."""

    first_input: torch.Tensor | None = None
    first_output: torch.Tensor | None = None
    last_output: torch.Tensor | None = None
    children: list[tuple[str, torch.Tensor]] | None = None
    """Of the first block, in the order of calls."""
    others: list[tuple[str, torch.nn.Module, torch.Tensor, torch.Tensor]] | None = None
    """Modules with one tensor in and one out of the residual's shape, after the last block: name, module, in, out."""
    at_head: torch.Tensor | None = None
    logits: torch.Tensor | None = None


def _watch(model: Any, blocks: torch.nn.ModuleList, head: torch.nn.Module) -> _Seen:
    seen = _Seen(children=[], others=[])
    inside = {id(each) for block in blocks for each in block.modules()}

    def of_first(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        seen.first_input, seen.first_output = block_input(args, kwargs), first_tensor(output)

    def of_last(module: Any, args: Any, output: Any) -> None:
        seen.last_output = first_tensor(output)

    def of_child(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, args: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, torch.Tensor) and seen.children is not None:
                seen.children.append((name, value))

        return hook

    def of_other(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, args: Any, output: Any) -> None:
            plain = seen.last_output is not None and args and isinstance(args[0], torch.Tensor)
            if plain and isinstance(output, torch.Tensor) and output.shape == args[0].shape:
                assert seen.others is not None
                seen.others.append((name, module, args[0], output))

        return hook

    def of_head(module: Any, args: Any) -> None:
        seen.at_head = first_tensor(args)

    hooks = [
        blocks[0].register_forward_hook(of_first, with_kwargs=True),
        blocks[-1].register_forward_hook(of_last),
        head.register_forward_pre_hook(of_head),
    ]
    hooks += [each.register_forward_hook(of_child(name)) for name, each in blocks[0].named_children()]
    for name, each in model.named_modules():
        if id(each) not in inside and each is not head and each is not model:
            hooks.append(each.register_forward_hook(of_other(name)))
    ids = torch.arange(3, device=next(model.parameters()).device)[None]
    try:
        with torch.inference_mode():
            seen.logits = model(input_ids=ids, use_cache=False).logits
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _norm(model: Any, seen: _Seen, blocks: torch.nn.ModuleList) -> torch.nn.Module:
    for _, module, states, output in seen.others or []:
        if _same(states, seen.last_output) and _same(output, seen.at_head):
            return module
    raise InputError(
        f"A replay cannot look into {type(model).__name__}: behind its last block, a {type(blocks[-1]).__name__}, no "
        "single norm leads to the output embedding. Found there: "
        f"{', '.join(type(module).__name__ for _, module, _, _ in seen.others or []) or 'nothing'}."
    )


def _same(states: torch.Tensor | None, others: torch.Tensor | None) -> bool:
    return states is not None and others is not None and torch.equal(states, others)


def _sublayers(block: torch.nn.Module, seen: _Seen) -> tuple[str, ...]:
    """The two children that add up to what the block does; a dropout behind one of them says the same."""
    before, after = seen.first_input, seen.first_output
    assert before is not None and after is not None
    added = (after - before).float()
    outputs = {name: value for name, value in seen.children or [] if value.shape == before.shape}
    names = [name for name in outputs if not isinstance(getattr(block, name), torch.nn.Dropout)]
    # A block may add nothing at all; then two children do that give nothing.
    size = torch.maximum(added.norm(), 1e-6 * before.float().norm())
    rest = [
        (
            float((outputs[first].float() + outputs[second].float() - added).norm() / size),
            (first, second),
        )
        for first, second in combinations(names, 2)
    ]
    if not rest:
        return ()
    least, found = min(rest)
    return _attention_first(block, found) if least < _CLOSE else ()


def _attention_first(block: torch.nn.Module, names: tuple[str, str]) -> tuple[str, ...]:
    """Norms behind a sublayer stand in its order; blocks that compute both side by side name attention as such."""
    attends = [name for name in names if "attn" in name or "attention" in name]
    first = attends[0] if len(attends) == 1 else names[0]
    return (first, *(name for name in names if name != first))


def _check_logits(found: Architecture, seen: _Seen, model: Any) -> None:
    assert seen.at_head is not None and seen.logits is not None
    with torch.inference_mode():
        ours = found.after_head(found.head(seen.at_head)).float()
    theirs = seen.logits.float()
    if (ours - theirs).abs().max() > _CLOSE * theirs.abs().max():
        raise InputError(
            f"A replay cannot look into {type(model).__name__}: between its output embedding, a "
            f"{type(found.head).__name__}, and its logits something happens that is neither a scale nor a soft cap."
        )


@contextmanager
def hooked(hooks: Sequence[Any]) -> Iterator[None]:
    """Hooks for the time of a block of code.

    Args:
        hooks: handles, as `register_forward_hook` gives them.
    """
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
