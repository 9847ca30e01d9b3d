"""How all benchmarks measure: seconds and peak memory of a part, in a process of its own, written as JSON."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
TASKS = REPOSITORY / "tasks"
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "MALLOC_ARENA_MAX": "1"}
"""No network, and one allocator arena, because many make peak memory a matter of luck."""


@dataclass(frozen=True)
class Cost:
    """Of one part."""

    name: str
    seconds: float
    peak_bytes: int
    """0 where the system does not tell it."""
    added_bytes: int
    """Peak over what was there at the beginning."""


class Stopwatch:
    """Seconds and peak memory of parts, one after the other.

    Args:
        device: `cpu`, where the resident size of the process is counted, or `cuda`: allocated memory of the GPU.
        record: file that holds the costs as JSON after every part.
    """

    def __init__(self, device: str, record: Path | None = None) -> None:
        self._accelerator, self._record = device.startswith("cuda"), record
        self.costs: list[Cost] = []

    def start(self) -> None:
        """A part begins."""
        gc.collect()
        self._reset()
        self._before = self._peak()
        self._since = time.perf_counter()

    def stop(self, name: str) -> Cost:
        """It is over, and has a name."""
        if self._accelerator:
            import torch

            torch.cuda.synchronize()
        seconds, peak = time.perf_counter() - self._since, self._peak()
        self.costs.append(Cost(name, seconds, peak, peak - self._before))
        print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)
        if self._record:
            self._record.write_text(json.dumps([asdict(cost) for cost in self.costs]), encoding="utf-8")
        return self.costs[-1]

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What happens inside is a part."""
        self.start()
        yield
        self.stop(name)

    def _reset(self) -> None:
        """Set the peak back to what is there now."""
        if self._accelerator:
            import torch

            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        elif platform.system() == "Linux":
            Path("/proc/self/clear_refs").write_text("5")

    def _peak(self) -> int:
        if self._accelerator:
            import torch

            return int(torch.cuda.max_memory_allocated())
        if platform.system() != "Linux":
            return 0
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def in_a_child(module: str, *arguments: object, environment: Mapping[str, str] = ENVIRONMENT) -> Any:
    """What a benchmark prints last, as JSON, in a process of its own.

    Args:
        module: of this package.
        arguments: of its command line.
        environment: variables beside those of this process.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Libraries talk on stdout and stderr; the figures are the last line.
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        )
    if done.returncode:
        raise SystemExit(f"{module} {' '.join(map(str, arguments))} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def say(figures: Any, output: Path | None, indent: int = 2) -> None:
    """Print figures as JSON, and write them where that was asked for."""
    text = json.dumps(figures, indent=indent)
    print(text)
    if output:
        output.write_text(text + "\n", encoding="utf-8")
