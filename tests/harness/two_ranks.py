"""One of two processes of a run over gloo: `python -m tests.harness.two_ranks RANK MEETING_FILE lm_eval ...`.

lm_eval's own model knows several processes on GPUs only; this one meets the others on the CPU, in lm_eval's own ways.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM

from tests.running import execute, only_our_tasks

N_RANKS = 2


@register_model("hf-gloo")
class GlooModel(HFLM):  # type: ignore[misc,unused-ignore]
    """`--model hf` in one of two processes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._rank, self._world_size = torch.distributed.get_rank(), N_RANKS

    def all_gather(self, tensor: torch.Tensor) -> torch.Tensor:
        found = [torch.zeros_like(tensor) for _ in range(N_RANKS)]
        torch.distributed.all_gather(found, tensor)
        return torch.stack(found)

    def barrier(self) -> None:
        torch.distributed.barrier()


def main(rank: str, meeting: str, *line: str) -> None:
    """Run a command line of lm_eval's as one of two."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=N_RANKS
    )
    try:
        with only_our_tasks():
            execute([*line])
    finally:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
