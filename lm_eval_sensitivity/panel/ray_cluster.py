"""The executor of a Ray cluster: one Ray task for each attempt. Needs the extra `panel`."""

from __future__ import annotations

import logging
import os
import sys
from concurrent.futures import Future
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.panel.attempt import Attempt, run_attempt
from lm_eval_sensitivity.panel.plan import Unit
from lm_eval_sensitivity.text.escape import brief

logger = logging.getLogger(__name__)


class RayExecutor:
    """Attempts as tasks of Ray, each with the GPUs and processors of its system.

    An attempt whose worker or node dies is a failed one: its lm_eval dies with the worker, and the next goes on from
    the answers that it left. Ray itself repeats nothing, so that attempts are counted in one place.

    Args:
        address: of a cluster; None takes that of `RAY_ADDRESS`, a Ray that runs here, or starts one on this machine,
            and `local` always does the last.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """

    capacity = sys.maxsize

    def __init__(self, address: str | None) -> None:
        try:
            import ray
        except ImportError:
            raise InputError(
                '`executor: ray` needs Ray: pip install "lm-eval-sensitivity[panel]", on every node.'
            ) from None
        # Ray reports who uses it, unless it is told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"`address`: no Ray at {address or os.environ.get('RAY_ADDRESS')} ({brief(str(error))}). Start one "
                "with `ray start --head`, or give `local`."
            ) from None
        self._ray = ray
        self._run = ray.remote(max_retries=0)(run_attempt)
        self._running: dict[Future[Attempt], Any] = {}

    def submit(self, unit: Unit) -> Future[Attempt]:
        """Begin one attempt."""
        self._warn_if_too_large(unit)
        task = self._run.options(num_gpus=unit.gpus, num_cpus=unit.cpus, name=unit.name)
        reference = task.remote(unit)
        future: Future[Attempt] = reference.future()
        self._running[future] = reference
        return future

    def result(self, future: Future[Attempt]) -> Attempt:
        """What became of a finished one."""
        del self._running[future]
        try:
            return future.result()
        except self._ray.exceptions.RayError as error:
            return Attempt("failed", f"Ray lost it: {brief(str(error))}.")

    def close(self) -> None:
        """End what is running, and leave the cluster."""
        for reference in self._running.values():
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()

    def _warn_if_too_large(self, unit: Unit) -> None:
        has = self._ray.cluster_resources()
        for name, wanted in (("GPU", unit.gpus), ("CPU", unit.cpus)):
            if wanted > has.get(name, 0):
                logger.warning(
                    "%s waits for %g %s; the cluster has %g at present.",
                    unit.name,
                    wanted,
                    name,
                    has.get(name, 0),
                )
