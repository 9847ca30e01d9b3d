"""Runs of two processes over gloo: that of the tests, and `python -m tests.harness.two_ranks FOLDER`.

lm_eval's own model knows several processes on GPUs only; these meet on the CPU, in lm_eval's own ways. PyTorch and
lm_eval are slow to come: one pair of processes makes all runs that are asked about.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM

from tests.conftest import REPOSITORY
from tests.harness.wrapped.scripted import Scripted, evaluate
from tests.running import Run, execute_and_listen, one_embedder, only_our_tasks, read_run

N_RANKS = 2
PATIENCE = timedelta(minutes=5)
WRAPPED = "wrapped"
"""Name of the run of wrapped tasks; the others are command lines."""
WRAPPED_TASKS = "sensitivity_gsm8k,sensitivity_arc"


@register_model("hf-gloo")
class GlooModel(HFLM):
    """`--model hf` in one of two processes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._rank, self._world_size = dist.get_rank(), N_RANKS

    def all_gather(self, tensor: torch.Tensor) -> torch.Tensor:
        found = [torch.zeros_like(tensor) for _ in range(N_RANKS)]
        dist.all_gather(found, tensor)
        return torch.stack(found)

    def barrier(self) -> None:
        dist.barrier()


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
        parts = [torch.zeros_like(tensor.reshape(1)) for _ in range(N_RANKS)]
        dist.all_gather(parts, tensor.reshape(1))
        return torch.cat(parts)

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        parts: list[Any] | None = [None] * N_RANKS if self.rank == dst else None
        dist.gather_object(obj, parts, dst=dst)
        return parts

    def barrier(self) -> None:
        dist.barrier()


def make_runs(folder: Path, lines: dict[str, list[str]], tasks: Path) -> None:
    """Start the second process, be the first, and wait for the other.

    Args:
        folder: for a folder of every run, with what either process printed and logged.
        lines: name of a run -> its command line.
        tasks: of the wrapped run.
    """
    (folder / "asked.json").write_text(json.dumps({"lines": lines, "tasks": str(tasks)}), encoding="utf-8")
    log = folder / "second"
    with log.open("w", encoding="utf-8") as said:
        second = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.harness.two_ranks", str(folder)],
            cwd=REPOSITORY,
            stdout=said,
            stderr=said,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            main(0, folder)
        second.wait(PATIENCE.total_seconds())
    finally:
        second.kill()
        second.wait()
    assert second.returncode == 0, log.read_text(encoding="utf-8")


def run_of(folder: Path, name: str) -> Run:
    """One of the runs, its log what both processes printed and logged."""
    said = [
        (folder / name / f"{kind}{rank}").read_text(encoding="utf-8")
        for rank in range(N_RANKS)
        for kind in ("stdout", "log")
    ]
    return read_run(folder / name / "run", said[0], "\n".join(said))


def main(rank: int, folder: Path) -> None:
    """Make all runs as one of two."""
    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    meeting = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=N_RANKS, timeout=PATIENCE)
    try:
        with only_our_tasks(), one_embedder():
            for name, line in asked["lines"].items():
                (folder / name).mkdir(exist_ok=True)
                for kind, text in zip(("stdout", "log"), execute_and_listen(line), strict=True):
                    (folder / name / f"{kind}{rank}").write_text(text, encoding="utf-8")
        found = evaluate(OneOfTwo(answer), WRAPPED_TASKS, Path(asked["tasks"]))
        if rank == 0:
            (folder / f"{WRAPPED}.json").write_text(json.dumps(found), encoding="utf-8")
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(1, Path(sys.argv[1]))
