"""What tells a model that cannot be looked into from another: what the user asked for, and its weights if seen."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def identity_from_outside(lm: Any, model_args: Mapping[str, str]) -> dict[str, object]:
    """What tells a model from another without knowing its engine.

    Args:
        lm: the model as lm_eval made it.
        model_args: the run's `--model_args`.

    Returns:
        Class, arguments and model name; a checksum of weights that are in memory, or else names, sizes in bytes and
        modification times in nanoseconds of the files of a local model.
    """
    identity: dict[str, object] = {"engine": type(lm).__name__, "model_args": dict(model_args)}
    model = getattr(lm, "model", None)
    if isinstance(model, str):
        identity["model"] = model
    if "torch" in sys.modules and isinstance(model, sys.modules["torch"].nn.Module):
        from lm_eval_sensitivity.harness.engines.hf.weights import weights_checksum

        identity["weights"] = weights_checksum(model).sha256
    local = Path(model_args.get("pretrained", ""))
    if "weights" not in identity and local.parts and local.is_dir():
        # Weights that only the engine sees: a folder retrained in place has other sizes or times.
        files = sorted(path for path in local.iterdir() if path.is_file())
        identity["files"] = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return identity
