"""What makes one system different from another, gathered from a loaded HFLM.

A name is not an identity: bf16, int8 and retrained copies share `pretrained=`. The weights
themselves are summed up, exactly and cheaply, on the device they live on.
"""

from __future__ import annotations

import json
from typing import Any

import torch
import transformers

from lm_eval_sensitivity.harness.engines.hf.weights import WeightsChecksum
from lm_eval_sensitivity.harness.generate.fingerprint import fingerprint


def hf_identity(lm: Any, weights: WeightsChecksum, decoding: dict[str, object]) -> dict[str, object]:
    """Everything that the outputs of a loaded HFLM depend on.

    Args:
        lm: the model.
        weights: of it.
        decoding: as plain values.

    Returns:
        Plain values by name; a difference in any of them makes another system.
    """
    config = lm.model.config
    return {
        "engine": type(lm).__name__,
        "architecture": type(lm.model).__name__,
        "config": _config_hash(config),
        "tokenizer": _tokenizer_hash(lm.tokenizer),
        "weights": weights.sha256,
        "dtype": str(lm.model.dtype).removeprefix("torch."),
        "quantization": _quantization(config),
        "attention": getattr(config, "_attn_implementation", None),
        "autocast": str(lm.mixed_precision_dtype),
        "device": lm.device.type,
        "add_bos_token": lm.add_bos_token,
        "decoding": decoding,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def hf_notes(lm: Any, weights: WeightsChecksum, neutralized: dict[str, Any]) -> dict[str, object]:
    """What a reader should know beside the identity.

    Args:
        lm: the model.
        weights: of it.
        neutralized: as `neutralized_settings` found them.

    Returns:
        Plain values by name; none of them makes two systems differ.
    """
    return {
        # Names, not identities: one model has many paths, and one path may hold many models.
        "model": str(lm.pretrained if isinstance(lm.pretrained, str) else lm.model.name_or_path),
        "revision": str(lm.revision),
        "peft": lm.peft,
        "delta": lm.delta,
        "neutralised_generation_settings": {name: repr(value) for name, value in neutralized.items()},
        "batch_size": str(lm.batch_size),
        "weights_unread": f"{weights.n_unread} of {weights.n_tensors} tensors",
        "device_name": torch.cuda.get_device_name(lm.device) if lm.device.type == "cuda" else lm.device.type,
        "chat_template_available": getattr(lm.tokenizer, "chat_template", None) is not None,
    }


def is_bit_exact(lm: Any) -> bool:
    """Whether the arithmetic of a loaded HFLM is that of a CPU in single or double precision.

    In another batch even that may round differently and flip a near tie, but rarely.
    """
    precise = lm.model.dtype in (torch.float32, torch.float64) and lm.mixed_precision_dtype is None
    return precise and _quantization(lm.model.config) is None and lm.device.type == "cpu"


_NOT_ARITHMETIC = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures")


def _config_hash(config: Any) -> str:
    """Two models with equal weights may still differ in rope scaling, soft caps or window sizes."""
    described = {name: value for name, value in config.to_dict().items() if name not in _NOT_ARITHMETIC}
    return fingerprint(described)


def _tokenizer_hash(tokenizer: Any) -> str:
    """What turns text into ids and back; a slow tokenizer counts by class and vocabulary."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else sorted(tokenizer.get_vocab().items())
    return fingerprint({"class": type(tokenizer).__name__, "vocabulary": vocabulary})


def _quantization(config: Any) -> object:
    quantization = getattr(config, "quantization_config", None)
    if quantization is None:
        return None
    described = quantization if isinstance(quantization, dict) else quantization.to_dict()
    return json.loads(json.dumps(described, sort_keys=True, default=str))
