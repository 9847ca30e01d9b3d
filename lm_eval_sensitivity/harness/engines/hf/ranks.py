"""What the processes of a run tell each other, over PyTorch's own connections."""

from __future__ import annotations

from typing import TypeVar

import torch

Value = TypeVar("Value")


def all_gather(value: Value) -> list[Value]:
    """The values of all processes.

    Args:
        value: of this process; is pickled.

    Returns:
        [process] values; the own one where the processes are not connected.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return [value]
    found: list[Value | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, value)
    return [each for each in found if each is not None]
