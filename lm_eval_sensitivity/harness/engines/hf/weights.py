"""What weights in memory look like, summed up exactly and cheaply on the device they live on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

_SAMPLES_PER_TENSOR = 64
_WORDS_PER_SUM = 2**22
"""Summing widens to 64 bits: in pieces, so that a large embedding does not need a second, wider copy."""


@dataclass(frozen=True)
class WeightsChecksum:
    """What the weights in memory look like, independent of the device they are on."""

    sha256: str
    n_tensors: int
    n_unread: int
    """Tensors that are offloaded or of a kind whose bytes cannot be seen; they count by name and shape only."""


def weights_checksum(model: torch.nn.Module) -> WeightsChecksum:
    """SHA-256 over name, shape, dtype and content of every parameter and buffer, in name order.

    Content means the exact integer sum of the raw bytes' words (the order of a sum of integers does not
    matter, so every device gives the same value) and 64 raw words spread over the tensor. It is not
    meant to resist an adversary; it tells retrained, rounded, merged and re-quantized weights apart
    without reading a checkpoint from disk.

    Returns:
        Hex digest, and how many tensors there are and could not be read.
    """
    digest = hashlib.sha256()
    n_tensors = n_unread = 0
    for name, tensor in _named_tensors(model):
        n_tensors += 1
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        words = _as_integers(tensor)
        if words is None:
            n_unread += 1
            digest.update(b"unread")
            continue
        total = torch.zeros((), dtype=torch.int64, device=words.device)
        for piece in torch.split(words, _WORDS_PER_SUM):
            total += torch.sum(piece, dtype=torch.int64)
        stride = max(1, words.numel() // _SAMPLES_PER_TENSOR)
        digest.update(str(int(total)).encode())
        digest.update(words[::stride][:_SAMPLES_PER_TENSOR].to("cpu", torch.int64).numpy().tobytes())
    return WeightsChecksum(digest.hexdigest(), n_tensors, n_unread)


def _named_tensors(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    state = dict(model.state_dict(keep_vars=True))
    for name in sorted(state):
        if isinstance(state[name], torch.Tensor):
            yield name, state[name].detach()


def _as_integers(tensor: torch.Tensor) -> torch.Tensor | None:
    """The tensor's raw bytes as integers of the same width, without a copy where it is contiguous.

    None for a tensor that holds no bytes here: offloaded, empty, or a quantization library's own subclass,
    which may look like a tensor without being one that can be viewed.
    """
    widths = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
    if (
        not plain
        or tensor.device.type == "meta"
        or tensor.numel() == 0
        or tensor.element_size() not in widths
    ):
        return None
    return tensor.contiguous().reshape(-1).view(widths[tensor.element_size()])
