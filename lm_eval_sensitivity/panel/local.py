"""The executor of this machine: child processes, one after the other or a few at a time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from lm_eval_sensitivity.panel.attempt import Attempt, run_attempt
from lm_eval_sensitivity.panel.plan import Unit


class LocalExecutor:
    """Attempts as children of this process.

    Args:
        workers: at the same time.
    """

    def __init__(self, workers: int) -> None:
        self.capacity = workers
        self._stop = threading.Event()
        # Threads of several runs that fight for the same processors make each many times slower.
        shared = {} if workers == 1 else {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}
        self._env = {} if "OMP_NUM_THREADS" in os.environ else shared
        # A thread outlives the child that it starts: the kernel kills a child when its thread ends.
        self._pool = ThreadPoolExecutor(workers)

    def submit(self, unit: Unit) -> Future[Attempt]:
        """Begin one attempt."""
        return self._pool.submit(run_attempt, unit, self._stop, self._env)

    def result(self, future: Future[Attempt]) -> Attempt:
        """What became of a finished one."""
        return future.result()

    def close(self) -> None:
        """End what is running, and wait for it."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)
