"""A model loaded again to look into it after its run: by lm_eval, and only if it is the one that the run had."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.hf.weights import weights_checksum
from lm_eval_sensitivity.harness.one_prompt import RunSettings, load_model, parse_arguments
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.types import Note


@dataclass(frozen=True)
class ReplaySettings:
    """How the model is loaded, under lm_eval's own names."""

    model_args: str | None = None
    """`name=value,name=value` or a JSON object; None takes the run's own."""
    device: str | None = "cuda:0"
    batch_size: int = 8
    upcast: bool = False


def load_replay(system: System, settings: ReplaySettings) -> tuple[Replay, tuple[Note, ...]]:
    """The model of a run, ready to be fed what it said.

    Args:
        system: from `load_runs`.
        settings: how to load it.

    Returns:
        The replay, and cautions about what nobody can check.

    Raises:
        InputError: it cannot be loaded, its weights are not the run's, or a replay cannot look into it.
    """
    arguments = _arguments(system, settings.model_args)
    asked = RunSettings(device=settings.device, batch_size=str(settings.batch_size))
    with contextlib.redirect_stdout(sys.stderr):
        lm = load_model(asked, arguments)
    notes = _check_weights(system, lm)
    replay = Replay(lm.model, lm.tokenizer, batch_size=settings.batch_size, upcast=settings.upcast)
    return replay, notes


def _arguments(system: System, given: str | None) -> dict[str, Any]:
    if given is not None:
        return parse_arguments(given, "--model_args")
    own: Mapping[str, Any] = system.rungs[-1].metadata.model_args
    if "pretrained" not in own:
        raise InputError(
            f"The run of {system.name} does not say which weights it had. Give them with "
            "`--model_args pretrained=...`."
        )
    return dict(own)


def _check_weights(system: System, lm: Any) -> tuple[Note, ...]:
    stated = system.identity.get("weights")
    if not isinstance(stated, str):
        words = f"The engine of {system.name} shows no weights, so that nobody can tell whether these are the run's."
        return (Note("caution", f"{words} The agreement of the replay is all there is.", (system.name,)),)
    found = weights_checksum(lm.model).sha256
    if found != stated:
        raise InputError(
            f"`--model_args`: these weights are not those of the run of {system.name}: their checksum is "
            f"{found[:12]}..., the run's is {stated[:12]}..., of dtype {system.identity.get('dtype')}. Give the model, "
            "revision and dtype of the run."
        )
    return ()
