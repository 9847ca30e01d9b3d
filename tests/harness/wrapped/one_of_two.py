"""One of two processes of a run: `python -m tests.harness.wrapped.one_of_two RANK PORT_FILE TASKS OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.harness.wrapped.scripted import Scripted, evaluate

N_PROCESSES = 2


def answer(context: str, choice: str | None) -> Any:
    """Another answer, and another choice, where a space is doubled."""
    if choice is not None:
        return -float(("rivers" if "  " in context else "magnets") not in choice)
    return f"#### {len(context) if '  ' in context else 7}"


class OneOfTwo(Scripted):
    """The scripted model, whose processes meet over gloo."""

    device = "cpu"

    @property
    def rank(self) -> int:
        return dist.get_rank()

    @property
    def world_size(self) -> int:
        return dist.get_world_size()

    def all_gather(self, tensor: torch.Tensor) -> torch.Tensor:
        parts = [torch.zeros_like(tensor.reshape(1)) for _ in range(N_PROCESSES)]
        dist.all_gather(parts, tensor.reshape(1))
        return torch.cat(parts)

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        parts: list[Any] | None = [None] * N_PROCESSES if self.rank == dst else None
        dist.gather_object(obj, parts, dst=dst)
        return parts

    def barrier(self) -> None:
        dist.barrier()


def main(rank: int, meeting: str, tasks: Path, out: Path) -> None:
    """Run the wrapped tasks; the first process writes what it found."""
    store = dist.FileStore(meeting, N_PROCESSES)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=N_PROCESSES)
    try:
        found = evaluate(OneOfTwo(answer), "sensitivity_gsm8k,sensitivity_arc", tasks)
        if rank == 0:
            out.write_text(json.dumps(found), encoding="utf-8")
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
