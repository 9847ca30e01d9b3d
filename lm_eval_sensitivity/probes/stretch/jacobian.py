"""Norms of one block as a map of one position: how it stretches a small change, all other positions held."""

from __future__ import annotations

import contextlib
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from lm_eval_sensitivity.probes.architecture import block_input, first_tensor, hooked
from lm_eval_sensitivity.probes.replay import Batch, Path, Replay
from lm_eval_sensitivity.probes.stretch.finding import LayerJacobian
from lm_eval_sensitivity.probes.upcast import Upcast
from lm_eval_sensitivity.progress import progress

DIRECTIONS = 8
"""Random ones, of which the root mean square is taken."""
POWER_STEPS = 8

Block = Callable[[torch.Tensor], torch.Tensor]
"""[row, width] states at one position, in -> out."""


def jacobian_norms(
    replay: Replay, prompts: Mapping[str, tuple[int, ...]], seed: int
) -> tuple[LayerJacobian, ...]:
    """Root mean square and largest stretching of each block, at the end of prompts.

    Formulas, J = d x_{l+1,s} / d x_{l,s} at the last position s: rms = sqrt(mean |J u|^2 / |u|^2) over normal u, an
    estimate of |J|_F / sqrt(width); largest >= |J u| of the unit u behind `POWER_STEPS` steps u <- J^T J u.

    Args:
        replay: computes in float32 at least.
        prompts: prompt id -> token ids.
        seed: of the directions.

    Returns:
        One record per layer, geometric means over prompts.
    """
    logs = []
    with progress("Jacobians", len(prompts), "prompt") as bar:
        for name, ids in prompts.items():
            generator = np.random.default_rng((seed, zlib.crc32(name.encode())))
            logs.append(_of_prompt(replay, ids, generator))
            bar.update()
    means = np.exp(np.mean(logs, axis=0))
    return tuple(LayerJacobian(layer, *map(float, norms)) for layer, norms in enumerate(means))


def _of_prompt(
    replay: Replay, ids: tuple[int, ...], generator: np.random.Generator
) -> list[tuple[float, float]]:
    """[layer] logarithms of both norms."""
    found: list[tuple[float, float]] = []

    def look(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states = block_input(args, kwargs)
        drawn = generator.standard_normal((DIRECTIONS + 1, states.shape[-1]))
        directions = torch.from_numpy(drawn).to(states)
        norms = block_norms(_at_last_position(module, args, kwargs), states[0, -1], directions)
        found.append((float(np.log(norms[0])), float(np.log(norms[1]))))

    batch = Batch.of([Path(ids, (0,))], [0], replay.device)
    hooks = [block.register_forward_pre_hook(look, with_kwargs=True) for block in replay.architecture.blocks]
    with _differentiable(replay), hooked(hooks):
        replay.states(batch)
    return found


@contextlib.contextmanager
def _differentiable(replay: Replay) -> Iterator[None]:
    """Not in inference mode, whose tensors cannot be differentiated; and fused attention has no forward derivative."""
    upcast = Upcast() if replay.conditions.upcast else contextlib.nullcontext()
    with torch.no_grad(), upcast, sdpa_kernel(SDPBackend.MATH):
        yield


def _at_last_position(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Block:
    before = block_input(args, kwargs)[:, :-1]

    def block(states: torch.Tensor) -> torch.Tensor:
        whole = torch.cat([before.expand(len(states), -1, -1), states[:, None]], dim=1)
        # Not a call of the module, which would come back here.
        if args:
            return first_tensor(module.forward(whole, *args[1:], **kwargs))[:, -1]
        return first_tensor(module.forward(**{**kwargs, "hidden_states": whole}))[:, -1]

    return block


def block_norms(block: Block, at: torch.Tensor, directions: torch.Tensor) -> tuple[float, float]:
    """Root mean square and largest stretching of a map.

    Args:
        block: [row, width] -> [row, width], each row by itself.
        at: [width] where it is differentiated.
        directions: [direction, width] random ones; the last starts the power iteration.

    Returns:
        (rms, lower bound of the largest singular value).

    Example:
        >>> double = lambda states: 2 * states
        >>> block_norms(double, torch.ones(3), torch.eye(3))
        (2.0, 2.0)
    """
    start, random = directions[-1:], directions[:-1]
    moved = _forward(block, at.repeat(len(random), 1), random)
    squares = moved.pow(2).sum(dim=-1) / random.pow(2).sum(dim=-1)
    here = at[None]
    back = torch.func.vjp(block, here)[1]
    unit = start / start.norm()
    for _ in range(POWER_STEPS):
        (turned,) = back(_forward(block, here, unit))
        if not turned.norm() > 0:
            break
        unit = turned / turned.norm()
    return float(squares.mean().sqrt()), float(_forward(block, here, unit).norm())


def _forward(block: Block, at: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """J u of each row."""
    with warnings.catch_warnings():
        # PyTorch's own, when it loads its forward derivatives.
        warnings.filterwarnings("ignore", ".*torch.jit.script.* is deprecated", DeprecationWarning)
        found: torch.Tensor = torch.func.jvp(block, (at,), (directions,))[1]
    return found
